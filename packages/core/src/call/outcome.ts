/**
 * How an attempt ended, as far as blame goes.
 *
 * - `success`: the backend did its work, whatever the answer says about the caller's wish (a 404 is one).
 * - `failure`: its fault (5xx, reset, timeout). Charged to its load; counts for ejection and breaker.
 * - `overload`: it asks for less (429, 503 with Retry-After). Charged, may pause it; counts for neither.
 * - `unreached`: provably never sent. Charged and counted as a failure, but safe to repeat whatever the call.
 * - `ignored`: the caller's doing. Blames nobody; only a latency that looks better than the time it took is raised to that.
 */
export type Outcome = "success" | "failure" | "overload" | "unreached" | "ignored";

export const OUTCOMES: readonly Outcome[] = ["success", "failure", "overload", "unreached", "ignored"];

/** The verdict on one attempt. */
export interface Report {
  readonly outcome: Outcome;
  /** `local`: seen on this side (connect error, timeout); `backend`: it answered so. */
  readonly origin?: "local" | "backend" | undefined;
  /** HTTP status, if there was one. */
  readonly status?: number | undefined;
  /** Code of the error, if there was one. */
  readonly errorCode?: string | undefined;
  /** Milliseconds, if not the time from lease to settlement. */
  readonly latencyMs?: number | undefined;
  /** The backend asks not to be called for that long, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** What the backend says of its own load: read already, or the text of its header for the strategy to read. */
  readonly load?: LoadReport | string | undefined;
}

/** A backend's own account of its load, in the terms of ORCA (xDS `OrcaLoadReport`, gRFC A51). */
export interface LoadReport {
  /** Share of the application's capacity in use; may exceed 1. */
  readonly applicationUtilization?: number | undefined;
  /** Share of the processors in use; may exceed 1. */
  readonly cpuUtilization?: number | undefined;
  readonly requestsPerSecond?: number | undefined;
  readonly errorsPerSecond?: number | undefined;
  readonly namedUtilization?: Readonly<Record<string, number>> | undefined;
}

export const SUCCESS: Report = { outcome: "success" };
export const IGNORED: Report = { outcome: "ignored" };
/** Of a lease that is given back without a verdict: how long it was held says nothing about latency. */
export const UNSETTLED: Report = { outcome: "ignored", latencyMs: 0 };
