import { beforeAll, describe, expect, it } from "vitest";
import { createBalancer } from "../src/balancer.ts";
import { createRandom } from "../src/random.ts";
import { peakEwma } from "../src/strategy/peak-ewma.ts";
import { random } from "../src/strategy/random.ts";
import { reportedLoad } from "../src/strategy/reported-load/reported-load.ts";
import { roundRobin } from "../src/strategy/round-robin.ts";
import type { Strategy } from "../src/strategy/strategy.ts";
import { virtualClock } from "../src/testing/index.ts";
import { repeat } from "./fakes.ts";
import { type Model, simulate } from "./simulation.ts";

const PICKS = 100_000;

function pickShares(strategy: Strategy, weights: readonly number[], seed: number): number[] {
  const balancer = createBalancer({
    name: "orders",
    backends: weights.map((weight, index) => ({ url: "http://10.0.0.1", id: `${index}`, weight })),
    strategy,
    clock: virtualClock(),
    random: createRandom(seed),
  });
  const counts = weights.map(() => 0);
  for (let pick = 0; pick < PICKS; pick++) {
    const lease = balancer.tryAcquire();
    const index = Number(lease?.backend.id);
    counts[index] = (counts[index] ?? 0) + 1;
    lease?.settle({ outcome: "success" });
    lease?.release();
  }
  return counts.map((count) => count / PICKS);
}

const source = createRandom(77);
const WEIGHTS: readonly (readonly [string, readonly number[]])[] = [
  ["1:1:0.5", [1, 1, 0.5]],
  ["5:1:1", [5, 1, 1]],
  ["90:10", [90, 10]],
  ["1 to 10", repeat(10, (index) => index + 1)],
  ["a hundred random weights", repeat(100, () => 0.01 + source.next() * 10)],
  ["five hundred equal weights", repeat(500, () => 1)],
  ["five hundred random weights", repeat(500, () => 0.01 + source.next() * 10)],
  ["one heavy among 499", repeat(500, (index) => (index === 0 ? 499 : 1))],
];

describe.each<[string, () => Strategy]>([
  ["roundRobin", roundRobin],
  ["reportedLoad, without reports,", reportedLoad],
  ["random", random],
])("%s", (name, create) => {
  it.each(WEIGHTS)("holds %s within a percentage point over 100,000 picks", (_, weights) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const shares = pickShares(create(), weights, 11);
    for (const [index, share] of shares.entries()) {
      const wanted = (weights[index] ?? 0) / total;
      expect(Math.abs(share - wanted)).toBeLessThanOrEqual(0.01);
      // A percentage point says nothing about a share of 0.2 %. These do: 5 standard deviations of a draw, two turns.
      const slack = name === "random" ? 5 * Math.sqrt((wanted * (1 - wanted)) / PICKS) : 2 / PICKS;
      expect(Math.abs(share - wanted), `${name} ${index}`).toBeLessThanOrEqual(slack);
    }
  });
});

describe("roundRobin through a balancer", () => {
  it("goes round a5 b1 c1 as a a b a c a a", () => {
    const balancer = createBalancer({
      name: "orders",
      backends: [
        { url: "http://a", weight: 5 },
        { url: "http://b", weight: 1 },
        { url: "http://c", weight: 1 },
      ],
      strategy: roundRobin(),
      clock: virtualClock(),
      random: createRandom(5),
    });
    const picks = repeat(21, () => {
      using lease = balancer.tryAcquire();
      return lease?.backend.id[0] ?? "";
    }).join("");
    expect("aabacaa".repeat(5)).toContain(picks);
  });
});

describe("reportedLoad through a balancer", () => {
  it("shares by what the backends' headers say, times the configured weights, within a percentage point", () => {
    const clock = virtualClock();
    const utilizations = [0.2, 0.4, 0.8, 0.4];
    const weights = [1, 1, 1, 2];
    const balancer = createBalancer({
      name: "orders",
      backends: weights.map((weight, index) => ({ url: "http://10.0.0.1", id: `${index}`, weight })),
      strategy: reportedLoad(),
      clock,
      random: createRandom(11),
    });
    const counts = weights.map(() => 0);
    for (let pick = 0; pick < 40_000; pick++) {
      clock.advanceSync(1);
      const lease = balancer.tryAcquire();
      const index = Number(lease?.backend.id);
      // The first quarter is the time in which reports don't count yet.
      if (pick > 11_000) counts[index] = (counts[index] ?? 0) + 1;
      const load = `TEXT cpu_utilization=${utilizations[index]}, rps_fractional=100`;
      lease?.settle({ outcome: "success", load });
      lease?.release();
    }
    // 1/0.2 : 1/0.4 : 1/0.8 : 2/0.4.
    for (const [index, wanted] of [20, 10, 5, 20].entries())
      expect(Math.abs((counts[index] ?? 0) / 28_999 - wanted / 55)).toBeLessThan(0.01);
  });
});

