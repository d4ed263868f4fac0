import type { Random } from "../random.ts";
import type { Report } from "./outcome.ts";
import type { RetrySettings } from "./retry-settings.ts";

/** Which allowance a repeat draws on; `undefined`: no repeat. */
export type RepeatKind = "retry" | "requeue" | undefined;

const TOO_MANY_REQUESTS = 429;

/**
 * Whether, and as what, an attempt with this verdict is repeated.
 *
 * What was never sent may always be. Else the call must be idempotent, and either have a status that says another try may
 * do better, or have failed without one. A rate limit is nobody's failure: by default it speaks for the whole service, and
 * the call is only repeated if the wait that it asks for is short.
 */
export function repeatKind(report: Report, idempotent: boolean, timedOut: boolean, retry: RetrySettings): RepeatKind {
  if (report.outcome === "unreached") return "requeue";
  if (!idempotent || (timedOut && !retry.retryOnTimeout)) return undefined;
  if (report.status === TOO_MANY_REQUESTS)
    return retry.rateLimitScope === "backend" || retryAfterMs(report, retry) !== undefined ? "retry" : undefined;
  if (report.status !== undefined) return retry.statusCodes.has(report.status) ? "retry" : undefined;
  return report.outcome === "failure" || report.outcome === "overload" ? "retry" : undefined;
}

/** Whether nobody else is asked meanwhile: the service as a whole limits its rate. */
export function limitsUpstream({ status }: Report, { rateLimitScope }: RetrySettings): boolean {
  return status === TOO_MANY_REQUESTS && rateLimitScope === "upstream";
}

/** The Retry-After of an answer, milliseconds, if it is one to wait for. */
export function retryAfterMs(report: Report, retry: RetrySettings): number | undefined {
  const { status, retryAfterMs: askedMs } = report;
  if (status === undefined || askedMs === undefined || !retry.afterStatusCodes.has(status)) return undefined;
  return askedMs > 0 && askedMs <= retry.maxRetryAfterMs ? askedMs : undefined;
}

/**
 * A wait for what a Retry-After asks, spread so that those who were told the same don't come together: uniform from it to
 * half as much again.
 *
 * Source: Envoy `backoff_strategy.cc` (`JitteredLowerBoundBackOffStrategy`).
 */
export function spreadMs(askedMs: number, random: Random): number {
  return askedMs * (1 + random.next() / 2);
}

/**
 * The wait before the n-th retry, in [0, `backoffLimitMs`]; `previousMs` is the one before the last retry.
 *
 * Source: Envoy `backoff_strategy.cc` (full jitter); AWS Architecture Blog, "Exponential Backoff and Jitter" (2015): full
 * `random(0, min(cap, base · 2^n))`, decorrelated `min(cap, random(base, 3 · previous))`.
 */
export function backoffMs(retry: number, settings: RetrySettings, previousMs: number, random: Random): number {
  const { delayMs, backoffLimitMs, jitter } = settings;
  const grown = (n: number): number => (typeof delayMs === "function" ? delayMs(n) : delayMs * 2 ** (n - 1));
  const waitMs = (): number => {
    if (jitter === "decorrelated") return between(grown(1), 3 * Math.max(previousMs, grown(1)), random);
    const wantedMs = Math.min(grown(retry), backoffLimitMs);
    if (typeof jitter === "function") return jitter(wantedMs);
    return jitter === "full" ? random.next() * wantedMs : wantedMs;
  };
  const ms = waitMs();
  // Also where a function of the user answers nonsense.
  return ms > 0 ? Math.min(ms, backoffLimitMs) : 0;
}

function between(fromMs: number, toMs: number, random: Random): number {
  return fromMs + random.next() * (toMs - fromMs);
}
