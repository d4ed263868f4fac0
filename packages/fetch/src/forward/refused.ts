import { errorCodeOf, FairleadError, type FairleadErrorCode, type LimitName } from "@fairlead/core";

/** A request is refused for what it is. */
export class RefusedError extends Error {
  /** What the client gets. */
  readonly status: number;

  constructor(status: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RefusedError";
    this.status = status;
  }
}

/** Source: RFC 9110 §15, RFC 6585, RFC 5842. */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
};

/** All others mean that there is nobody to serve the request now. */
const CODE_STATUSES: Partial<Record<FairleadErrorCode, number>> = {
  FAIRLEAD_ERR_NO_ROUTE: 404,
  FAIRLEAD_ERR_TIMEOUT: 504,
  FAIRLEAD_ERR_CONFIG: 500,
};

const LIMIT_STATUSES: Partial<Record<LimitName, number>> = {
  "request-bytes": 413,
  rate: 429,
  "route-rate": 429,
  "client-connections": 429,
};

/** Errors that say that the time was too short, or that the request is not what it says of itself. */
const ERROR_STATUSES: Readonly<Record<string, number>> = {
  UND_ERR_CONNECT_TIMEOUT: 504,
  UND_ERR_HEADERS_TIMEOUT: 504,
  TimeoutError: 504,
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 400,
};

/** What a client is told of an error. Nothing of what is behind us: addresses and names are none of its business. */
export function problemOf(thrown: unknown, method: string): Response {
  const error = essenceOf(thrown);
  const status = statusOf(error);
  // By default, caches would keep some of these (RFC 9110 §15.1).
  const headers = new Headers({ "content-type": "application/problem+json", "cache-control": "no-store" });
  const retryAfterMs = error instanceof FairleadError ? error.retryAfterMs : undefined;
  if (retryAfterMs !== undefined) headers.set("retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1_000))));
  if (status === 405) headers.set("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  // RFC 9457.
  const detail = error instanceof RefusedError && status < 500 ? error.message : undefined;
  const body = JSON.stringify({ type: "about:blank", title: TITLES[status] ?? "Error", status, detail });
  return new Response(method === "HEAD" ? null : body, { status, headers });
}

/** `fetch` shows our errors as the cause of its own, and several attempts have failed because of the last one's error. */
export function essenceOf(error: unknown): unknown {
  const isWrapped =
    error instanceof FairleadError ? error.code === "FAIRLEAD_ERR_RETRIES_EXHAUSTED" : isFetchError(error);
  return isWrapped ? essenceOf((error as Error).cause) : error;
}

function isFetchError(error: unknown): boolean {
  return error instanceof TypeError && error.cause instanceof FairleadError;
}

function statusOf(error: unknown): number {
  if (error instanceof RefusedError) return error.status;
  if (!(error instanceof FairleadError)) return ERROR_STATUSES[errorCodeOf(error) ?? ""] ?? 502;
  if (error.code === "FAIRLEAD_ERR_LIMIT") return (error.limit && LIMIT_STATUSES[error.limit]) ?? 503;
  return CODE_STATUSES[error.code] ?? 503;
}
