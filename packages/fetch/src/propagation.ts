import type { Attempt } from "@fairlead/core";

/** Source: Envoy, "HTTP header manipulation". */
export const ATTEMPT_COUNT = "x-envoy-attempt-count";
export const EXPECTED_TIMEOUT = "x-envoy-expected-rq-timeout-ms";

/** What an attempt tells its backend: its number, and the whole milliseconds until it is given up, at least 1. */
export function attemptHeaders({ number, remainingMs }: Attempt): Record<string, string> {
  const headers: Record<string, string> = { [ATTEMPT_COUNT]: String(number) };
  // To Envoy, 0 is no limit.
  if (remainingMs !== Number.POSITIVE_INFINITY)
    headers[EXPECTED_TIMEOUT] = String(Math.max(1, Math.floor(remainingMs)));
  return headers;
}
