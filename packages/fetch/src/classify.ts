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
 * Errors beside the core's that say that a request was never sent: the rest of what is wrong with a certificate (OpenSSL's
 * names, as Node has them), which is looked at before a connection is used; and HTTP/2 streams that were never opened.
 */
const NEVER_SENT: ReadonlySet<string> = new Set([
  "CERT_CHAIN_TOO_LONG",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CRL_HAS_EXPIRED",
  "CRL_NOT_YET_VALID",
  "CRL_SIGNATURE_FAILURE",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
  "UNABLE_TO_GET_CRL",
  "ERR_TLS_CERT_SIGNATURE_ALGORITHM_UNSUPPORTED",
  "UND_ERR_PRX_TLS",
  "ERR_HTTP2_GOAWAY_SESSION",
  "ERR_HTTP2_INVALID_SESSION",
  "ERR_HTTP2_OUT_OF_STREAMS",
]);

/**
 * TLS alerts that answer a ClientHello, before which nothing is sent (RFC 8446 §6.2). The names differ by OpenSSL's version:
 * `ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE`, `ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE`.
 */
const HANDSHAKE_ALERT =
  /^ERR_SSL_.*(?:HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|INSUFFICIENT_SECURITY|UNRECOGNIZED_NAME|NO_APPLICATION_PROTOCOL)$/;

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

/** Errors that no backend has anything to do with. */
const blameless = new WeakSet<object>();

/** Says of an error that the attempt's backend has nothing to do with it, so that nothing is repeated either. */
export function blameNobody(error: unknown): void {
  if (typeof error === "object" && error !== null) blameless.add(error);
}

/** Errors of requests of which a transport knows that nobody processed them. */
const unprocessed = new WeakSet<object>();

/** Says of an error that the request it ended was never processed. */
export function neverProcessed(error: object): void {
  unprocessed.add(error);
}

/** What an error says: the core's verdict, with what only HTTP clients know. */
export function judgeError(result: AttemptResult): Report {
  const { error } = result;
  const errorCode = errorCodeOf(error);
  const verdict = (outcome: Outcome): Report => ({ outcome, origin: "local", errorCode });
  if (CALLERS_MISTAKES.has(errorCode ?? "") || blameless.has(error as object)) return verdict("ignored");
  if (wasNeverProcessed(error, errorCode ?? "")) return verdict("unreached");
  // RFC 9113 §7: the peer finds the load excessive.
  if (errorCode === "ERR_HTTP2_STREAM_ERROR" && mentions(error, "NGHTTP2_ENHANCE_YOUR_CALM"))
    return verdict("overload");
  return classifyResult(result);
}

function wasNeverProcessed(error: unknown, errorCode: string): boolean {
  if (NEVER_SENT.has(errorCode) || HANDSHAKE_ALERT.test(errorCode)) return true;
  if (causesOf(error).some((cause) => unprocessed.has(cause))) return true;
  // RFC 9113 §6.8: a stream above the last one that a GOAWAY names. undici says so by this code from 8.3 on; before, it says
  // UND_ERR_SOCKET, of whichever request comes first.
  if (errorCode === "UND_ERR_INFO") return mentions(error, '"GOAWAY" frame received');
  // RFC 9113 §8.7: a refused stream was not processed. Node tells the reason in the message alone.
  if (errorCode === "ERR_HTTP2_STREAM_ERROR") return mentions(error, "NGHTTP2_REFUSED_STREAM");
  if (errorCode === "UND_ERR_SOCKET") return hasWrittenNothing(error);
  // Deno gives its errors no code. These words are hyper's for what fails before there is a connection.
  return mentions(error, "client error (Connect)");
}

/** undici says what went over a socket in its whole life: none is none of this request. */
function hasWrittenNothing(error: unknown): boolean {
  return causesOf(error).some(({ socket }) => socket?.bytesWritten === 0);
}

function mentions(error: unknown, text: string): boolean {
  return causesOf(error).some(({ message }) => message.includes(text));
}

type SocketError = Error & { readonly socket?: { readonly bytesWritten?: unknown } | null };

/** How deep causes are followed: `fetch` wraps once, others perhaps as well. */
const DEEPEST_CAUSE = 5;

function causesOf(error: unknown): readonly SocketError[] {
  const causes: SocketError[] = [];
  for (let at = error; at instanceof Error && causes.length < DEEPEST_CAUSE; at = at.cause) causes.push(at);
  return causes;
}
