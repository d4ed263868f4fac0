import { describe, expect, test } from "vitest";
import { circuitBreaker, createBreaker } from "../src/index.ts";
import { settingsOf } from "./support.ts";

describe("the rules", () => {
  test("have safe defaults", () => {
    expect(settingsOf({})).toEqual({
      errorThresholdPercentage: 50,
      volumeThreshold: 10,
      resetTimeout: 30_000,
      rollingCountTimeout: 10_000,
      rollingCountBuckets: 10,
      windowCalls: undefined,
      capacity: Number.POSITIVE_INFINITY,
      consecutiveFailures: Number.POSITIVE_INFINITY,
      slowAboveMs: Number.POSITIVE_INFINITY,
      slowPercentage: Number.POSITIVE_INFINITY,
      probes: 1,
      probesNeeded: 1,
      probeTimeoutMs: 30_000,
      growthFactor: 1,
      longestOpenMs: 30_000,
      jitter: 0,
      enabled: true,
      allowWarmUp: false,
    });
    expect(settingsOf({ windowCalls: 4 }).volumeThreshold).toBe(4);
    expect(settingsOf({ consecutiveFailures: 5 }).errorThresholdPercentage).toBe(Number.POSITIVE_INFINITY);
    expect(settingsOf({ consecutiveFailures: 5, errorThresholdPercentage: 0 }).errorThresholdPercentage).toBe(0);
    expect(settingsOf({ growth: {}, resetTimeout: 400_000 })).toMatchObject({
      growthFactor: 2,
      longestOpenMs: 400_000,
      jitter: 0.2,
    });
    expect(settingsOf({ slowCalls: false, growth: false, errorThresholdPercentage: false })).toMatchObject({
      growthFactor: 1,
      errorThresholdPercentage: Number.POSITIVE_INFINITY,
    });
  });

  test("say everything that is wrong at once", () => {
    const wrong = {
      errorThresholdPercentage: 100,
      volumeThreshold: 20,
      resetTimeout: 0,
      rollingCountBuckets: 10,
      windowCalls: 10,
      capacity: 0,
      slowCalls: { percentage: 1 },
      probes: { count: 0, successPercent: 1 },
      growth: { limitMs: 10, jitter: 2 },
      enabled: "no",
      scope: { per: "route" },
      resetTimeOut: 5,
    };
    let message = "";
    try {
      circuitBreaker(wrong as never);
    } catch (error) {
      message = String(error);
    }
    for (const line of [
      "errorThresholdPercentage: got 100, expected a share ≥ 0 and < 100 (it opens above that), or false",
      "volumeThreshold: got 20, expected at most windowCalls (10), or it could never open",
      "rollingCountBuckets: got 10, expected either this or `windowCalls`",
      "resetTimeout: got 0",
      "capacity: got 0",
      "slowCalls.aboveMs",
      "probes.count: got 0",
      "probes.successPercent: got a number, expected no such option; did you mean `successPercentage`?",
      "growth.limitMs: got 10, expected at least resetTimeout (30000)",
      "growth.jitter: got 2",
      'enabled: got "no"',
      "scope.per",
      "scope.key",
      "resetTimeOut: got a number, expected no such option; did you mean `resetTimeout`?",
    ]) {
      expect(message).toContain(line);
    }
    expect(() => circuitBreaker({ scope: "zone" as never })).toThrow(/scope: got "zone"/);
    expect(() => circuitBreaker(null as never)).toThrow(/an object/);
  });

  test("of a function have opossum's names; what a breaker of ours can't promise is refused, not ignored", () => {
    const wrong = {
      abortController: new AbortController(),
      rotateBucketController: {},
      maxFailures: 3,
      timeout: -1,
      cacheTransport: { get: () => undefined },
      coalesceResetOn: ["never"],
    };
    expect(() => createBreaker(async () => 1, wrong as never)).toThrow(/6 problems|7 problems/);
    expect(() => createBreaker("no function" as never)).toThrow(/action/);
  });
});
