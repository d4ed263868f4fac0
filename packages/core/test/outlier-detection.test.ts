// Outlier detection as calls meet it: what backends do in a row and in an interval, and what becomes of them.
import {
  type Balancer,
  type Detector,
  failurePercentage,
  type LatencyStatistics,
  latencyOutliers,
  type OutlierDetectionOptions,
  outlierDetection,
  roundRobin,
  successRate,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { attempts, ejected, FAILED, fleet, GATEWAY, INTERVAL_MS, LOCAL, OK, reportTo } from "./support/fleet.ts";
import { one, record, refused, settle, watch, world } from "./support/world.ts";

/** Two backends, and the kinds of the ejections so far. */
const inRow = (detection: OutlierDetectionOptions) => {
  const { balancer, clock } = fleet(2, detection);
  const events = record(balancer, "backendEjected");
  return { balancer, clock, kinds: () => events.map((event) => event.record.kind) };
};

describe("failures in a row", () => {
  test("gateway failures: 502, 503, 504 and those of local origin; any other failure ends their row", () => {
    const { balancer, kinds } = inRow({ consecutiveGatewayFailures: 3 });
    for (const report of [GATEWAY, GATEWAY, FAILED, GATEWAY, { ...GATEWAY, status: 502 }])
      reportTo(balancer, "a", report);
    expect(kinds()).toEqual([]);
    reportTo(balancer, "a", LOCAL);
    expect(kinds()).toEqual(["consecutiveGatewayFailures"]);
    reportTo(balancer, "b", { ...GATEWAY, status: 504 }, 2);
    reportTo(balancer, "b", OK);
    reportTo(balancer, "b", { ...GATEWAY, status: 504 }, 2);
    expect(kinds()).toEqual(["consecutiveGatewayFailures"]);
  });

  test("failures of local origin: any answer ends their row", () => {
    const { balancer, kinds } = inRow({ consecutiveLocalOriginFailures: 3 });
    for (const report of [LOCAL, LOCAL, FAILED, LOCAL, { outcome: "unreached" } as const])
      reportTo(balancer, "a", report);
    expect(kinds()).toEqual([]);
    reportTo(balancer, "a", LOCAL);
    expect(kinds()).toEqual(["consecutiveLocalOriginFailures"]);
  });

  test("split: those of local origin count for themselves alone, and say nothing of rows of answers", () => {
    const { balancer, kinds } = inRow({
      consecutiveFailures: 4,
      consecutiveGatewayFailures: 3,
      consecutiveLocalOriginFailures: 6,
      splitLocalOriginErrors: true,
    });
    for (const report of [GATEWAY, LOCAL, GATEWAY, LOCAL, LOCAL, LOCAL, LOCAL]) reportTo(balancer, "a", report);
    expect(kinds()).toEqual([]);
    reportTo(balancer, "a", GATEWAY);
    expect(kinds()).toEqual(["consecutiveGatewayFailures"]);
    for (const report of [FAILED, FAILED, LOCAL, LOCAL, FAILED]) reportTo(balancer, "b", report);
    expect(kinds()).toHaveLength(1);
    reportTo(balancer, "b", FAILED);
    expect(kinds()[1]).toBe("consecutiveFailures");
  });

  test("split without a number: five of local origin in a row, of real calls", async () => {
    const { balancer } = world(2, { ejection: outlierDetection({ splitLocalOriginErrors: true }), retry: false });
    const events = record(balancer, "backendEjected");
    for (let call = 0; call < 5; call++) {
      const failed = watch(
        balancer.call(async ({ backend }) => {
          if (backend.id === "a") throw refused();
        }),
      );
      await settle();
      expect(failed.state).toBe("fulfilled");
    }
    expect(events.map((event) => event.record)).toMatchObject([
      {
        backend: "a",
        kind: "consecutiveLocalOriginFailures",
        reason: "5 failures of local origin in a row, the last: ECONNREFUSED",
      },
    ]);
  });

  test("the narrower kind names the ejection where two are reached at once", () => {
    const { balancer, kinds } = inRow({ consecutiveFailures: 3, consecutiveGatewayFailures: 3 });
    reportTo(balancer, "a", GATEWAY, 3);
    expect(kinds()).toEqual(["consecutiveGatewayFailures"]);
    expect(one(balancer, "a").ejections).toBe(1);
  });

  test("go on over the end of an interval, and begin anew when an operator acquits the backend", async () => {
    const { balancer, clock, kinds } = inRow({ consecutiveGatewayFailures: 3, detectors: [failurePercentage()] });
    reportTo(balancer, "a", GATEWAY, 2);
    reportTo(balancer, "b", GATEWAY, 2);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "a", GATEWAY);
    expect(kinds()).toEqual(["consecutiveGatewayFailures"]);
    balancer.enable("b");
    reportTo(balancer, "b", GATEWAY, 2);
    expect(kinds()).toHaveLength(1);
  });

  test("don't count on probation: there one failed test is enough, and is called so", async () => {
    const { balancer, clock, kinds } = inRow({ consecutiveGatewayFailures: 1 });
    reportTo(balancer, "a", GATEWAY);
    await clock.advance(5_000);
    expect(one(balancer, "a").health).toBe("probation");
    reportTo(balancer, "a", GATEWAY);
    expect(kinds()).toEqual(["consecutiveGatewayFailures", "failedTest"]);
    expect(balancer.explain().backends[0]?.ejection).toBe("failed its test: 503");
  });

  test("counts begin anew after an ejection", async () => {
    const { balancer, clock } = fleet(2, { consecutiveGatewayFailures: 3, consecutiveLocalOriginFailures: 4 });
    reportTo(balancer, "a", LOCAL, 3);
    await clock.advance(5_000);
    balancer.snapshot();
    reportTo(balancer, "a", OK);
    reportTo(balancer, "a", LOCAL, 2);
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", ejections: 1 });
  });
});

