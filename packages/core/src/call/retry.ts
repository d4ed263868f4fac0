import type { Random } from "../random.ts";
import type { Report } from "./outcome.ts";
import type { RetryOptions, RetrySettings } from "./retry-settings.ts";

/** Which allowance a repeat draws on; `undefined`: no repeat. */
export type RepeatKind = "retry" | "requeue" | undefined;

const TOO_MANY_REQUESTS = 429;

/**
 * Whether, and as what, an attempt with this verdict is repeated.
 *
 * What was never sent may always be. Else the call must be idempotent, and either have a status that says another try may
 * do better, or have failed without one. A rate limit is nobody's failure: by default it speaks for the whole service.
 */
export function repeatKind(report: Report, idempotent: boolean, timedOut: boolean, retry: RetrySettings): RepeatKind {
  if (report.outcome === "unreached") return "requeue";
  if (!idempotent || (timedOut && !retry.retryOnTimeout)) return undefined;
  if (report.status === TOO_MANY_REQUESTS) return retry.rateLimitScope === "backend" ? "retry" : undefined;
  if (report.status !== undefined) return retry.statusCodes.has(report.status) ? "retry" : undefined;
  return report.outcome === "failure" || report.outcome === "overload" ? "retry" : undefined;
}

/**
 * Full jitter: uniform over [0, base · 2^(n−1)], capped, before the n-th retry.
 *
 * Source: Envoy `backoff_strategy.cc`; AWS Architecture Blog, "Exponential Backoff and Jitter" (2015).
 */
export function backoffMs(retry: number, { backoffBaseMs, backoffLimitMs }: RetrySettings, random: Random): number {
  return random.next() * Math.min(backoffLimitMs, backoffBaseMs * 2 ** (retry - 1));
}

/** A call's own words on retries over the balancer's; a call's values are used as they are. */
export function mergeRetry(
  base: RetrySettings | undefined,
  own: false | RetryOptions,
  fallback: RetrySettings,
): RetrySettings | undefined {
  if (own === false) return undefined;
  const from = base ?? fallback;
  return {
    limit: own.limit ?? from.limit,
    statusCodes: own.statusCodes === undefined ? from.statusCodes : new Set(own.statusCodes),
    retryOnTimeout: own.retryOnTimeout ?? from.retryOnTimeout,
    backoffBaseMs: own.backoffBaseMs ?? from.backoffBaseMs,
    backoffLimitMs: own.backoffLimitMs ?? from.backoffLimitMs,
    rateLimitScope: own.rateLimitScope ?? from.rateLimitScope,
  };
}
