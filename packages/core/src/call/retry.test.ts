import { describe, expect, it } from "vitest";
import { scripted } from "../../test/fakes.ts";
import { createRandom } from "../random.ts";
import type { Report } from "./outcome.ts";
import { backoffMs, mergeRetry, repeatKind } from "./retry.ts";
import { DEFAULT_RETRY } from "./retry-settings.ts";

const kind = (report: Report, idempotent: boolean, timedOut = false, retry = DEFAULT_RETRY) =>
  repeatKind(report, idempotent, timedOut, retry);

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
  const settings = { ...DEFAULT_RETRY, backoffBaseMs: 25, backoffLimitMs: 100 };

  it("is uniform over [0, base · 2^(n−1)], up to the limit", () => {
    const largest = [1, 2, 3, 4, 10].map((retry) => backoffMs(retry, settings, scripted(1)));
    expect(largest).toEqual([25, 50, 100, 100, 100]);
    expect(backoffMs(3, settings, scripted(0))).toBe(0);
    const random = createRandom(1);
    const mean = Array.from({ length: 10_000 }, () => backoffMs(2, settings, random)).reduce((a, b) => a + b) / 10_000;
    expect(mean).toBeCloseTo(25, 0);
  });

  it("is none with a base of 0", () => {
    expect(backoffMs(5, { ...settings, backoffBaseMs: 0 }, scripted(0.9))).toBe(0);
  });

  it("is finite after any number of retries", () => {
    expect(backoffMs(5_000, settings, scripted(0.5))).toBe(50);
  });
});

describe("a call's own words on retries", () => {
  it("switch them off", () => {
    expect(mergeRetry(DEFAULT_RETRY, false, DEFAULT_RETRY)).toBeUndefined();
  });

  it("overrule the balancer's one by one, zeros included", () => {
    const base = { ...DEFAULT_RETRY, limit: 5, backoffBaseMs: 7 };
    expect(mergeRetry(base, { limit: 0, statusCodes: [500], retryOnTimeout: false }, DEFAULT_RETRY)).toEqual({
      ...base,
      limit: 0,
      statusCodes: new Set([500]),
      retryOnTimeout: false,
    });
  });

  it("rest on the defaults where the balancer has none", () => {
    expect(mergeRetry(undefined, { limit: 1 }, DEFAULT_RETRY)).toEqual({ ...DEFAULT_RETRY, limit: 1 });
  });
});