describe("an interval", () => {
  test("is judged at the first report after it, whoever it is of", async () => {
    const { balancer, clock } = fleet(5, { detectors: [successRate()] });
    const events = record(balancer, "backendEjected");
    attempts(balancer, 50, 100, 100, 100, 100);
    await clock.advance(INTERVAL_MS - 1);
    reportTo(balancer, "c", OK);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(clock.pending).toBe(0);
    reportTo(balancer, "c", OK);
    expect(events.map((event) => event.record)).toEqual([
      {
        upstream: "orders",
        backend: "a",
        kind: "successRate",
        reason: "success rate 50 % < 52 % (mean 90 %, σ 20 %)",
        untilAt: clock.wallNow() + 5_000,
      },
    ]);
    expect(balancer.explain().backends[0]?.ejection).toBe("success rate 50 % < 52 % (mean 90 %, σ 20 %)");
  });

  test("stands for itself: what was before it and what comes after it are not in its statistics", async () => {
    const seen: unknown[] = [];
    const spy: Detector = {
      name: "spy",
      judge: (backends) => {
        seen.push(backends.map(({ backend, successes, failures }) => [backend.id, successes, failures]));
        return [];
      },
    };
    const { balancer, clock } = fleet(3, { detectors: [spy] });
    reportTo(balancer, "a", OK, 3);
    reportTo(balancer, "b", FAILED, 2);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    await clock.advance(INTERVAL_MS - 1);
    reportTo(balancer, "a", FAILED);
    await clock.advance(1);
    // As after a pause of any length.
    await clock.advance(3_600_000);
    reportTo(balancer, "c", OK);
    reportTo(balancer, "c", OK);
    expect(seen).toEqual([
      [
        ["a", 3, 0],
        ["b", 0, 2],
      ],
      [
        ["a", 0, 1],
        ["b", 1, 0],
      ],
    ]);
  });

  test("does not hear of attempts that began before an ejection and ended after it", async () => {
    const seen: unknown[] = [];
    const spy: Detector = {
      name: "spy",
      judge: (backends) => {
        seen.push(...backends.map(({ backend, successes, failures }) => [backend.id, successes, failures]));
        return [];
      },
    };
    const { balancer, clock } = fleet(2, { consecutiveFailures: 3, detectors: [spy], baseMs: 1_000 });
    const slow = balancer.tryAcquire({ pinned: "a" });
    reportTo(balancer, "a", FAILED, 3);
    await clock.advance(1_000);
    balancer.snapshot();
    reportTo(balancer, "a", OK);
    slow?.settle(FAILED);
    slow?.release();
    reportTo(balancer, "a", OK, 2);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(seen).toEqual([["a", 2, 0]]);
  });

  test("may have another length, at once", async () => {
    const { balancer, clock } = fleet(5, { detectors: [successRate()] });
    attempts(balancer, 50, 100, 100, 100, 100);
    await clock.advance(2_000);
    balancer.configure({ ejection: { intervalMs: 2_000 } });
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual(["a"]);
  });

  test("counts neither overload nor what the caller did", async () => {
    const { balancer, clock } = fleet(5, { detectors: [failurePercentage({ requestVolume: 1 })] });
    for (const id of ["a", "b", "c", "d", "e"]) reportTo(balancer, id, OK);
    reportTo(balancer, "a", { outcome: "overload", status: 429 }, 100);
    reportTo(balancer, "b", { outcome: "ignored" }, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "c", OK);
    expect(ejected(balancer)).toEqual([]);
  });

  test("a change of options keeps what has been counted; detection turned off and on begins anew", async () => {
    const { balancer, clock } = fleet(5, { detectors: [successRate()] });
    attempts(balancer, 50, 100, 100, 100, 100);
    balancer.configure({ ejection: outlierDetection({ detectors: [failurePercentage({ threshold: 50 })] }) });
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual(["a"]);
    balancer.enable("a");
    attempts(balancer, 0, 100, 100, 100, 100);
    balancer.configure({ ejection: { detection: false } });
    balancer.configure({ ejection: outlierDetection({ detectors: [failurePercentage()] }) });
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual([]);
  });
});

