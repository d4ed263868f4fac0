import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fakeView } from "../../../test/fakes.ts";
import type { Backend } from "../../backend.ts";
import type { BackendStatistics, Detector } from "./detector.ts";
import { failurePercentage } from "./failure-percentage.ts";
import { latencyOutliers } from "./latency-outliers.ts";
import { DEFAULT_DETECTION } from "./outlier-settings.ts";
import { successRate } from "./success-rate.ts";

const SPLIT = { ...DEFAULT_DETECTION, splitLocalOriginErrors: true };
const NONE = { count: 0, meanMs: 0, typicalMs: 0 };

/** Backends b0, b1, … that did as told. */
function statistics(
  ...done: readonly { ok?: number; failed?: number; local?: number; ms?: number; zone?: string; priority?: number }[]
): BackendStatistics[] {
  const { backends } = fakeView(done.map(() => 1));
  return done.map(({ ok = 0, failed = 0, local = 0, ms, zone, priority = 0 }, index) => {
    const latency = ms === undefined ? NONE : { count: ok, meanMs: ms, typicalMs: ms };
    const backend = Object.create(backends[index] as Backend, { zone: { value: zone }, priority: { value: priority } });
    return {
      backend,
      successes: ok,
      failures: failed,
      localOriginFailures: local,
      latency: { request: latency, connection: NONE },
    };
  });
}

/** Success rates in percent of 100 attempts each. */
const rates = (...percents: readonly number[]): BackendStatistics[] =>
  statistics(...percents.map((ok) => ({ ok, failed: 100 - ok })));

/** Typical latencies of 100 successes each. */
const took = (...times: readonly number[]): BackendStatistics[] => statistics(...times.map((ms) => ({ ok: 100, ms })));

/** Of one zone and priority. */
const place = (zone: string, ms: number, priority = 0) => ({ ok: 100, ms, zone, priority });

const judge = (detector: Detector, given: readonly BackendStatistics[], settings = DEFAULT_DETECTION): string[] =>
  detector.judge(given, settings).map(({ backend }) => backend.id);

describe("the success rate", () => {
  it("of 50, 100, 100, 100, 100 % makes 52 % the least that is good enough: Envoy's worked example", () => {
    const outliers = successRate().judge(rates(50, 100, 100, 100, 100), DEFAULT_DETECTION);
    expect(outliers.map(({ backend, reason }) => `${backend.id}: ${reason}`)).toEqual([
      "b0: success rate 50 % < 52 % (mean 90 %, σ 20 %)",
    ]);
  });

  it("uses the deviation of the population: that of a sample would be 22.4, its least 47.5, and nobody an outlier", () => {
    expect(judge(successRate(), rates(50, 100, 100, 100, 100))).toEqual(["b0"]);
  });

  it("that is just the least is good enough", () => {
    // Mean 95, σ 5 · √1: with a factor of 1, 90 is just the least.
    expect(judge(successRate({ stdevFactor: 1, minBackends: 2 }), rates(90, 100))).toEqual([]);
    expect(judge(successRate({ stdevFactor: 0.99, minBackends: 2 }), rates(90, 100))).toEqual(["b0"]);
  });

  it("needs five backends", () => {
    expect(judge(successRate({ stdevFactor: 1 }), rates(0, 100, 100, 100))).toEqual([]);
    expect(judge(successRate({ stdevFactor: 1 }), rates(0, 100, 100, 100, 100))).toEqual(["b0"]);
  });

  it("of backends with little volume counts neither for them nor for the others (ServiceTalk #3551)", () => {
    const few = { ok: 0, failed: 99 };
    const five = rates(50, 100, 100, 100, 100);
    expect(judge(successRate(), [...five, ...statistics(few, few, few)])).toEqual(["b0"]);
    // Not for the number of backends either.
    expect(judge(successRate({ stdevFactor: 1 }), [...five.slice(0, 4), ...statistics(few, few)])).toEqual([]);
  });

  it("names the worst first, so that a limit hits the right ones", () => {
    const given = rates(90, 0, 40, 100, 100, 100, 100, 100, 100, 100);
    expect(judge(successRate({ stdevFactor: 0.5 }), given)).toEqual(["b1", "b2"]);
  });

  it("never differs from itself: equal rates make no outlier, whatever their fractions are off", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 50 }),
        fc.integer({ min: 0, max: 1_000 }),
        fc.integer({ min: 0, max: 1_000 }),
        fc.double({ min: 0, max: 3, noNaN: true }),
        (count, ok, failed, stdevFactor) => {
          fc.pre(ok + failed > 0);
          const given = statistics(...Array.from({ length: count }, () => ({ ok, failed })));
          const detector = successRate({ minBackends: 2, requestVolume: 1, stdevFactor });
          expect(judge(detector, given)).toEqual([]);
        },
      ),
    );
  });

  it("is judged as a naive computation would", () => {
    const attempts = fc.record({ ok: fc.integer({ min: 0, max: 300 }), failed: fc.integer({ min: 0, max: 300 }) });
    fc.assert(
      fc.property(
        fc.array(attempts, { maxLength: 20 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 200 }),
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        (done, minBackends, requestVolume, stdevFactor) => {
          const judged = done
            .map(({ ok, failed }, index) => ({ id: `b${index}`, total: ok + failed, rate: (100 * ok) / (ok + failed) }))
            .filter(({ total }) => total >= requestVolume);
          const mean = judged.reduce((sum, { rate }) => sum + rate, 0) / judged.length;
          const stdev = Math.sqrt(judged.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / judged.length);
          const least = mean - stdevFactor * stdev;
          // What is too near to call is left to the other tests.
          fc.pre(judged.every(({ rate }) => Math.abs(rate - least) > 1e-6));
          const expected = judged.length < minBackends ? [] : judged.filter(({ rate }) => rate < least);
          const got = judge(successRate({ minBackends, requestVolume, stdevFactor }), statistics(...done));
          expect(got.sort()).toEqual(expected.map(({ id }) => id).sort());
        },
      ),
    );
  });
});

