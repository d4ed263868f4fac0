// What keeps those from being ejected who gave cause: a limit, chance, a dry run.
import {
  createRandom,
  failurePercentage,
  type OutlierDetectionOptions,
  outlierDetection,
  successRate,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { attempts, ejected, FAILED, fleet, GATEWAY, INTERVAL_MS, OK, reportTo } from "./support/fleet.ts";
import { constantRandom, named, one, record, world } from "./support/world.ts";

describe("the limit", () => {
  const threshold = failurePercentage({ requestVolume: 1, minBackends: 1 });

  /** All of `count` fail; who is out after the interval. */
  async function outOf(count: number, detection: OutlierDetectionOptions): Promise<number> {
    const { balancer, clock } = fleet(count, { detectors: [threshold], ...detection });
    attempts(balancer, ...named(count).map(() => 0));
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "a", FAILED);
    return ejected(balancer).length;
  }

  test.each<[string, number, OutlierDetectionOptions, number]>([
    ["10 % of 5, as Envoy reads it, is nobody", 5, { maxEjectionPercent: 10 }, 0],
    ["10 % of 5, as gRPC reads it, is one", 5, { maxEjectionPercent: 10, maxEjectionReading: "grpc" }, 1],
    ["10 % of 5, but always one", 5, { maxEjectionPercent: 10, alwaysEjectOne: true }, 1],
    ["40 % of 5, as Envoy reads it", 5, { maxEjectionPercent: 40 }, 2],
    ["40 % of 5, as gRPC reads it", 5, { maxEjectionPercent: 40, maxEjectionReading: "grpc" }, 2],
    ["50 % of 5, as Envoy reads it", 5, { maxEjectionPercent: 50 }, 2],
    ["50 % of 5, as gRPC reads it", 5, { maxEjectionPercent: 50, maxEjectionReading: "grpc" }, 3],
    ["0 %", 5, { maxEjectionPercent: 0 }, 0],
    ["0 % for gRPC", 5, { maxEjectionPercent: 0, maxEjectionReading: "grpc" }, 0],
    ["none", 5, {}, 5],
  ])("%s", async (_, count, detection, out) => {
    expect(await outOf(count, detection)).toBe(out);
  });

  test("hits the worst, and says whom it spared", async () => {
    const { balancer, clock } = fleet(10, {
      detectors: [failurePercentage({ threshold: 50 })],
      maxEjectionPercent: 20,
    });
    const skipped = record(balancer, "ejectionSkipped");
    attempts(balancer, 40, 10, 30, 0, 100, 100, 100, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "e", OK);
    expect(ejected(balancer)).toEqual(["b", "d"]);
    expect(skipped.map((event) => event.record)).toEqual([
      {
        upstream: "orders",
        backend: "c",
        kind: "failurePercentage",
        reason: "70 % of attempts failed ≥ 50 % (70 of 100)",
        because: "cap",
      },
      expect.objectContaining({ backend: "a", because: "cap" }),
    ]);
    expect(one(balancer, "c")).toMatchObject({ ejections: 0, ejectionsSkipped: 1 });
  });

  test("holds for failures in a row as well, and those on probation still take a place", async () => {
    const { balancer, clock } = fleet(4, { consecutiveFailures: 3, maxEjectionPercent: 25 });
    reportTo(balancer, "a", FAILED, 3);
    reportTo(balancer, "b", FAILED, 3);
    expect(ejected(balancer)).toEqual(["a"]);
    await clock.advance(5_000);
    expect(one(balancer, "a").health).toBe("probation");
    reportTo(balancer, "b", FAILED, 3);
    expect(one(balancer, "b")).toMatchObject({ health: "healthy", ejectionsSkipped: 2 });
    // It has its place already.
    reportTo(balancer, "a", FAILED);
    expect(ejected(balancer)).toEqual(["a"]);
    await clock.advance(10_000);
    balancer.snapshot();
    reportTo(balancer, "a", OK);
    reportTo(balancer, "b", FAILED, 3);
    expect(ejected(balancer)).toEqual(["b"]);
  });

  test("a backend that has left the set takes no place", () => {
    const { balancer } = fleet(4, { consecutiveFailures: 3, maxEjectionPercent: 25 });
    const lease = balancer.tryAcquire({ pinned: "a" });
    reportTo(balancer, "a", FAILED, 3);
    balancer.set(named(5).slice(1));
    reportTo(balancer, "b", FAILED, 3);
    expect(one(balancer, "a").state).toBe("removed");
    expect(one(balancer, "b").health).toBe("ejected");
    lease?.release();
  });
});

