import { describe, expect, it } from "vitest";
import { scripted } from "../../test/fakes.ts";
import { createRandom } from "../random.ts";
import type { Report } from "./outcome.ts";
import { backoffMs, repeatKind, retryAfterMs, spreadMs } from "./retry.ts";
import { DEFAULT_RETRY, mergeRetry, type RetrySettings } from "./retry-settings.ts";

const kind = (report: Report, idempotent: boolean, timedOut = false, retry = DEFAULT_RETRY) =>
  repeatKind(report, idempotent, timedOut, retry);

const back = (settings: Partial<RetrySettings>, previousMs: number, draw: number, retry = 1): number =>
  backoffMs(retry, { ...DEFAULT_RETRY, ...settings }, previousMs, scripted(draw));

const asked = (status: number, ms: number | undefined, settings: Partial<RetrySettings> = {}): number | undefined =>
  retryAfterMs({ outcome: "overload", status, retryAfterMs: ms }, { ...DEFAULT_RETRY, ...settings });

describe("what was provably never sent", () => {
  it.each([true, false])("is requeued, idempotent or not: %s", (idempotent) => {
    expect(kind({ outcome: "unreached" }, idempotent)).toBe("requeue");
    expect(kind({ outcome: "unreached" }, idempotent, true, { ...DEFAULT_RETRY, retryOnTimeout: false })).toBe(
      "requeue",
    );
  });
});

describe("a call that is not idempotent", () => {
  it.each<Report>([
    { outcome: "failure" },
    { outcome: "failure", status: 503 },
    { outcome: "overload" },
    { outcome: "overload", status: 429 },
  ])("is not repeated after %j", (report) => {
    expect(kind(report, false, false, { ...DEFAULT_RETRY, rateLimitScope: "backend" })).toBeUndefined();
  });
});

describe("an idempotent call", () => {
  it.each([408, 421, 425, 502, 503, 504])("is repeated after status %d", (status) => {
    expect(kind({ outcome: "failure", status }, true)).toBe("retry");
  });

  it.each([400, 404, 409, 500, 501, 505])("is not after status %d", (status) => {
    expect(kind({ outcome: "failure", status }, true)).toBeUndefined();
  });

  it("is after the statuses it names, and no others", () => {
    const retry = { ...DEFAULT_RETRY, statusCodes: new Set([500]) };
    expect(kind({ outcome: "failure", status: 500 }, true, false, retry)).toBe("retry");
    expect(kind({ outcome: "failure", status: 503 }, true, false, retry)).toBeUndefined();
  });

  it("is after a failure or an overload without a status", () => {
    expect(kind({ outcome: "failure", errorCode: "ECONNRESET" }, true)).toBe("retry");
    expect(kind({ outcome: "overload" }, true)).toBe("retry");
  });

  it.each(["success", "ignored"] as const)("is not after %s", (outcome) => {
    expect(kind({ outcome }, true)).toBeUndefined();
  });

  it("is after a timeout, unless that is switched off", () => {
    expect(kind({ outcome: "failure" }, true, true)).toBe("retry");
    expect(kind({ outcome: "failure" }, true, true, { ...DEFAULT_RETRY, retryOnTimeout: false })).toBeUndefined();
  });

  it("goes elsewhere after a rate limit only if that speaks for one backend", () => {
    const report = { outcome: "overload", status: 429 } as const;
    expect(kind(report, true)).toBeUndefined();
    expect(kind(report, true, false, { ...DEFAULT_RETRY, rateLimitScope: "backend" })).toBe("retry");
    // Naming it does not overrule what it speaks for.
    expect(kind(report, true, false, { ...DEFAULT_RETRY, statusCodes: new Set([429]) })).toBeUndefined();
  });
});

