// Whatever happens: the statistics are those of a naive count, rows those of a naive scan, and the limit holds.
import { type Detector, failurePercentage, type Outlier, type Report } from "@fairlead/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FAILED, fleet, GATEWAY, INTERVAL_MS, LOCAL, OK } from "./support/fleet.ts";
import { record } from "./support/world.ts";

const IDS = ["a", "b", "c", "d", "e"];
const REPORTS: Readonly<Record<string, Report>> = {
  ok: OK,
  failed: FAILED,
  gateway: GATEWAY,
  local: LOCAL,
  unreached: { outcome: "unreached" },
  overload: { outcome: "overload", status: 429 },
  ignored: { outcome: "ignored" },
};
const LOCALS = new Set(["local", "unreached"]);
const FAILURES = new Set(["failed", "gateway", "local", "unreached"]);

const someId = fc.constantFrom(...IDS);
const someReport = fc.constantFrom(...Object.keys(REPORTS));

test("statistics are what a naive count of the interval says", async () => {
  const someStep = fc.record({
    id: someId,
    report: someReport,
    kind: fc.constantFrom("request", "connection"),
    latencyMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
    waitMs: fc.constantFrom(0, 1, 500, 3_000, 12_000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(someStep, { maxLength: 80 }), async (steps) => {
      const judged: unknown[] = [];
      const expected: unknown[] = [];
      const spy: Detector = {
        name: "spy",
        judge: (backends) => {
          judged.push(backends.map(({ backend, ...rest }) => ({ id: backend.id, ...rest })));
          return [] as Outlier[];
        },
      };
      const { balancer, clock } = fleet(IDS.length, { detectors: [spy] });
      let counted: typeof steps = [];
      let sweptAtMs = 0;
      for (const step of steps) {
        await clock.advance(step.waitMs);
        if (clock.now() - sweptAtMs >= INTERVAL_MS) {
          expected.push(naive(counted));
          counted = [];
          sweptAtMs = clock.now();
        }
        const lease = balancer.tryAcquire({ pinned: step.id, kind: step.kind as "request" });
        lease?.settle({ ...REPORTS[step.report], latencyMs: step.latencyMs } as Report);
        lease?.release();
        counted.push(step);
      }
      expect(judged).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

const mean = (values: readonly number[]) =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

function naive(steps: readonly { id: string; report: string; kind: string; latencyMs: number }[]): unknown[] {
  return IDS.flatMap((id) => {
    const own = steps.filter((step) => step.id === id);
    const successes = own.filter(({ report }) => report === "ok");
    const failures = own.filter(({ report }) => FAILURES.has(report));
    if (successes.length + failures.length === 0) return [];
    const latency = (kind: string) => {
      const times = successes.filter((step) => step.kind === kind).map(({ latencyMs }) => latencyMs);
      const typicalMs = times.length === 0 ? 0 : Math.exp(mean(times.map((ms) => Math.log(Math.max(ms, 0.1)))));
      return { count: times.length, meanMs: expect.closeTo(mean(times), 6), typicalMs: expect.closeTo(typicalMs, 6) };
    };
    return [
      {
        id,
        successes: successes.length,
        failures: failures.length,
        localOriginFailures: own.filter(({ report }) => LOCALS.has(report)).length,
        latency: { request: latency("request"), connection: latency("connection") },
      },
    ];
  });
}

test("failures in a row are what a naive scan of the history says", () => {
  fc.assert(
    fc.property(
      fc.array(someReport, { maxLength: 60 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (history, splitLocalOriginErrors, gateway, local) => {
        // Nothing is enforced, so that counts begin anew and the history goes on.
        const { balancer } = fleet(1, {
          splitLocalOriginErrors,
          consecutiveGatewayFailures: gateway,
          consecutiveLocalOriginFailures: local,
          enforcing: { consecutiveGatewayFailures: 0, consecutiveLocalOriginFailures: 0 },
        });
        const skipped = record(balancer, "ejectionSkipped");
        for (const report of history) balancer.observe("a", REPORTS[report] as Report);
        const found = skipped.map(({ record: { kind } }) => kind);
        const times = (kind: string) => found.filter((other) => other === kind).length;
        const says = (report: string, row: "gateway" | "local"): "in" | "ends" | "nothing" => {
          if (report === "overload" || report === "ignored") return "nothing";
          if (row === "local") return LOCALS.has(report) ? "in" : "ends";
          if (LOCALS.has(report)) return splitLocalOriginErrors ? "nothing" : "in";
          return report === "gateway" ? "in" : "ends";
        };
        const rows = (row: "gateway" | "local", limit: number): number =>
          history
            .map((report) => says(report, row))
            .filter((said) => said !== "nothing")
            .join(" ")
            .split("ends")
            .reduce((sum, part) => sum + Math.floor((part.match(/in/g)?.length ?? 0) / limit), 0);
        expect(times("consecutiveGatewayFailures")).toBe(rows("gateway", gateway));
        expect(times("consecutiveLocalOriginFailures")).toBe(rows("local", local));
      },
    ),
  );
});

test("never are more out than the limit allows, whoever gives cause, and whatever returns, leaves and joins", async () => {
  const someStep = fc.oneof(
    fc.record({
      do: fc.constant("report" as const),
      id: someId,
      report: someReport,
      times: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 1_000, 5_000, 11_000) }),
    fc.record({ do: fc.constant("enable" as const), id: someId }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(someStep, { maxLength: 60 }),
      fc.integer({ min: 0, max: 100 }),
      fc.constantFrom("envoy" as const, "grpc" as const),
      fc.boolean(),
      async (steps, maxEjectionPercent, maxEjectionReading, alwaysEjectOne) => {
        const { balancer, clock } = fleet(IDS.length, {
          consecutiveFailures: 3,
          consecutiveGatewayFailures: 2,
          detectors: [failurePercentage({ minBackends: 1, requestVolume: 2, threshold: 50 })],
          maxEjectionPercent,
          maxEjectionReading,
          alwaysEjectOne,
        });
        const most = Math.max(
          alwaysEjectOne ? 1 : 0,
          maxEjectionReading === "envoy"
            ? Math.floor((maxEjectionPercent * IDS.length) / 100)
            : Math.ceil((maxEjectionPercent * IDS.length) / 100),
        );
        for (const step of steps) {
          if (step.do === "wait") await clock.advance(step.ms);
          else if (step.do === "enable") balancer.enable(step.id);
          else for (let time = 0; time < step.times; time++) balancer.observe(step.id, REPORTS[step.report] as Report);
          const out = balancer.explain().backends.filter(({ ejection }) => ejection !== null).length;
          expect(out).toBeLessThanOrEqual(most);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("an ejection that comes of several causes at once is one: its time grows by one step", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), (limit) => {
      const { balancer, clock } = fleet(1, {
        consecutiveFailures: limit,
        consecutiveGatewayFailures: limit,
        consecutiveLocalOriginFailures: limit,
        detectors: [failurePercentage({ minBackends: 1, requestVolume: 1 })],
      });
      const ejected = record(balancer, "backendEjected");
      for (let time = 1; time < limit; time++) balancer.observe("a", LOCAL);
      clock.advanceSync(INTERVAL_MS);
      balancer.observe("a", LOCAL);
      expect(ejected).toHaveLength(1);
      clock.advanceSync(5_000);
      balancer.snapshot();
      balancer.observe("a", LOCAL);
      expect(ejected[1]?.record.untilAt).toBe(clock.wallNow() + 10_000);
    }),
  );
});