describe("the failure percentage", () => {
  const just85 = rates(15, 100, 100, 100, 100);

  it("that is just the threshold is too much for Envoy, not for gRPC", () => {
    expect(judge(failurePercentage(), just85)).toEqual(["b0"]);
    expect(judge(failurePercentage({ equality: ">=" }), just85)).toEqual(["b0"]);
    expect(judge(failurePercentage({ equality: ">" }), just85)).toEqual([]);
    expect(judge(failurePercentage({ equality: ">" }), rates(14, 100, 100, 100, 100))).toEqual(["b0"]);
    expect(judge(failurePercentage(), rates(16, 100, 100, 100, 100))).toEqual([]);
  });

  it("that is a whole number compares as one", () => {
    for (let threshold = 1; threshold <= 99; threshold++) {
      const given = rates(100 - threshold, 100, 100, 100, 100);
      expect(judge(failurePercentage({ threshold }), given)).toEqual(["b0"]);
      expect(judge(failurePercentage({ threshold, equality: ">" }), given)).toEqual([]);
    }
  });

  it("is judged whatever the others do", () => {
    expect(judge(failurePercentage({ threshold: 50 }), rates(10, 20, 0, 10, 5))).toEqual([
      "b2",
      "b4",
      "b0",
      "b3",
      "b1",
    ]);
  });

  it("says its numbers", () => {
    const [outlier] = failurePercentage().judge(rates(10, 100, 100, 100, 100), DEFAULT_DETECTION);
    expect(outlier?.reason).toBe("90 % of attempts failed ≥ 85 % (90 of 100)");
    const [other] = failurePercentage({ equality: ">" }).judge(rates(10, 100, 100, 100, 100), DEFAULT_DETECTION);
    expect(other?.reason).toBe("90 % of attempts failed > 85 % (90 of 100)");
  });

  it("of backends with little volume is not judged (ServiceTalk #3551), nor do they make up the number", () => {
    const good = { ok: 100 };
    expect(judge(failurePercentage(), statistics({ failed: 49 }, good, good, good, good, good))).toEqual([]);
    expect(judge(failurePercentage(), statistics({ failed: 50 }, good, good, good, good))).toEqual(["b0"]);
    expect(judge(failurePercentage(), statistics({ failed: 50 }, good, good, good, { ok: 49 }))).toEqual([]);
  });
});

