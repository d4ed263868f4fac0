import type { Attempt, Balancer, BalancerEvents, CallOptions, RoutableRequest, SessionAffinity } from "@fairlead/core";

/** A request with these headers and nothing else of interest. */
export function request(headers: Readonly<Record<string, string>> = {}, clientIp?: string): RoutableRequest {
  return { method: "GET", host: "shop.test", path: "/", search: "", header: (name) => headers[name], clientIp };
}

interface Visit {
  readonly backend: string;
  /** What `find` has said. */
  readonly found: string | undefined;
  readonly setCookie: string | undefined;
}

/** A browser that keeps the cookies of one host, and calls through an affinity as `createForward` does. */
export class Browser {
  readonly #cookies = new Map<string, { readonly value: string; readonly until: number }>();
  readonly #balancer: Balancer;
  readonly #affinity: SessionAffinity;
  readonly #clientIp: string | undefined;

  constructor(balancer: Balancer, affinity: SessionAffinity, clientIp?: string) {
    this.#balancer = balancer;
    this.#affinity = affinity;
    this.#clientIp = clientIp;
  }

  /** What it sends as `Cookie`. */
  get field(): string {
    const now = this.#balancer.clock.wallNow();
    return [...this.#cookies]
      .flatMap(([name, { value, until }]) => (now < until ? [`${name}=${value}`] : []))
      .join("; ");
  }

  get #request(): RoutableRequest {
    const { field } = this;
    return request(field === "" ? {} : { cookie: field }, this.#clientIp);
  }

  /** Which backend it gets, as ids, over `options`. */
  async visit(
    options: CallOptions<Attempt> = {},
    run: (attempt: Attempt) => Promise<Attempt> = async (attempt) => attempt,
  ): Promise<Visit> {
    const { pinPolicy } = this.#affinity;
    const sent = this.#request;
    const found = await this.#affinity.find(sent, this.#balancer);
    const hashKey = this.#affinity.keyOf?.(sent);
    const { backend } = await this.#balancer.call(run, { pinned: found, pinPolicy, hashKey, ...options });
    const setCookie = await this.#affinity.keep(sent, found, backend, this.#balancer);
    if (setCookie !== undefined) this.take(setCookie);
    return { backend: backend.id, found, setCookie };
  }

  /** The name and value of a `Set-Cookie` field, for as long as it says. */
  take(setCookie: string): void {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(setCookie) ?? [];
    const maxAge = Number(/; Max-Age=(\d+)/.exec(setCookie)?.[1] ?? Number.POSITIVE_INFINITY);
    this.#cookies.set(name, { value, until: this.#balancer.clock.wallNow() + maxAge * 1_000 });
  }
}

type AffinityEvent = "affinityIgnored" | "affinityMoved" | "callbackFailed";

/** Everything that is announced of sessions from now on. */
export function listen(
  balancer: Balancer,
): (Parameters<BalancerEvents[AffinityEvent]>[0] & { event: AffinityEvent })[] {
  const told: ReturnType<typeof listen> = [];
  balancer.on("affinityIgnored", (record) => told.push({ event: "affinityIgnored", ...record }));
  balancer.on("affinityMoved", (record) => told.push({ event: "affinityMoved", ...record }));
  balancer.on("callbackFailed", (record) => told.push({ event: "callbackFailed", ...record }));
  return told;
}
