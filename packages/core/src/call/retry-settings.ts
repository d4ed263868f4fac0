import type { Backend } from "../backend.ts";
import { fillIn, group } from "../option-group.ts";
import { type Expected, expected, type OptionCheck } from "../options.ts";
import type { Report } from "./outcome.ts";

/** An attempt that was no success, as `shouldRetry` sees it. */
export interface FailedAttempt {
  readonly backend: Backend;
  /** 1 for the first. */
  readonly number: number;
  readonly report: Report;
  /** Whether the request may have been sent: `false` only if that is known for sure. */
  readonly sent: boolean;
  /** What the attempt rejected with, if it did. */
  readonly error?: unknown;
  /** What it resolved to, if it did. */
  readonly value?: unknown;
}

/** When a call is repeated, and after how long. The words are ky's; durations are milliseconds. */
export interface RetryOptions {
  /** Attempts after the first; whole, 0 to 100. Default 2. */
  readonly limit?: number | undefined;
  /** Statuses that an idempotent call repeats elsewhere. Default 408, 421, 425, 502, 503, 504. */
  readonly statusCodes?: readonly number[] | undefined;
  /**
   * Statuses whose Retry-After is waited for where nobody else may be asked: the service limits its rate (429), or all
   * others have been tried. Default 429, 503.
   */
  readonly afterStatusCodes?: readonly number[] | undefined;
  /** The longest Retry-After that is waited for; the answer that asks for more comes back at once. Default 1,000. */
  readonly maxRetryAfterMs?: number | undefined;
  /** Whether an idempotent call that timed out on one backend tries another. Default `true`. */
  readonly retryOnTimeout?: boolean | undefined;
  /** Before the n-th retry: `delayMs · 2^(n−1)`, or what the function says of n. Default 25. */
  readonly delayMs?: number | ((retry: number) => number) | undefined;
  /** The longest back-off, jitter included. Default 1,000. */
  readonly backoffLimitMs?: number | undefined;
  /**
   * How the back-off varies. `full` (default): uniform from 0 to it. `decorrelated`: uniform from `delayMs` to three times
   * the last one. `false`: not at all. Or what the function makes of it.
   */
  readonly jitter?: "full" | "decorrelated" | false | ((delayMs: number) => number) | undefined;
  /**
   * Whom a rate limit (429) speaks for. `upstream` (default): the whole service, so that another backend is not asked.
   * `backend`: only for the one that said so; an idempotent call goes elsewhere.
   */
  readonly rateLimitScope?: "upstream" | "backend" | undefined;
  /**
   * Asked after each attempt that was no success. `true`: repeat, even a call that is not idempotent; `false`: don't;
   * `undefined`: as usual. Limit, budgets and deadline hold all the same.
   */
  readonly shouldRetry?: ((attempt: FailedAttempt) => boolean | undefined) | undefined;
}

/** The same, complete. */
export interface RetrySettings {
  readonly limit: number;
  readonly statusCodes: ReadonlySet<number>;
  readonly afterStatusCodes: ReadonlySet<number>;
  readonly maxRetryAfterMs: number;
  readonly retryOnTimeout: boolean;
  readonly delayMs: number | ((retry: number) => number);
  readonly backoffLimitMs: number;
  readonly jitter: "full" | "decorrelated" | false | ((delayMs: number) => number);
  readonly rateLimitScope: "upstream" | "backend";
  readonly shouldRetry: ((attempt: FailedAttempt) => boolean | undefined) | undefined;
}

/** RFC 9110 §15.5.9, §15.5.20, §15.6.3–5 and RFC 8470 §5.2: statuses that say another try may do better. */
const RETRIED_STATUSES = [408, 421, 425, 502, 503, 504];
/** RFC 6585 §4 and RFC 9110 §15.6.4: statuses that may say when to come again, of the service and not of the request. */
const RETRY_AFTER_STATUSES = [429, 503];

export const DEFAULT_RETRY: RetrySettings = {
  limit: 2,
  statusCodes: new Set(RETRIED_STATUSES),
  afterStatusCodes: new Set(RETRY_AFTER_STATUSES),
  // The least that the header can say: callers of most services would rather have the answer than wait for longer.
  maxRetryAfterMs: 1_000,
  retryOnTimeout: true,
  delayMs: 25,
  backoffLimitMs: 1_000,
  jitter: "full",
  rateLimitScope: "upstream",
  shouldRetry: undefined,
};

const NOTHING_SAID: RetryOptions = {};
const KEYS = Object.keys(DEFAULT_RETRY);

/** For the options of one call. */
export function checkRetry(check: OptionCheck, value: unknown): void {
  resolveRetry(check, value, DEFAULT_RETRY);
}

export function resolveRetry(
  check: OptionCheck,
  value: unknown,
  base: RetrySettings | undefined,
): RetrySettings | undefined {
  return group(check, "retry", value, base, KEYS, (input) => {
    const given = fillIn(check, "retry", input, NOTHING_SAID, {
      limit: expected.integer({ min: 0, max: 100 }),
      statusCodes,
      afterStatusCodes: statusCodes,
      maxRetryAfterMs: expected.number({ min: 0 }),
      retryOnTimeout: expected.boolean,
      delayMs: delay,
      backoffLimitMs: expected.number({ min: 0 }),
      jitter,
      rateLimitScope: expected.oneOf(["upstream", "backend"]),
      shouldRetry: expected.func as Expected<RetryOptions["shouldRetry"]>,
    });
    return withDefaults(base ?? DEFAULT_RETRY, given);
  });
}

/** A call's own words on retries over the balancer's; a call's values are used as they are. */
export function mergeRetry(base: RetrySettings | undefined, own: false | RetryOptions): RetrySettings | undefined {
  return own === false ? undefined : withDefaults(base ?? DEFAULT_RETRY, own);
}

function withDefaults(from: RetrySettings, own: RetryOptions): RetrySettings {
  const settings: Record<string, unknown> = { ...from };
  for (const [key, value] of Object.entries(own)) {
    // What is in a list is looked up for each answer that is no success.
    if (value !== undefined) settings[key] = Array.isArray(value) ? new Set(value) : value;
  }
  return settings as unknown as RetrySettings;
}

const statusCodes = {
  description: "a list of status codes, 400 to 599",
  accepts: (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 400 && item <= 599),
};

const delay = {
  description: "milliseconds ≥ 0, or a function of the number of the retry",
  accepts: (value: unknown): value is RetrySettings["delayMs"] =>
    typeof value === "function" || expected.number({ min: 0 }).accepts(value),
};

const jitter = {
  description: '"full", "decorrelated", false or a function of the delay',
  accepts: (value: unknown): value is RetrySettings["jitter"] =>
    typeof value === "function" || value === "full" || value === "decorrelated" || value === false,
};