describe("the origin of failures", () => {
  // b0 can't be reached, b1 answers with errors.
  const given = statistics(
    { ok: 10, failed: 90, local: 90 },
    { ok: 10, failed: 90 },
    ...rates(100, 100, 100).map(() => ({ ok: 100 })),
  );

  it("all: both count", () => {
    expect(judge(failurePercentage(), given).sort()).toEqual(["b0", "b1"]);
    expect(judge(failurePercentage({ origin: "all" }), given, SPLIT).sort()).toEqual(["b0", "b1"]);
  });

  it("backend: what was never answered is as if it had not been tried; so by default where they are split", () => {
    const volume = { requestVolume: 10 };
    expect(judge(failurePercentage({ origin: "backend", ...volume }), given)).toEqual(["b1"]);
    expect(judge(failurePercentage(volume), given, SPLIT)).toEqual(["b1"]);
    // Ten answers are too few to be judged by.
    expect(judge(failurePercentage({ requestVolume: 50, minBackends: 5 }), given, SPLIT)).toEqual([]);
  });

  it("local: any answer is a success", () => {
    expect(judge(failurePercentage({ origin: "local" }), given)).toEqual(["b0"]);
    expect(judge(successRate({ origin: "local" }), given)).toEqual(["b0"]);
  });

  it("shows in the name", () => {
    expect(successRate().name).toBe("successRate");
    expect(successRate({ origin: "local" }).name).toBe("localOriginSuccessRate");
    expect(failurePercentage({ origin: "backend" }).name).toBe("failurePercentage");
    expect(failurePercentage({ origin: "local" }).name).toBe("localOriginFailurePercentage");
  });
});

describe("latency outliers", () => {
  it("are those beyond three times the median, worst first", () => {
    const outliers = latencyOutliers().judge(took(100, 90, 301, 900, 100, 110, 100), DEFAULT_DETECTION);
    expect(outliers.map(({ backend, reason }) => `${backend.id}: ${reason}`)).toEqual([
      "b3: typical latency 900 ms > 300 ms (median 100 ms of 7)",
      "b2: typical latency 301 ms > 300 ms (median 100 ms of 7)",
    ]);
    expect(judge(latencyOutliers(), took(100, 90, 300, 100, 110, 100))).toEqual([]);
  });

  it("are nobody where all are slow alike, however slow", () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 40 }), fc.double({ min: 0.1, max: 60_000, noNaN: true }), (count, ms) => {
        const spread = Array.from({ length: count }, (_, index) => ms * (1 + (index % 3)));
        expect(judge(latencyOutliers({ floorMs: 0 }), took(...spread))).toEqual([]);
      }),
    );
  });

  it("are always fewer than half of those compared", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 10_000, noNaN: true }), { minLength: 3, maxLength: 30 }),
        (times) => {
          const outliers = judge(latencyOutliers({ floorMs: 0, factor: 1.01, minBackends: 3 }), took(...times));
          expect(outliers.length).toBeLessThan(times.length / 2);
        },
      ),
    );
  });

  it("are nobody below the floor: four times nothing is nothing", () => {
    expect(judge(latencyOutliers(), took(1, 1, 1, 1, 49))).toEqual([]);
    expect(judge(latencyOutliers(), took(1, 1, 1, 1, 51))).toEqual(["b4"]);
    expect(judge(latencyOutliers({ floorMs: 0 }), took(1, 1, 1, 1, 4))).toEqual(["b4"]);
  });

  it("are looked for within a priority and zone: the way there is nobody's fault", () => {
    const near = Array.from({ length: 6 }, () => place("near", 2));
    const far = Array.from({ length: 5 }, () => place("far", 80));
    expect(judge(latencyOutliers(), statistics(...near, ...far))).toEqual([]);
    expect(judge(latencyOutliers(), statistics(...near, ...far, place("far", 300)))).toEqual(["b11"]);
    expect(judge(latencyOutliers(), statistics(...near, place("near", 300, 1)))).toEqual([]);
  });

  it("need five backends with enough volume each", () => {
    const slow = { ok: 100, ms: 1_000 };
    const fast = { ok: 100, ms: 10 };
    expect(judge(latencyOutliers(), statistics(slow, fast, fast, fast))).toEqual([]);
    expect(judge(latencyOutliers(), statistics(slow, fast, fast, fast, { ok: 99, ms: 10 }))).toEqual([]);
    expect(judge(latencyOutliers(), statistics({ ok: 99, ms: 1_000 }, fast, fast, fast, fast, fast))).toEqual([]);
    expect(judge(latencyOutliers(), statistics(slow, fast, fast, fast, fast))).toEqual(["b0"]);
  });
});