/** A hundred backends fail: who is out, and why the others are not. */
async function outOf100(enforcingPercent: number, random = createRandom(7)) {
  const detector = failurePercentage({ requestVolume: 1, minBackends: 1, enforcingPercent });
  const { balancer, clock } = world(
    Array.from({ length: 100 }, (_, index) => ({ id: `${index}`, url: `http://b${index}.test` })),
    {
      ejection: outlierDetection({ consecutiveFailures: false, detectors: [detector] }),
      panicThreshold: 0,
      random,
    },
  );
  for (let index = 0; index < 100; index++) reportTo(balancer, `${index}`, FAILED);
  await clock.advance(INTERVAL_MS);
  const skipped = record(balancer, "ejectionSkipped");
  reportTo(balancer, "0", FAILED);
  return { out: ejected(balancer).length, skipped: skipped.map((event) => event.record.because) };
}

describe("chance", () => {
  test("of 0, 50 and 100 %", async () => {
    expect((await outOf100(0)).out).toBe(0);
    expect((await outOf100(0, createRandom(8))).skipped).toEqual(Array.from({ length: 100 }, () => "enforcing"));
    const half = await outOf100(50);
    expect(half.out).toBeGreaterThan(30);
    expect(half.out).toBeLessThan(70);
    expect(half.skipped).toHaveLength(100 - half.out);
    expect((await outOf100(100)).out).toBe(100);
  });

  test("at the edges: a draw of 0.5 is not below 50 %", async () => {
    expect((await outOf100(50, constantRandom(0.5))).out).toBe(0);
    expect((await outOf100(50, constantRandom(0.499))).out).toBe(100);
  });

  test("not enforced, failures in a row begin anew like the others", () => {
    const { balancer } = fleet(1, { consecutiveFailures: 3, enforcing: { consecutiveFailures: 0 } });
    reportTo(balancer, "a", FAILED, 7);
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", ejectionsSkipped: 2 });
  });

  test("per kind of failures in a row: a kind that is not enforced counts anew, and leaves the others to theirs", () => {
    const { balancer } = fleet(2, {
      consecutiveFailures: 5,
      consecutiveGatewayFailures: 2,
      enforcing: { consecutiveGatewayFailures: 0 },
    });
    const events = record(balancer, "ejectionSkipped", "backendEjected");
    reportTo(balancer, "a", GATEWAY, 5);
    expect(events.map(({ event, record: { kind } }) => `${event} ${kind}`)).toEqual([
      "ejectionSkipped consecutiveGatewayFailures",
      "ejectionSkipped consecutiveGatewayFailures",
      "backendEjected consecutiveFailures",
    ]);
    expect(balancer.snapshot().ejections).toEqual([
      { backend: "a", kind: "consecutiveGatewayFailures", result: "enforcing", count: 2 },
      { backend: "a", kind: "consecutiveFailures", result: "ejected", count: 1 },
    ]);
    expect(one(balancer, "a")).toMatchObject({ ejections: 1, ejectionsSkipped: 2 });
  });
});

describe("a dry run", () => {
  test("ejects nobody, and says whom it would have ejected and why", async () => {
    const { balancer, clock } = fleet(5, { consecutiveFailures: 50, detectors: [successRate()], dryRun: true });
    const events = record(balancer, "backendEjected", "ejectionSkipped");
    attempts(balancer, 50, 100, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(
      events.map(({ event, record: { backend, kind, ...rest } }) => [
        event,
        backend,
        kind,
        "because" in rest && rest.because,
      ]),
    ).toEqual([
      ["ejectionSkipped", "a", "consecutiveFailures", "dry-run"],
      ["ejectionSkipped", "a", "successRate", "dry-run"],
    ]);
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", ejections: 0, ejectionsSkipped: 2 });
  });

  test("keeps no call away, whatever a backend does", async () => {
    const { balancer, clock } = fleet(2, { consecutiveFailures: 2, dryRun: true });
    for (let round = 0; round < 10; round++) {
      reportTo(balancer, "a", FAILED);
      await clock.advance(7_000);
      const both = [balancer.tryAcquire(), balancer.tryAcquire()];
      expect(both.map((lease) => lease?.backend.id)).toEqual(["a", "a"]);
      for (const lease of both) lease?.release();
    }
  });

  test("turned on, lets those come back who are out", async () => {
    const { balancer, clock } = fleet(2, { consecutiveFailures: 2 });
    reportTo(balancer, "a", FAILED, 2);
    balancer.configure({ ejection: outlierDetection({ dryRun: true }) });
    await clock.advance(5_000);
    expect(one(balancer, "a").health).toBe("probation");
    reportTo(balancer, "a", FAILED);
    expect(one(balancer, "a").health).toBe("healthy");
    const both = [balancer.tryAcquire(), balancer.tryAcquire()];
    expect(both.map((lease) => lease?.backend.id)).toEqual(["a", "a"]);
  });
});