describe("the back-off", () => {
  const settings = { ...DEFAULT_RETRY, delayMs: 25, backoffLimitMs: 100 };

  it("is uniform over [0, base · 2^(n−1)], up to the limit", () => {
    const largest = [1, 2, 3, 4, 10].map((retry) => backoffMs(retry, settings, 0, scripted(1)));
    expect(largest).toEqual([25, 50, 100, 100, 100]);
    expect(backoffMs(3, settings, 0, scripted(0))).toBe(0);
    const random = createRandom(1);
    const mean =
      Array.from({ length: 10_000 }, () => backoffMs(2, settings, 0, random)).reduce((a, b) => a + b) / 10_000;
    expect(mean).toBeCloseTo(25, 0);
  });

  it("is none with a base of 0", () => {
    expect(backoffMs(5, { ...settings, delayMs: 0 }, 0, scripted(0.9))).toBe(0);
  });

  it("is finite after any number of retries", () => {
    expect(backoffMs(5_000, settings, 0, scripted(0.5))).toBe(50);
  });
});

describe("jitter", () => {
  it("can be none: the back-off doubles exactly", () => {
    expect([1, 2, 3].map((retry) => back({ jitter: false }, 0, 0.9, retry))).toEqual([25, 50, 100]);
  });

  it("decorrelated goes from the base to three times the last wait, within the limit", () => {
    expect(back({ jitter: "decorrelated" }, 0, 0)).toBe(25);
    expect(back({ jitter: "decorrelated" }, 0, 1)).toBe(75);
    expect(back({ jitter: "decorrelated" }, 100, 0)).toBe(25);
    expect(back({ jitter: "decorrelated" }, 100, 1)).toBe(300);
    expect(back({ jitter: "decorrelated" }, 900, 1)).toBe(1_000);
  });

  it("can be a function, of a delay that can be one too; nonsense is no wait", () => {
    expect(back({ delayMs: (retry) => retry * 10, jitter: (delayMs) => delayMs + 1 }, 0, 0, 3)).toBe(31);
    expect(back({ jitter: () => Number.NaN }, 0, 0)).toBe(0);
    expect(back({ delayMs: () => -5, jitter: false }, 0, 0)).toBe(0);
    expect(back({ delayMs: () => Number.POSITIVE_INFINITY, jitter: false }, 0, 0)).toBe(1_000);
  });
});

describe("a Retry-After", () => {
  it("is waited for if it is short and of a status that is named", () => {
    expect(asked(429, 1_000)).toBe(1_000);
    expect(asked(503, 1_000)).toBe(1_000);
    expect(asked(429, 1_001)).toBeUndefined();
    expect(asked(429, 5_000, { maxRetryAfterMs: 5_000 })).toBe(5_000);
    expect(asked(502, 10)).toBeUndefined();
    expect(asked(429, 10, { afterStatusCodes: new Set([503]) })).toBeUndefined();
  });

  it.each([undefined, 0, -1, Number.NaN, Number.POSITIVE_INFINITY])("of %s is none", (ms) => {
    expect(asked(429, ms)).toBeUndefined();
  });

  it("that is short makes a rate limit worth another try", () => {
    expect(kind({ outcome: "overload", status: 429, retryAfterMs: 900 }, true)).toBe("retry");
    expect(kind({ outcome: "overload", status: 429, retryAfterMs: 900 }, false)).toBeUndefined();
    expect(kind({ outcome: "overload", status: 429, retryAfterMs: 9_000 }, true)).toBeUndefined();
  });

  it("is spread, never shortened", () => {
    expect(spreadMs(1_000, scripted(0))).toBe(1_000);
    expect(spreadMs(1_000, scripted(1))).toBe(1_500);
  });
});

describe("a call's own words on retries", () => {
  it("switch them off", () => {
    expect(mergeRetry(DEFAULT_RETRY, false)).toBeUndefined();
  });

  it("overrule the balancer's one by one, zeros included", () => {
    const base = { ...DEFAULT_RETRY, limit: 5, delayMs: 7 };
    expect(mergeRetry(base, { limit: 0, statusCodes: [500], retryOnTimeout: false })).toEqual({
      ...base,
      limit: 0,
      statusCodes: new Set([500]),
      retryOnTimeout: false,
    });
  });

  it("rest on the defaults where the balancer has none", () => {
    expect(mergeRetry(undefined, { limit: 1 })).toEqual({ ...DEFAULT_RETRY, limit: 1 });
  });
});
