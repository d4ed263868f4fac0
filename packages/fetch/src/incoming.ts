import type { FairleadInit } from "./options.ts";
import { ATTEMPT_COUNT, EXPECTED_TIMEOUT } from "./propagation.ts";

/** The headers of a request that came in: of `fetch`, of Node, or a plain record. */
export type IncomingHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What an incoming request says of the calls that are made for it. */
export type IncomingCall = Pick<FairleadInit, "deadlineLimitMs" | "retry">;

/** Timers keep 31 bits of milliseconds: whoever has more time than that says nothing. */
const LONGEST_MS = 2 ** 31 - 1;

/** Milliseconds per unit of `grpc-timeout`. Source: gRPC over HTTP/2, "Timeout". */
const GRPC_UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * What calls owe to the request that they are made for: `fetch(url, { fairlead: fromIncoming(request.headers) })`.
 *
 * A request that is a retry itself (`x-envoy-attempt-count` above 1, `grpc-previous-rpc-attempts` above 0) is not retried
 * once more: retries of several layers multiply. The time its caller has left (`x-envoy-expected-rq-timeout-ms`,
 * `grpc-timeout`; the shorter) becomes `deadlineLimitMs`, which shortens a deadline and never lengthens it. What can't be
 * read says nothing.
 */
export function fromIncoming(headers: IncomingHeaders): IncomingCall {
  const read = readerOf(headers);
  const isRetry = (wholeOf(read(ATTEMPT_COUNT)) ?? 0) > 1 || (wholeOf(read("grpc-previous-rpc-attempts")) ?? 0) > 0;
  const leftMs = Math.min(
    wholeOf(read(EXPECTED_TIMEOUT)) || Number.POSITIVE_INFINITY,
    grpcTimeoutMs(read("grpc-timeout")) || Number.POSITIVE_INFINITY,
  );
  return {
    ...(isRetry ? { retry: false } : undefined),
    ...(leftMs <= LONGEST_MS ? { deadlineLimitMs: leftMs } : undefined),
  };
}

function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function grpcTimeoutMs(text: string | undefined): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(text ?? "") ?? [];
  return amount === undefined ? undefined : Number(amount) * (GRPC_UNITS[unit] ?? Number.NaN);
}

/** Names are compared in lower case, as the platforms write them; a plain record may write them otherwise. */
function readerOf(headers: IncomingHeaders): (name: string) => string | undefined {
  if (isHeaders(headers)) return (name) => headers.get(name)?.trim();
  const all = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => {
    const value = all.get(name);
    // A header that is there twice says two things.
    return typeof value === "string" ? value.trim() : value?.length === 1 ? value[0]?.trim() : undefined;
  };
}

function isHeaders(headers: IncomingHeaders): headers is { get(name: string): string | null } {
  return typeof headers["get"] === "function";
}
