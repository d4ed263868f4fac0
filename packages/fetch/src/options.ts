import {
  type CallOptions,
  checkCallOptions,
  type Expected,
  expected,
  type KeyAffinity,
  type OptionCheck,
} from "@fairlead/core";
import type { IdempotencyKey } from "./idempotency-key.ts";
import type { Transport } from "./transport.ts";

/** What one call may say beside what the platform's `fetch` takes: see `CallOptions` of the core. */
export interface FairleadInit
  extends Pick<
    CallOptions<unknown>,
    | "attemptTimeoutMs"
    | "classify"
    | "deadlineLimitMs"
    | "deadlineMs"
    | "fallback"
    | "fallbackKey"
    | "hashKey"
    | "hedge"
    | "idempotent"
    | "labels"
    | "pinned"
    | "pinPolicy"
    | "retry"
  > {
  /**
   * The most bytes that a request's body may have; whole, ≥ 0. One that is known to be longer is refused before anything
   * is sent, a stream ends its attempt when it has become longer. Default: no limit.
   */
  readonly maxRequestBytes?: number | undefined;
  /**
   * Makes a call that has a key one that can be repeated. `true` or a function: calls whose method is not idempotent get a
   * key, a random one or what the function returns; `"given"`: only a key that the caller sends counts; any other text, for
   * one call alone: that is the key. Default `false`.
   */
  readonly idempotencyKey?: IdempotencyKey | undefined;
  /** Tells backends the number of the attempt and the time it has left, as Envoy does. Default `false`. */
  readonly propagate?: boolean | undefined;
}

/** What holds for every call of a client that says nothing else. */
export interface ClientOptions extends FairleadInit {
  /**
   * The methods whose repetition does no harm, in place of the default: GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110
   * §9.2.2) and QUERY.
   */
  readonly methods?: readonly string[] | undefined;
  /**
   * Gives calls that say nothing themselves a `hashKey`: `headerAffinity("x-session")`, `keyAffinity(…)`. That of a route
   * goes before. Default: none.
   */
  readonly affinity?: KeyAffinity | undefined;
}

/** Options of `createFetch`. */
export interface FetchOptions extends ClientOptions {
  /** Makes the requests. Default: the platform's `fetch`, looked up at each call. */
  readonly fetch?: Transport | undefined;
}

const INIT_KEYS = ["idempotencyKey", "maxRequestBytes", "propagate"];

/** @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems of what one call says */
export function checkInit(init: FairleadInit): void {
  checkCallOptions("fairlead", init, INIT_KEYS, checkOwn);
}

/**
 * Checks the options of a client, which may have others beside them (`also`), which `checkMore` checks.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function checkClientOptions(
  where: string,
  options: ClientOptions,
  also: readonly string[] = [],
  checkMore?: (check: OptionCheck) => void,
): void {
  checkCallOptions(where, options, [...INIT_KEYS, "affinity", "methods", ...also], (check, input) => {
    checkOwn(check, input);
    check.optional("methods", input["methods"], methodNames);
    check.optional("affinity", input["affinity"], keyAffinityValue);
    const { idempotencyKey } = input;
    if (typeof idempotencyKey === "string" && idempotencyKey !== "given")
      check.problem(
        "idempotencyKey",
        idempotencyKey,
        'true, a function or "given": one key for all calls makes them one',
      );
    checkMore?.(check);
  });
}

function checkOwn(check: OptionCheck, input: Record<string, unknown>): void {
  check.optional("idempotencyKey", input["idempotencyKey"], keySource);
  check.optional("maxRequestBytes", input["maxRequestBytes"], expected.integer({ min: 0 }));
  check.optional("propagate", input["propagate"], expected.boolean);
}

const keySource: Expected<IdempotencyKey> = {
  description: 'true, false, "given", a function, or a key of printable ASCII',
  accepts: (value: unknown): value is IdempotencyKey =>
    typeof value === "boolean" || typeof value === "function" || (typeof value === "string" && isKey(value)),
};

/** A field value that needs no quoting nor folding. */
export function isKey(text: string): boolean {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text);
}

const keyAffinityValue: Expected<KeyAffinity> = {
  description: 'an affinity by key, such as headerAffinity("x-session"); cookies are for createForward',
  accepts: (value: unknown): value is KeyAffinity =>
    typeof value === "object" && value !== null && (value as Partial<KeyAffinity>).kind === "key",
};

const methodNames: Expected<readonly string[]> = {
  description: "a list of HTTP methods",
  accepts: (value: unknown): value is readonly string[] =>
    Array.isArray(value) && value.every((name) => typeof name === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(name)),
};
