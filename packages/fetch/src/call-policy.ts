import type { Balancer, CallOptions, KeyAffinity, RoutableRequest, RouteMatch } from "@fairlead/core";
import { sessionKey } from "./affinity/session-key.ts";
import { IDEMPOTENCY_KEY, keyOf } from "./idempotency-key.ts";
import { IDEMPOTENT_METHODS } from "./methods.ts";
import type { ClientOptions, FairleadInit } from "./options.ts";

/** What holds for the calls of one client: its options, under what each call says itself. */
export class CallPolicy {
  readonly #defaults: FairleadInit | undefined;
  readonly #methods: ReadonlySet<string>;
  readonly #affinity: KeyAffinity | undefined;

  /** `options` are checked. */
  constructor({ methods, affinity, ...defaults }: ClientOptions) {
    this.#affinity = affinity;
    this.#defaults = Object.values(defaults).every((value) => value === undefined) ? undefined : defaults;
    this.#methods = methods === undefined ? IDEMPOTENT_METHODS : new Set(methods.map((name) => name.toUpperCase()));
  }

  /**
   * What holds for one call over `balancer`: its own words go before those of its route, and these before the client's. What
   * is `undefined` says nothing.
   */
  of(
    own: FairleadInit | undefined,
    match: RouteMatch | undefined,
    request: RoutableRequest | undefined,
    balancer: Balancer,
  ): FairleadInit | undefined {
    const said = merge(merge(this.#defaults, match?.options), own);
    const affinity = match?.affinity ?? this.#affinity;
    if (affinity?.kind !== "key" || request === undefined) return said;
    if (said?.hashKey !== undefined || said?.pinned !== undefined) return said;
    const hashKey = sessionKey(affinity, request, balancer);
    if (hashKey === undefined) return said;
    return said === undefined ? { hashKey } : { ...said, hashKey };
  }

  /** Whether it has to see each request. */
  get looks(): boolean {
    return this.#affinity !== undefined;
  }

  /** The call's Idempotency-Key, if it has one; the caller's own is read from its `headers`. */
  keyOf<H>(
    said: FairleadInit | undefined,
    method: string,
    headers: H,
    read: (headers: H, name: string) => string | undefined,
  ): string | undefined {
    const source = said?.idempotencyKey;
    // Most calls have none, and need not look for it.
    if (source === undefined || source === false) return undefined;
    return keyOf(source, read(headers, IDEMPOTENCY_KEY), this.#methods.has(method));
  }

  /** Whether repeating the call does no harm, as far as its body can be sent again. */
  isIdempotent(said: FairleadInit | undefined, method: string, key: string | undefined): boolean {
    return said?.idempotent ?? (key !== undefined || this.#methods.has(method));
  }
}

/** What an adapter knows of each call. */
type AdapterOptions<T> = Required<
  Pick<CallOptions<T>, "idempotent" | "oneShot" | "signal" | "judge" | "accepts" | "discard">
> &
  Pick<CallOptions<T>, "beforeRepeat" | "kind">;

/** The options of one call of the core: what an adapter knows, over what is said. */
export function callOptions<T>(said: FairleadInit | undefined, ours: AdapterOptions<T>): CallOptions<T> {
  // Ours come first: what is added to a large object costs less than what is added to a small one.
  return said === undefined ? ours : { ...ours, ...said, idempotent: ours.idempotent };
}

function merge(defaults: FairleadInit | undefined, own: FairleadInit | undefined): FairleadInit | undefined {
  if (own === undefined || defaults === undefined) return own ?? defaults;
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(said) };
}
