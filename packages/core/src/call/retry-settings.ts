import { group } from "../option-group.ts";
import { type Expected, expected, type OptionCheck } from "../options.ts";

export interface RetryOptions {
  /** Attempts after the first; whole, ≥ 0. Default 2. */
  readonly limit?: number | undefined;
  /** Statuses that an idempotent call repeats elsewhere. Default 408, 421, 425, 502, 503, 504. */
  readonly statusCodes?: readonly number[] | undefined;
  /** Whether an idempotent call that timed out on one backend tries another. Default `true`. */
  readonly retryOnTimeout?: boolean | undefined;
  /** Back-off before the n-th retry: a random share of `backoffBaseMs · 2^(n−1)`, milliseconds. Default 25. */
  readonly backoffBaseMs?: number | undefined;
  /** The longest back-off, milliseconds. Default 1,000. */
  readonly backoffLimitMs?: number | undefined;
  /**
   * Whom a rate limit (429) speaks for. `upstream` (default): the whole service, so that another backend is not asked.
   * `backend`: only for the one that said so; an idempotent call goes elsewhere.
   */
  readonly rateLimitScope?: "upstream" | "backend" | undefined;
}

export interface RetrySettings {
  readonly limit: number;
  readonly statusCodes: ReadonlySet<number>;
  readonly retryOnTimeout: boolean;
  readonly backoffBaseMs: number;
  readonly backoffLimitMs: number;
  readonly rateLimitScope: "upstream" | "backend";
}

/** RFC 9110 §15.5.9, §15.5.20, §15.6.3–5 and RFC 8470 §5.2: statuses that say another try may do better. */
const RETRIED_STATUSES = [408, 421, 425, 502, 503, 504];

export const DEFAULT_RETRY: RetrySettings = {
  limit: 2,
  statusCodes: new Set(RETRIED_STATUSES),
  retryOnTimeout: true,
  backoffBaseMs: 25,
  backoffLimitMs: 1_000,
  rateLimitScope: "upstream",
};

/** For the options of one call. */
export function checkRetry(check: OptionCheck, value: unknown): void {
  resolveRetry(check, value, DEFAULT_RETRY);
}

export function resolveRetry(
  check: OptionCheck,
  value: unknown,
  base: RetrySettings | undefined,
): RetrySettings | undefined {
  const keys = ["limit", "statusCodes", "retryOnTimeout", "backoffBaseMs", "backoffLimitMs", "rateLimitScope"];
  return group(check, "retry", value, base, keys, (input) => {
    const from = base ?? DEFAULT_RETRY;
    const read = <T>(key: string, wanted: Expected<T>): T | undefined =>
      check.optional(`retry.${key}`, input[key], wanted);
    const statuses = read("statusCodes", statusCodes);
    return {
      limit: read("limit", expected.integer({ min: 0, max: 100 })) ?? from.limit,
      statusCodes: statuses === undefined ? from.statusCodes : new Set(statuses),
      retryOnTimeout: read("retryOnTimeout", expected.boolean) ?? from.retryOnTimeout,
      backoffBaseMs: read("backoffBaseMs", expected.number({ min: 0 })) ?? from.backoffBaseMs,
      backoffLimitMs: read("backoffLimitMs", expected.number({ min: 0 })) ?? from.backoffLimitMs,
      rateLimitScope: read("rateLimitScope", expected.oneOf(["upstream", "backend"])) ?? from.rateLimitScope,
    };
  });
}

const statusCodes = {
  description: "a list of status codes, 400 to 599",
  accepts: (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 400 && item <= 599),
};