async function serve(balancer: Balancer, id: string, latencyMs: number, times = 100, kind?: "connection") {
  for (let time = 0; time < times; time++) {
    const lease = balancer.tryAcquire({ pinned: id, ...(kind === undefined ? {} : { kind }) });
    lease?.settle({ outcome: "success", latencyMs });
    lease?.release();
  }
}

describe("latency", () => {
  test("of a backend far slower than the others ejects it; what only `observe` knows says nothing of it", async () => {
    const { balancer, clock } = fleet(5, { detectors: [latencyOutliers()] }, { strategy: roundRobin() });
    const events = record(balancer, "backendEjected");
    for (const id of ["b", "c", "d", "e"]) await serve(balancer, id, 20);
    await serve(balancer, "a", 400);
    reportTo(balancer, "a", OK, 1_000);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(events.map((event) => event.record)).toMatchObject([
      { backend: "a", kind: "latencyOutliers", reason: "typical latency 400 ms > 60 ms (median 20 ms of 5)" },
    ]);
  });

  test("of failures does not count, and one long wait among a hundred short ones hardly does", async () => {
    const { balancer, clock } = fleet(5, { detectors: [latencyOutliers()] });
    for (const id of ["a", "b", "c", "d", "e"]) await serve(balancer, id, 20);
    await serve(balancer, "a", 10_000, 1);
    for (let time = 0; time < 50; time++) {
      const lease = balancer.tryAcquire({ pinned: "b" });
      lease?.settle({ outcome: "failure", latencyMs: 10_000 });
      lease?.release();
    }
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual([]);
  });

  test("of opening connections is another matter than that of requests", async () => {
    const { balancer, clock } = fleet(5, { detectors: [latencyOutliers({ kind: "connection" })] });
    for (const id of ["a", "b", "c", "d", "e"]) await serve(balancer, id, id === "b" ? 500 : 5);
    for (const id of ["a", "b", "c", "d", "e"]) await serve(balancer, id, id === "a" ? 500 : 5, 100, "connection");
    // Whose checks are reported, but not how long they took.
    reportTo(balancer, "a", OK, 1_000);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual(["a"]);
  });

  test.each<[string, number, number]>([
    ["thousands of seconds", 10_000, 10_000],
    ["thousands of nothing", 0, 0.1],
    ["an absurd one", 1e300, 1e9],
  ])("of %s is a number all the same", async (_, latencyMs, typicalMs) => {
    const seen: LatencyStatistics[] = [];
    const spy: Detector = {
      name: "spy",
      judge: (backends) => {
        seen.push(...backends.map(({ latency }) => latency.request));
        return [];
      },
    };
    const { balancer, clock } = fleet(1, { detectors: [spy] });
    await serve(balancer, "a", latencyMs, 3_000);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "a", OK);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.count).toBe(3_000);
    expect(seen[0]?.typicalMs).toBeCloseTo(typicalMs, -Math.log10(typicalMs) + 6);
  });

  test("that this process spent on itself is taken off", async () => {
    const seen: number[] = [];
    const spy: Detector = {
      name: "spy",
      judge: (backends) => {
        seen.push(...backends.map(({ latency }) => latency.request.meanMs));
        return [];
      },
    };
    const { balancer, clock } = fleet(1, { detectors: [spy] });
    const lease = balancer.tryAcquire();
    clock.advanceSync(30);
    clock.stall(500);
    lease?.settle(OK);
    lease?.release();
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "a", OK);
    expect(seen).toEqual([30]);
  });
});

test("calls meet it: under round robin, a backend that fails every other call is out after the interval", async () => {
  const { balancer, clock } = world(5, {
    strategy: roundRobin(),
    retry: false,
    ejection: outlierDetection({ detectors: [successRate({ requestVolume: 50 })] }),
  });
  const visits: Record<string, number> = {};
  const call = (): Promise<unknown> =>
    balancer
      .call(async ({ backend: { id } }) => {
        visits[id] = (visits[id] ?? 0) + 1;
        if (id === "c" && (visits[id] ?? 0) % 2 === 0) throw Object.assign(new Error("boom"), { code: "EBOOM" });
      })
      .catch(() => undefined);
  for (let round = 0; round < 500; round++) {
    await call();
    clock.advanceSync(20);
  }
  const before = visits["c"] ?? 0;
  expect(before).toBeGreaterThan(90);
  for (let round = 0; round < 100; round++) await call();
  expect((visits["c"] ?? 0) - before).toBeLessThanOrEqual(1);
  expect(balancer.snapshot().ejections).toEqual([{ backend: "c", kind: "successRate", result: "ejected", count: 1 }]);
});