const equal = (count: number, model: Partial<Model> = {}): Model[] =>
  repeat(count, () => ({ serviceMs: 10, ...model }));

describe("peakEwma over ten equal backends", () => {
  it.each([
    { clients: 1, callsPerSecond: 5, calls: 10_000 },
    { clients: 20, callsPerSecond: 5, calls: 10_000 },
    { clients: 20, callsPerSecond: 100, calls: 20_000 },
    { clients: 1, callsPerSecond: 400, calls: 40_000 },
    { clients: 20, callsPerSecond: 400, calls: 40_000 },
  ])(
    "gives each 0.75 to 1.25 of its share: $clients clients, $callsPerSecond calls/s",
    ({ clients, callsPerSecond, calls }) => {
      for (const seed of [1, 2]) {
        const { shares } = simulate({
          backends: equal(10),
          strategy: () => peakEwma(),
          clients,
          callsPerSecond,
          calls,
          seed,
        });
        for (const share of shares) expect(share >= 0.075 && share <= 0.125).toBe(true);
      }
    },
  );
});

describe("peakEwma over weights 1:1:0.5", () => {
  it.each([
    { clients: 1, callsPerSecond: 60 },
    { clients: 20, callsPerSecond: 360 },
  ])("shares within 2 percentage points of 40:40:20 ($clients clients, $callsPerSecond calls/s)", (load) => {
    const { shares } = simulate({
      backends: [1, 1, 0.5].map((weight) => ({ serviceMs: 10, weight })),
      strategy: () => peakEwma(),
      calls: 50_000,
      seed: 3,
      ...load,
    });
    for (const [index, wanted] of [0.4, 0.4, 0.2].entries())
      expect(Math.abs((shares[index] ?? 0) - wanted)).toBeLessThan(0.02);
  });
});

describe("peakEwma with a backend that is left out", () => {
  it("keeps the others near their weights: 1:2 beside a slow one stay within a quarter of that", () => {
    const { shares } = simulate({
      backends: [
        { serviceMs: 10, weight: 1 },
        { serviceMs: 10, weight: 2 },
        { serviceMs: 200, weight: 1 },
      ],
      strategy: () => peakEwma(),
      clients: 1,
      callsPerSecond: 20,
      calls: 20_000,
      warmUp: 500,
      seed: 1,
    });
    expect(shares[2]).toBeLessThan(0.02);
    const ratio = (shares[1] ?? 0) / (shares[0] ?? 0);
    expect(ratio).toBeGreaterThan(1.5);
    expect(ratio).toBeLessThan(2.5);
  });
});

const p99Of = (backends: readonly Model[]): number => {
  const capacity = backends.reduce((sum, { serviceMs }) => sum + 4_000 / serviceMs, 0);
  const results = [1, 2, 3].map((seed) =>
    simulate({
      backends,
      strategy: () => peakEwma(),
      clients: 20,
      callsPerSecond: 0.7 * capacity,
      calls: 60_000,
      warmUp: 20_000,
      seed,
    }),
  );
  return results.map(({ p99Ms }) => p99Ms).sort((a, b) => a - b)[1] ?? Number.NaN;
};

describe("the tail under peakEwma, at 70 % load with 20 clients", () => {
  let homogeneousMs = Number.NaN;
  beforeAll(() => {
    homogeneousMs = p99Of(equal(10));
  });

  it("is that of the exponential service time itself, and little more, where all are equal", () => {
    // ln(100) · 10 ms = 46 ms without any waiting; simulated before: 50 ms.
    expect(homogeneousMs).toBeGreaterThan(46);
    expect(homogeneousMs).toBeLessThan(53);
  });

  it("stays within 10 % of that with one of ten ten times slower", () => {
    expect(p99Of([...equal(9), { serviceMs: 100 }])).toBeLessThan(1.1 * homogeneousMs);
  });

  it("stays within 25 % of that with three of ten ten times slower", () => {
    expect(p99Of([...equal(7), ...equal(3, { serviceMs: 100 })])).toBeLessThan(1.25 * homogeneousMs);
  });
});
