import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenBuckets } from "./token-buckets.ts";

/** The times at which tokens were taken, of calls that come after these waits. */
function taken(buckets: TokenBuckets, waits: readonly number[]): number[] {
  let nowMs = 0;
  return waits.flatMap((waitMs) => {
    nowMs += waitMs;
    return buckets.take("key", nowMs) === 0 ? [nowMs] : [];
  });
}

describe("a token bucket", () => {
  it("never gives more than burst + rate × time, in any span of time", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 2_000, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { minLength: 1, maxLength: 300 }),
        (perSecond, burst, waits) => {
          const times = taken(new TokenBuckets(perSecond, burst, 10), waits);
          for (let from = 0; from < times.length; from++)
            for (let to = from; to < times.length; to++) {
              const spanMs = (times[to] ?? 0) - (times[from] ?? 0);
              expect(to - from + 1).toBeLessThanOrEqual(burst + (spanMs * perSecond) / 1_000 + 1e-6);
            }
        },
      ),
      { seed: 23, numRuns: 100 },
    );
  });

  it("gives all of it to those who come often enough", () => {
    const buckets = new TokenBuckets(10, 5, 10);
    // 20 calls a second for 10 s: the burst, and one each 100 ms.
    expect(
      taken(
        buckets,
        Array.from({ length: 200 }, () => 50),
      ).length,
    ).toBe(5 + 99);
  });

  it("says exactly when the next token will be there", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 500, noNaN: true }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 50 }),
        (perSecond, burst, waits) => {
          const buckets = new TokenBuckets(perSecond, burst, 10);
          taken(buckets, waits);
          const nowMs = waits.reduce((sum, waitMs) => sum + waitMs, 0);
          let waitMs = buckets.take("key", nowMs);
          for (let tries = 0; waitMs === 0 && tries < 10; tries++) waitMs = buckets.take("key", nowMs);
          expect(buckets.take("key", nowMs + waitMs * 0.99 - 1e-3)).toBeGreaterThan(0);
          expect(buckets.take("key", nowMs + waitMs)).toBe(0);
        },
      ),
      { seed: 5, numRuns: 200 },
    );
  });

  it("takes a token back", () => {
    const buckets = new TokenBuckets(1, 1, 10);
    expect(buckets.take("key", 0)).toBe(0);
    expect(buckets.take("key", 0)).toBeCloseTo(1_000);
    buckets.giveBack("key");
    expect(buckets.take("key", 0)).toBe(0);
    buckets.giveBack("unknown");
    expect(buckets.size).toBe(1);
  });
});

describe("buckets of many keys", () => {
  it("are independent of each other", () => {
    const buckets = new TokenBuckets(1, 1, 10);
    expect([buckets.take("a", 0), buckets.take("b", 0)]).toEqual([0, 0]);
    expect(buckets.take("a", 0)).toBeGreaterThan(0);
  });

  it("are never more than maxKeys: those used least recently are forgotten", () => {
    const buckets = new TokenBuckets(0.001, 1, 3);
    for (const key of ["a", "b", "c"]) buckets.take(key, 0);
    expect(buckets.take("a", 1)).toBeGreaterThan(0);
    buckets.take("d", 2);
    expect(buckets.size).toBe(3);
    expect(buckets.take("a", 3)).toBeGreaterThan(0);
    expect(buckets.take("b", 3)).toBe(0);
  });

  it("stay bounded under a million keys", () => {
    const buckets = new TokenBuckets(10, 1, 1_000);
    for (let index = 0; index < 1_000_000; index++) buckets.take(`key ${index}`, index);
    expect(buckets.size).toBe(1_000);
  });
});
