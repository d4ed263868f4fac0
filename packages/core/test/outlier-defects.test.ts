// What others got wrong about outlier detection, so that nobody gets it wrong here.
import { type Detector, failurePercentage, type OutlierDetectionOptions, successRate } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { attempts, ejected, FAILED, fleet, GATEWAY, INTERVAL_MS, OK, reportTo } from "./support/fleet.ts";
import { named, one, record } from "./support/world.ts";

describe("defects of others, not to be repeated", () => {
  const twice: OutlierDetectionOptions = { detectors: [successRate(), failurePercentage({ threshold: 40 })] };

  test("grpc-js: success rate and failure percentage of one sweep do not double the time", async () => {
    const { balancer, clock } = fleet(5, twice);
    const events = record(balancer, "backendEjected");
    attempts(balancer, 50, 100, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(events).toHaveLength(1);
    await clock.advance(5_000);
    balancer.snapshot();
    reportTo(balancer, "a", FAILED);
    // The second ejection, not the third.
    expect(one(balancer, "a").ejectedUntilAt).toBe(clock.wallNow() + 10_000);
  });

  test("grpc-js: the ejected are not judged, and don't move the mean for the others", async () => {
    const seen: string[][] = [];
    const spy: Detector = {
      name: "spy",
      judge: (backends) => {
        seen.push(backends.map(({ backend }) => backend.id));
        return [];
      },
    };
    const { balancer, clock } = fleet(6, { consecutiveFailures: 150, detectors: [spy, successRate()], baseMs: 60_000 });
    reportTo(balancer, "f", FAILED, 150);
    reportTo(balancer, "f", FAILED, 150);
    attempts(balancer, 50, 100, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(seen).toEqual([["a", "b", "c", "d", "e"]]);
    expect(balancer.explain().backends[0]?.ejection).toBe("success rate 50 % < 52 % (mean 90 %, σ 20 %)");
  });

  test("grpc-js: what is counted before or during an ejection does not eject again after it", async () => {
    const { balancer, clock } = fleet(5, { consecutiveFailures: 150, detectors: [failurePercentage()], baseMs: 1_000 });
    attempts(balancer, 0, 100, 100, 100, 100);
    reportTo(balancer, "a", FAILED, 50);
    expect(ejected(balancer)).toEqual(["a"]);
    reportTo(balancer, "a", FAILED, 100);
    await clock.advance(1_000);
    balancer.snapshot();
    reportTo(balancer, "a", OK);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", ejections: 1 });
  });

  test("grpc-js: the wall clock ends no ejection, nor an interval", async () => {
    const { balancer, clock } = fleet(5, { detectors: [successRate()] });
    attempts(balancer, 50, 100, 100, 100, 100);
    clock.setWall(clock.wallNow() + 86_400_000);
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual([]);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    clock.setWall(clock.wallNow() + 86_400_000);
    expect(ejected(balancer)).toEqual(["a"]);
    clock.setWall(0);
    await clock.advance(5_000);
    expect(one(balancer, "a").health).toBe("probation");
  });

  test("grpc-js: a backend that detection has not heard of is in", async () => {
    const { balancer, clock } = fleet(5, { detectors: [successRate()] });
    attempts(balancer, 50, 100, 100, 100, 100);
    balancer.set(named(6));
    expect(one(balancer, "f").health).toBe("healthy");
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "f", OK);
    expect(ejected(balancer)).toEqual(["a"]);
  });

  test("grpc-js: all of one sweep are out from the same moment on, and a jitter of 0 is none", async () => {
    const { balancer, clock } = fleet(6, { detectors: [failurePercentage({ threshold: 50 })] });
    attempts(balancer, 0, 0, 0, 100, 100, 100);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "d", OK);
    const until = balancer.snapshot().backends.map(({ ejectedUntilAt }) => ejectedUntilAt);
    expect(until).toEqual([...Array.from({ length: 3 }, () => clock.wallNow() + 5_000), null, null, null]);
  });

  test("ServiceTalk #3551: backends with little volume neither pull the mean down nor are judged", async () => {
    const { balancer, clock } = fleet(8, { detectors: [successRate(), failurePercentage()] });
    attempts(balancer, 50, 100, 100, 100, 100);
    for (const id of ["f", "g", "h"]) reportTo(balancer, id, FAILED, 40);
    await clock.advance(INTERVAL_MS);
    reportTo(balancer, "b", OK);
    expect(ejected(balancer)).toEqual(["a"]);
  });

  test("Envoy: what gives cause while a backend is out changes nothing", async () => {
    const { balancer } = fleet(2, { consecutiveFailures: 3, consecutiveGatewayFailures: 3 });
    reportTo(balancer, "a", GATEWAY, 50);
    expect(one(balancer, "a")).toMatchObject({ ejections: 1, ejectionsSkipped: 0 });
    expect(balancer.snapshot().ejections).toHaveLength(1);
  });
});
