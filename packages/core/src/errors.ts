import type { Outcome } from "./call/outcome.ts";
import type { OptionProblem } from "./options.ts";

/** Stable codes: part of the public contract, never reused for something else. */
export type FairleadErrorCode =
  | "FAIRLEAD_ERR_CONFIG"
  | "FAIRLEAD_ERR_NO_BACKEND"
  | "FAIRLEAD_ERR_NO_ROUTE"
  | "FAIRLEAD_ERR_LIMIT"
  | "FAIRLEAD_ERR_CIRCUIT_OPEN"
  | "FAIRLEAD_ERR_TIMEOUT"
  | "FAIRLEAD_ERR_RETRIES_EXHAUSTED"
  | "FAIRLEAD_ERR_DISCOVERY"
  | "FAIRLEAD_ERR_CLOSED";

/**
 * What turned a call away, with `FAIRLEAD_ERR_LIMIT`.
 *
 * - `upstream-concurrency`, `backend-concurrency`: too much is under way, and nobody may wait (`queue.size` 0, a pin that
 *   must not wait).
 * - `queue-size`, `queue-timeout`: the same, and the queue was full, or its time ran out.
 * - `rate`: calls come too fast.
 * - `request-bytes`: the body is too large.
 * - `route-concurrency`, `route-rate`: too much is under way on the route, or calls come too fast there.
 * - `client-connections`: one client has too many connections or requests open.
 */
export type LimitName =
  | "upstream-concurrency"
  | "backend-concurrency"
  | "queue-size"
  | "queue-timeout"
  | "rate"
  | "request-bytes"
  | "route-concurrency"
  | "route-rate"
  | "client-connections";

/** What happened to one attempt of a call that failed. */
export interface AttemptRecord {
  /** Id of the backend. */
  readonly backend: string;
  readonly outcome: Outcome;
  readonly status?: number | undefined;
  readonly errorCode?: string | undefined;
  /** Milliseconds from the pick to the verdict. */
  readonly ms: number;
  /** Whether the request may have reached the backend. */
  readonly sent: boolean;
}

export interface FairleadErrorDetails {
  readonly cause?: unknown;
  readonly attempts?: readonly AttemptRecord[] | undefined;
  readonly problems?: readonly OptionProblem[] | undefined;
  readonly limit?: LimitName | undefined;
  readonly retryAfterMs?: number | undefined;
}

const BRAND = Symbol.for("fairlead.error");

/** The one error class of fairlead. Tell errors apart by `code`; `instanceof` works across duplicate installs. */
export class FairleadError extends Error {
  readonly code: FairleadErrorCode;
  /** Every attempt that was made, oldest first. */
  readonly attempts: readonly AttemptRecord[];
  /** With `FAIRLEAD_ERR_CONFIG`: everything that is wrong, not just the first thing. */
  readonly problems: readonly OptionProblem[];
  /** With `FAIRLEAD_ERR_LIMIT`: which limit. */
  readonly limit: LimitName | undefined;
  /** With `FAIRLEAD_ERR_LIMIT`, where it is known: milliseconds after which the call may be made again. */
  readonly retryAfterMs: number | undefined;

  constructor(code: FairleadErrorCode, message: string, details: FairleadErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    // Platform code recognises timeouts by this name.
    this.name = code === "FAIRLEAD_ERR_TIMEOUT" ? "TimeoutError" : "FairleadError";
    this.code = code;
    this.attempts = details.attempts ?? [];
    this.problems = details.problems ?? [];
    this.limit = details.limit;
    this.retryAfterMs = details.retryAfterMs;
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** The error of everything that is asked of a closed balancer. */
export function closedError(name: string): FairleadError {
  return new FairleadError("FAIRLEAD_ERR_CLOSED", `${name}: the balancer is closed`);
}

/** Makes an error that says all in its message: building a stack trace would cost some ten times as much as the rest. */
export function withoutStack<E extends Error>(make: () => E): E {
  // Not in every engine.
  const engine = Error as { stackTraceLimit?: number };
  const limit = engine.stackTraceLimit;
  if (limit === undefined) return make();
  try {
    engine.stackTraceLimit = 0;
  } catch {
    // Frozen: it has a stack trace then.
    return make();
  }
  try {
    return make();
  } finally {
    engine.stackTraceLimit = limit;
  }
}

/** One line per attempt, for the message of an error that speaks of several. */
export function describeAttempts(attempts: readonly AttemptRecord[]): string {
  return attempts
    .map(
      ({ backend, outcome, status, errorCode, ms }) =>
        `${backend}: ${status ?? errorCode ?? outcome} after ${ms.toFixed(0)} ms`,
    )
    .join("; ");
}
