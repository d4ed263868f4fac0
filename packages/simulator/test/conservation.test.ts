import { type Balancer, leastRequest, peakEwma, random, roundRobin, type Strategy } from "@fairlead/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fault, type Mode, type Scenario, type SimulationResult, simulate } from "../src/index.ts";

const fault: fc.Arbitrary<Fault> = fc
  .record({
    targets: fc.constantFrom("a", "b", "a-1", ["a-2", "b-1"]),
    fromMs: fc.constantFrom(undefined, 0, 300),
    toMs: fc.constantFrom(undefined, 700),
    what: fc.constantFrom<Partial<Fault>>(
      { kind: "slow", factor: 50 },
      { kind: "pause", forMs: 100, everyMs: 250 },
      { kind: "fail", share: 0.5 },
      { kind: "fail", status: 429 },
      { kind: "dead", afterMs: 1 },
      { kind: "hang" },
      { kind: "cold", factor: 10, forMs: 500 },
    ),
  })
  .map(({ what, ...span }) => ({ ...span, ...what }) as Fault);

const scenario: fc.Arbitrary<Scenario> = fc.record({
  name: fc.constant("random"),
  seed: fc.nat(2 ** 31),
  backends: fc.tuple(
    fc.record({ name: fc.constant("a"), count: fc.integer({ min: 2, max: 4 }), workers: fc.constantFrom(1, 4) }),
    fc.record({ name: fc.constant("b"), count: fc.integer({ min: 1, max: 3 }), weight: fc.constantFrom(0.5, 3) }),
  ),
  arrivals: fc.constantFrom({ callsPerSecond: 50 }, { loadPercent: 80 }, { loadPercent: 150 }),
  warmUpMs: fc.constant(0),
  durationMs: fc.constant(1_000),
  timeoutMs: fc.constantFrom(40, 2_000),
  clients: fc.integer({ min: 1, max: 5 }),
  idempotent: fc.boolean(),
  faults: fc.array(fault, { maxLength: 3 }),
});

const strategy = fc.constantFrom<() => Strategy>(peakEwma, leastRequest, roundRobin, random);

/** A run, and what its balancers counted. */
async function observed(run: Scenario, mode: Mode, create: () => Strategy) {
  const balancers: Balancer[] = [];
  const policy = () => ({ strategy: create() });
  const result = await simulate({ scenario: run, mode, policy, onClient: (balancer) => balancers.push(balancer) });
  const backends = balancers.flatMap((balancer) => balancer.snapshot().backends);
  const sum = (key: "attempts" | "requests" | "successes"): number =>
    backends.reduce((total, backend) => total + backend[key], 0);
  return { result, calls: balancers.map((balancer) => balancer.snapshot().calls), sum };
}

function expectWhole(result: SimulationResult): void {
  expect(result.timeline.reduce((total, { calls }) => total + calls, 0)).toBe(result.calls);
  expect(result.backends.reduce((total, { attempts }) => total + attempts, 0)).toBe(result.attempts);
}

describe("whatever happens to the backends", () => {
  it("each call of mode pick ends once, and everything on the wire was counted by a balancer", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, strategy, async (run, create) => {
        const { result, sum } = await observed(run, "pick", create);
        expect(sum("attempts")).toBe(result.attempts);
        expect(result.attempts).toBe(result.calls - result.refused);
        expect(sum("successes")).toBe(result.calls - result.errors);
        expect(sum("requests")).toBe(0);
        expectWhole(result);
      }),
      { numRuns: 60, seed: 1 },
    );
  }, 60_000);

  it("each call of mode call ends once, and everything on the wire was counted by a balancer", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, strategy, async (run, create) => {
        const { result, calls, sum } = await observed(run, "call", create);
        const total = (key: "calls" | "succeeded" | "noBackend"): number =>
          calls.reduce((count, counters) => count + counters[key], 0);
        expect(total("calls")).toBe(result.calls);
        expect(total("succeeded")).toBe(result.calls - result.errors);
        expect(sum("attempts")).toBe(result.attempts);
        expect(sum("requests")).toBe(0);
        expectWhole(result);
      }),
      { numRuns: 40, seed: 2 },
    );
  }, 60_000);

  it("the same seed gives the same result, and another one another", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, fc.constantFrom<Mode>("pick", "call"), async (run, mode) => {
        const first = JSON.stringify(await simulate({ scenario: run, mode }));
        expect(JSON.stringify(await simulate({ scenario: run, mode }))).toBe(first);
        const other = await simulate({ scenario: run, mode, seed: (run.seed ?? 0) + 1 });
        expect(JSON.stringify({ ...other, seeds: [run.seed] })).not.toBe(first);
      }),
      { numRuns: 15, seed: 3 },
    );
  }, 60_000);
});
