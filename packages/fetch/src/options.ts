import type { CallOptions } from "@fairlead/core";
import type { Transport } from "./transport.ts";

/** What one call may say beside what the platform's `fetch` takes: see `CallOptions` of the core. */
export interface FairleadInit extends CallInit {
  /**
   * The most bytes that a request's body may have; whole, ≥ 0. One that is known to be longer is refused before anything
   * is sent, a stream ends its attempt when it has become longer. Default: no limit.
   */
  readonly maxRequestBytes?: number | undefined;
}

type CallInit = Pick<
  CallOptions<unknown>,
  | "attemptTimeoutMs"
  | "classify"
  | "deadlineMs"
  | "hashKey"
  | "idempotent"
  | "labels"
  | "pinned"
  | "pinPolicy"
  | "retry"
>;

/** Options of `createFetch`: what holds for every call that says nothing else. */
export interface FetchOptions extends FairleadInit {
  /** Makes the requests. Default: the platform's `fetch`, looked up at each call. */
  readonly fetch?: Transport | undefined;
}
