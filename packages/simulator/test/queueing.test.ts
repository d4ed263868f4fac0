// What queueing theory says of the model, to show that the simulator simulates.
import { roundRobin } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { type Scenario, simulate } from "../src/index.ts";

const SERVICE_MS = 10;

function queue(workers: number, loadPercent: number, part: Partial<Scenario> = {}): Scenario {
  return {
    name: "queue",
    backends: [{ name: "web", count: 1, workers, service: { kind: "exponential", meanMs: SERVICE_MS } }],
    arrivals: { loadPercent },
    // About 400,000 calls: the mean of a queue varies by more than the number of calls suggests.
    durationMs: (400_000 * SERVICE_MS * 100) / (workers * loadPercent),
    clients: 1,
    networkMs: 0,
    timeoutMs: 1_000_000,
    ...part,
  };
}

/** The share of calls that wait in an M/M/c queue with `load` busy workers on average: Erlang's C formula. */
function erlangC(workers: number, load: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; k < workers; k++) {
    term *= load / k;
    sum += term;
  }
  const waiting = ((term * load) / workers) * (workers / (workers - load));
  return waiting / (sum + waiting);
}

describe("a single backend", () => {
  it.each([
    [1, 50],
    [1, 80],
    [4, 70],
    [4, 90],
    [16, 85],
  ])(
    "with %i workers, busy %i parts of 100, answers as late as Erlang's formula says",
    async (workers, percent) => {
      const load = (workers * percent) / 100;
      const wantedMs = SERVICE_MS + (erlangC(workers, load) * SERVICE_MS) / (workers - load);
      const { meanMs } = await simulate({ scenario: queue(workers, percent) });
      expect(Math.abs(meanMs / wantedMs - 1)).toBeLessThan(0.05);
    },
    60_000,
  );

  it("with one worker has exponential response times (M/M/1)", async () => {
    const { p50Ms, p99Ms } = await simulate({ scenario: queue(1, 50) });
    const meanMs = SERVICE_MS / (1 - 0.5);
    expect(Math.abs(p50Ms / (meanMs * Math.LN2) - 1)).toBeLessThan(0.03);
    expect(Math.abs(p99Ms / (meanMs * Math.log(100)) - 1)).toBeLessThan(0.05);
  }, 60_000);

  it("with constant service waits half as long (M/D/1, Pollaczek and Khinchine)", async () => {
    const backends = [
      { name: "web", count: 1, workers: 1, service: { kind: "constant", meanMs: SERVICE_MS } },
    ] as const;
    const { meanMs } = await simulate({ scenario: queue(1, 80, { backends }) });
    const wantedMs = SERVICE_MS + (0.8 * SERVICE_MS) / (2 * (1 - 0.8));
    expect(Math.abs(meanMs / wantedMs - 1)).toBeLessThan(0.05);
  }, 60_000);

  it("is further away over a network, by one way there and one back", async () => {
    const short = { durationMs: 60_000 };
    const here = await simulate({ scenario: queue(4, 50, short) });
    const there = await simulate({ scenario: queue(4, 50, { ...short, networkMs: 3 }) });
    expect(there.meanMs - here.meanMs).toBeCloseTo(6, 2);
  });
});

describe("arrivals", () => {
  it("come as often as the load says, whatever the policy, and at the same moments", async () => {
    const scenario: Scenario = {
      name: "arrivals",
      backends: [
        { name: "web", count: 5 },
        { name: "standby", count: 5, priority: 1 },
      ],
      arrivals: { loadPercent: 70 },
      durationMs: 50_000,
    };
    const own = await simulate({ scenario });
    const turns = await simulate({ scenario, policy: () => ({ strategy: roundRobin() }) });
    // Five backends with four workers at 10 ms: 70 % of 2,000 a second.
    expect(Math.abs(own.calls - 70_000)).toBeLessThan(5 * Math.sqrt(70_000));
    expect(turns.timeline.map(({ calls }) => calls)).toEqual(own.timeline.map(({ calls }) => calls));
  });

  it("wait for nobody: an overloaded queue grows until every client gives up", async () => {
    const { errorPercent, p50Ms, p99Ms } = await simulate({
      scenario: queue(4, 200, { timeoutMs: 500, durationMs: 20_000 }),
      // Otherwise failures eject the backend, and calls are refused.
      policy: () => ({ ejection: false }),
    });
    expect([errorPercent, p50Ms, p99Ms]).toEqual([100, 500, 500]);
  });
});
