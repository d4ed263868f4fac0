// Detectors and listeners of users, which may do anything.
import {
  type BackendStatistics,
  type Balancer,
  type Detector,
  failurePercentage,
  outlierDetection,
  successRate,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { attempts, ejected, FAILED, fleet, INTERVAL_MS, OK, reportTo } from "./support/fleet.ts";
import { record, settle } from "./support/world.ts";

const busy = (): { balancer: Balancer; sweep: () => Promise<void>; failures: () => unknown[] } & {
  with: (detector: unknown) => void;
} => {
  const { balancer, clock } = fleet(5, {});
  const failed = record(balancer, "callbackFailed");
  return {
    balancer,
    with: (detector) => balancer.configure({ ejection: outlierDetection({ detectors: [detector as Detector] }) }),
    sweep: async () => {
      attempts(balancer, 50, 50, 50, 50, 50);
      await clock.advance(INTERVAL_MS);
      reportTo(balancer, "a", OK);
      await settle();
    },
    failures: () => failed.map(({ record: { where, error } }) => [where, String(error)]),
  };
};

describe("a detector of a user", () => {
  test("is asked as a method of its own, and ejects by its own rule", async () => {
    const it = busy();
    class Unlucky implements Detector {
      readonly name = "unlucky";
      readonly #letter = "c";
      judge(backends: readonly BackendStatistics[]) {
        return backends
          .filter(({ backend }) => backend.id === this.#letter)
          .map(({ backend }) => ({ backend, reason: "it is c" }));
      }
    }
    it.with(new Unlucky());
    await it.sweep();
    expect(ejected(it.balancer)).toEqual(["c"]);
    expect(it.failures()).toEqual([]);
  });

  test.each<[string, (backends: readonly BackendStatistics[]) => unknown, string]>([
    [
      "throws",
      () => {
        throw new Error("no idea");
      },
      "Error: no idea",
    ],
    ["answers nothing", () => undefined, "TypeError: judge must return a list of outliers, not undefined"],
    ["answers text", () => "a", "TypeError: judge must return a list of outliers, not a"],
    [
      "answers null among others",
      (backends) => [{ backend: backends[0]?.backend, reason: "x" }, null],
      "TypeError: an outlier must be one of the backends that it was asked about",
    ],
    [
      "names a stranger",
      () => [{ backend: { id: "a" }, reason: "x" }],
      "TypeError: an outlier must be one of the backends that it was asked about",
    ],
    [
      "gives no reason",
      (backends) => [{ backend: backends[0]?.backend }],
      "TypeError: an outlier must have a reason, in words",
    ],
  ])("that %s is reported, and nobody is ejected", async (_, judge, error) => {
    const it = busy();
    it.with({ name: "broken", judge });
    await it.sweep();
    expect(it.failures()).toEqual([["detector broken", error]]);
    expect(ejected(it.balancer)).toEqual([]);
    // And asked again after the next interval.
    await it.sweep();
    expect(it.failures()).toHaveLength(2);
  });

  test("that answers with a promise is reported, its rejection too", async () => {
    const it = busy();
    it.with({ name: "late", judge: async () => Promise.reject(new Error("too late")) });
    await it.sweep();
    expect(it.failures()).toEqual([
      ["detector late", "TypeError: judge must return a list of outliers, not [object Promise]"],
      ["detector late", "Error: too late"],
    ]);
  });

  test("that throws leaves the others to their judgement", async () => {
    const { balancer, clock } = fleet(5, {
      detectors: [
        {
          name: "broken",
          judge: () => {
            throw new Error("no idea");
          },
        },
        successRate(),
      ],
    });
    attempts(balancer, 50, 100, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual(["a"]);
  });

  test("may meddle while it judges: observe, configure, turn detection off", async () => {
    const { balancer, clock } = fleet(5, { consecutiveFailures: 3 });
    const meddler: Detector = {
      name: "meddler",
      judge: (backends) => {
        reportTo(balancer, "e", FAILED, 3);
        balancer.configure({ ejection: { detection: false } });
        return backends.map(({ backend }) => ({ backend, reason: "all of them" }));
      },
    };
    balancer.configure({ ejection: outlierDetection({ detectors: [meddler] }) });
    attempts(balancer, 100, 100, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "a", OK);
    expect(ejected(balancer)).toEqual(["e"]);
  });
});

describe("listeners", () => {
  test("are told when all of a sweep are out, so that they may turn ejection off", async () => {
    const { balancer, clock } = fleet(5, { detectors: [failurePercentage({ threshold: 50 })] });
    const out: number[] = [];
    balancer.on("backendEjected", () => {
      out.push(ejected(balancer).length);
      balancer.configure({ ejection: false });
    });
    attempts(balancer, 0, 0, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "c", OK);
    expect(out).toEqual([2, 0]);
    expect(ejected(balancer)).toEqual([]);
  });
});
