import { describe, expect, it } from "vitest";
import { createBalancer } from "../../balancer.ts";
import { FairleadError } from "../../errors.ts";
import { virtualClock } from "../../testing/index.ts";
import type { OutlierDetection } from "./detection.ts";
import type { Detector } from "./detector.ts";
import { failurePercentage } from "./failure-percentage.ts";
import { latencyOutliers } from "./latency-outliers.ts";
import { outlierDetection } from "./outlier-detection.ts";
import { DEFAULT_DETECTION, type OutlierDetectionOptions } from "./outlier-settings.ts";
import { successRate } from "./success-rate.ts";

const nobody: Detector = { name: "nobody", judge: () => [] };

function pathsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof FairleadError && error.code === "FAIRLEAD_ERR_CONFIG")
      return error.problems.map(({ path }) => path);
    throw error;
  }
  return [];
}

function settingsOf(options: OutlierDetectionOptions) {
  const { detection } = outlierDetection(options);
  return (detection as OutlierDetection).settings;
}

function balancerWith(options: OutlierDetectionOptions) {
  return createBalancer({
    name: "orders",
    backends: ["http://10.0.0.1:8080"],
    clock: virtualClock(),
    ejection: outlierDetection(options),
  });
}

describe("options of outlier detection", () => {
  it("may all be left out", () => {
    expect(settingsOf({})).toEqual(DEFAULT_DETECTION);
  });

  it("stand beside those of ejection, which go where they belong", () => {
    const { settings } = balancerWith({
      baseMs: 60_000,
      growth: "fixed",
      jitter: 0,
      dryRun: true,
      detectors: [nobody],
    });
    expect(settings.ejection).toMatchObject({
      consecutiveFailures: 5,
      baseMs: 60_000,
      growth: "fixed",
      jitter: 0,
      detection: { settings: { ...DEFAULT_DETECTION, dryRun: true, detectors: [nobody] } },
    });
  });

  it.each<[string, object, string]>([
    ["an unknown one", { dryRum: true }, "dryRum"],
    ["no gateway failure", { consecutiveGatewayFailures: 0 }, "consecutiveGatewayFailures"],
    ["half a local one", { consecutiveLocalOriginFailures: 0.5 }, "consecutiveLocalOriginFailures"],
    ["a split that is text", { splitLocalOriginErrors: "yes" }, "splitLocalOriginErrors"],
    ["101 percent", { maxEjectionPercent: 101 }, "maxEjectionPercent"],
    ["an unknown reading", { maxEjectionReading: "nginx" }, "maxEjectionReading"],
    ["always one of them", { alwaysEjectOne: 1 }, "alwaysEjectOne"],
    ["a dry run of null", { dryRun: null }, "dryRun"],
    ["an unknown chance", { enforcing: { successRate: 50 } }, "enforcing.successRate"],
    ["a chance below 0", { enforcing: { consecutiveFailures: -1 } }, "enforcing.consecutiveFailures"],
    ["chances that are a number", { enforcing: 50 }, "enforcing"],
    ["a detector that is no list", { detectors: successRate() }, "detectors"],
    ["a detector that was not called", { detectors: [successRate] }, "detectors[0]"],
    ["a detector that is null", { detectors: [null] }, "detectors[0]"],
    ["a detector without a name", { detectors: [{ judge: () => [] }] }, "detectors[0].name"],
    ["a detector with a kind's name", { detectors: [{ ...nobody, name: "failedTest" }] }, "detectors[0].name"],
    ["the same detector twice", { detectors: [nobody, successRate(), nobody] }, "detectors[2].name"],
    ["a detector's chance", { detectors: [{ ...nobody, enforcingPercent: 200 }] }, "detectors[0].enforcingPercent"],
  ])("%s: one problem, at its path", (_, options, path) => {
    expect(pathsOf(() => outlierDetection(options))).toEqual([path]);
  });

  it("that are ejection's own are checked by the balancer", () => {
    expect(pathsOf(() => balancerWith({ baseMs: -1, growth: "square" as never }))).toEqual([
      "ejection.baseMs",
      "ejection.growth",
    ]);
    expect(
      pathsOf(() => createBalancer({ name: "orders", backends: ["http://a"], ejection: { detection: {} as never } })),
    ).toEqual(["ejection.detection"]);
  });

  it("see to it that failures of local origin are not lost when they are split off", () => {
    expect(settingsOf({ splitLocalOriginErrors: true }).consecutiveLocalOriginFailures).toBe(5);
    expect(
      settingsOf({ splitLocalOriginErrors: true, consecutiveLocalOriginFailures: 3 }).consecutiveLocalOriginFailures,
    ).toBe(3);
    expect(
      settingsOf({ splitLocalOriginErrors: true, consecutiveLocalOriginFailures: false })
        .consecutiveLocalOriginFailures,
    ).toBe(false);
  });

  it("that are changed at run time leave the others as they were", () => {
    const balancer = balancerWith({ dryRun: true, maxEjectionPercent: 30, enforcing: { consecutiveFailures: 10 } });
    balancer.configure({ ejection: outlierDetection({ dryRun: false, baseMs: 1_000 }) });
    balancer.configure({ ejection: outlierDetection({ enforcing: { consecutiveGatewayFailures: 20 } }) });
    balancer.configure({ ejection: { jitter: 0 } });
    expect(balancer.settings.ejection).toMatchObject({ baseMs: 1_000, jitter: 0 });
    expect(balancer.settings.ejection?.detection?.settings).toEqual({
      ...DEFAULT_DETECTION,
      maxEjectionPercent: 30,
      enforcing: { consecutiveFailures: 10, consecutiveGatewayFailures: 20, consecutiveLocalOriginFailures: 100 },
    });
    balancer.configure({ ejection: { detection: false } });
    expect(balancer.settings.ejection?.detection).toBeUndefined();
    expect(balancer.settings.ejection?.baseMs).toBe(1_000);
  });

  it("that are wrong change nothing", () => {
    const balancer = balancerWith({ dryRun: true });
    const before = balancer.settings;
    expect(pathsOf(() => balancer.configure({ ejection: outlierDetection({ maxMs: 1 }) }))).toEqual(["ejection.maxMs"]);
    expect(balancer.settings).toEqual(before);
  });
});

