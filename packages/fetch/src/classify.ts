import { type AttemptResult, type Clock, classifyResult, errorCodeOf, type Outcome, type Report } from "@fairlead/core";
import { parseRetryAfter } from "./retry-after.ts";

const SUCCESS: Report = { outcome: "success", origin: "backend" };

/** Errors in what the caller asked for, by undici's codes: every backend would answer the same. */
const CALLERS_MISTAKES: ReadonlySet<string> = new Set([
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "UND_ERR_INVALID_RETURN_VALUE",
  "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_ARG_VALUE",
]);

/**
 * What a status says of the backend that sent it. Whether the call is repeated is another question, which the core
 * answers (`retry.statusCodes`).
 *
 * - below 400, and most of 4xx: it did its work. 501 and 505 as well: the caller asked for what it cannot do.
 * - 408, 421, 425: the connection's or the caller's doing (RFC 9110 §15.5.9, §15.5.20; RFC 8470 §5.2).
 * - 429, and 503 with a Retry-After: it asks for less. Without one a 503 is a failure like any other 5xx.
 */
export function judgeStatus(status: number, retryAfter: string | null | undefined, clock: Clock): Report {
  if (status < 400) return SUCCESS;
  if (status !== 429 && status !== 503) return { outcome: outcomeOf(status), origin: "backend", status };
  const retryAfterMs = parseRetryAfter(retryAfter, clock.wallNow());
  const outcome = status === 503 && retryAfterMs === undefined ? "failure" : "overload";
  return { outcome, origin: "backend", status, retryAfterMs };
}

/** Adds what the backend says of its own load. Only asked for where the strategy goes by it. */
export function withLoad(report: Report, text: string | null | undefined): Report {
  return text === null || text === undefined ? report : { ...report, load: text };
}

function outcomeOf(status: number): Outcome {
  if (status === 408 || status === 421 || status === 425) return "ignored";
  return status < 500 || status === 501 || status === 505 ? "success" : "failure";
}

/** Errors that came after a backend had done its work. */
const blameless = new WeakSet<object>();

/** Says of an error that the attempt's backend has nothing to do with it, so that nothing is repeated either. */
export function blameNobody(error: unknown): void {
  if (typeof error === "object" && error !== null) blameless.add(error);
}

/** What an error says: the core's verdict, with what only HTTP clients know. */
export function judgeError(result: AttemptResult): Report {
  const errorCode = errorCodeOf(result.error);
  if (errorCode !== undefined && CALLERS_MISTAKES.has(errorCode))
    return { outcome: "ignored", origin: "local", errorCode };
  if (blameless.has(result.error as object)) return { outcome: "ignored", origin: "local", errorCode };
  // RFC 9113 §8.7: a refused stream was not processed. Node tells the reason in the message alone.
  if (errorCode === "ERR_HTTP2_STREAM_ERROR" && mentions(result.error, "NGHTTP2_REFUSED_STREAM"))
    return { outcome: "unreached", origin: "local", errorCode };
  return classifyResult(result);
}

function mentions(error: unknown, text: string): boolean {
  for (let current = error; current instanceof Error; current = current.cause)
    if (current.message.includes(text)) return true;
  return false;
}