describe("options of detectors", () => {
  it.each<[string, () => unknown, string]>([
    ["a share of attempts", () => successRate({ requestVolume: 0.5 }), "requestVolume"],
    ["no backend", () => successRate({ minBackends: 0 }), "minBackends"],
    ["a negative factor", () => successRate({ stdevFactor: -1 }), "stdevFactor"],
    ["Envoy's thousandths are read as they stand", () => successRate({ stdevFactor: Number.NaN }), "stdevFactor"],
    ["a chance of 101", () => successRate({ enforcingPercent: 101 }), "enforcingPercent"],
    ["an unknown origin", () => successRate({ origin: "external" as never }), "origin"],
    ["another system's name", () => successRate({ minimumHosts: 5 } as never), "minimumHosts"],
    ["a threshold of 101", () => failurePercentage({ threshold: 101 }), "threshold"],
    ["an unknown comparison", () => failurePercentage({ equality: "=" as never }), "equality"],
    ["a factor that everybody is beyond", () => latencyOutliers({ factor: 1 }), "factor"],
    ["a negative floor", () => latencyOutliers({ floorMs: -1 }), "floorMs"],
    ["two backends", () => latencyOutliers({ minBackends: 2 }), "minBackends"],
    ["an unknown kind", () => latencyOutliers({ kind: "socket" as never }), "kind"],
  ])("%s: one problem, at its path", (_, run, path) => {
    expect(pathsOf(run)).toEqual([path]);
  });
});
