import { describe, expect, it } from "vitest";
import { createBalancer } from "../src/balancer.ts";
import type { Attempt } from "../src/call/attempt.ts";
import type { Report } from "../src/call/outcome.ts";
import type { Balancer, Lease } from "../src/contract.ts";
import type { Breaker, BreakerProvider } from "../src/gate/breaker.ts";
import { createRandom, type Random } from "../src/random.ts";
import { leastRequest } from "../src/strategy/least-request.ts";
import { peakEwma } from "../src/strategy/peak-ewma.ts";
import { random } from "../src/strategy/random.ts";
import { reportedLoad } from "../src/strategy/reported-load/reported-load.ts";
import { roundRobin } from "../src/strategy/round-robin.ts";
import type { Strategy } from "../src/strategy/strategy.ts";
import { virtualClock } from "../src/testing/index.ts";
import { repeat } from "./fakes.ts";

const ATTEMPT_TIMEOUT_MS = 1_000;
const LONGEST_MS = 20_000;
/** T of docs/strategies.md: the longest ejection, breaker or pause, and one attempt's timeout. */
const T_MS = LONGEST_MS + ATTEMPT_TIMEOUT_MS;
const LEFT_OUT_MS = 30_000;

type Fault = "none" | "fails" | "hangs" | "pauses" | "breaks";

/** Backends that work and fail as they are told, behind a real balancer. */
class World {
  readonly clock = virtualClock();
  readonly balancer: Balancer;
  readonly weights: readonly number[];
  readonly faults: Fault[];
  readonly #random: Random;
  readonly #serviceMs: readonly number[];
  readonly #brokenUntilMs: number[];
  picks: number[];

  constructor(strategy: Strategy, weights: readonly number[], seed: number) {
    this.#random = createRandom(seed);
    this.weights = weights;
    this.faults = weights.map(() => "none");
    this.picks = weights.map(() => 0);
    this.#brokenUntilMs = weights.map(() => 0);
    // Some work, but slowly.
    this.#serviceMs = weights.map(() => (this.#random.next() < 0.2 ? 500 : 10));
    this.balancer = createBalancer({
      name: "orders",
      backends: weights.map((weight, index) => ({ url: "http://10.0.0.1", id: `${index}`, weight })),
      strategy,
      breaker: this.#breaker(),
      clock: this.clock,
      random: createRandom(seed + 1),
      ejection: { consecutiveFailures: 3, baseMs: 1_000, maxMs: LONGEST_MS },
      pauseLimitMs: LONGEST_MS,
    });
  }

  #breaker(): BreakerProvider {
    const create = (index: number): Breaker => ({
      state: "closed",
      admits: (nowMs) => nowMs >= (this.#brokenUntilMs[index] ?? 0),
      enter: () => 0,
      report: (_, { outcome }, nowMs) => {
        if (outcome === "failure" && this.faults[index] === "breaks") this.#brokenUntilMs[index] = nowMs + LONGEST_MS;
      },
      [Symbol.dispose]: () => {},
    });
    return { name: "by hand", create: ({ backend }) => create(Number(backend)) };
  }

  /** One call, `gapMs` after the one before. */
  call(gapMs: number): void {
    this.clock.advanceSync(gapMs);
    const lease = this.balancer.tryAcquire({ replayable: this.#random.next() < 0.5 });
    if (lease === undefined) return;
    const index = Number(lease.backend.id);
    this.picks[index] = (this.picks[index] ?? 0) + 1;
    this.#answer(
      lease,
      this.faults[index] ?? "none",
      -(this.#serviceMs[index] ?? 0) * Math.log(1 - this.#random.next()),
    );
  }

  #answer(lease: Lease, fault: Fault, serviceMs: number): void {
    const done = (delayMs: number, settle: () => void): void => {
      this.clock.schedule(delayMs, () => {
        settle();
        lease.release();
      });
    };
    if (fault === "none") done(Math.min(serviceMs, ATTEMPT_TIMEOUT_MS - 1), () => lease.settle(this.#success()));
    else if (fault === "hangs") done(ATTEMPT_TIMEOUT_MS, () => lease.settle({ outcome: "failure", origin: "local" }));
    else if (fault === "pauses") done(1, () => lease.settle({ outcome: "overload", retryAfterMs: 3_600_000 }));
    else done(1, () => lease.settle({ outcome: "failure", status: 500 }));
  }

  /** It says how busy it is: half or all of it. */
  #success(): Report {
    return {
      outcome: "success",
      load: `TEXT rps_fractional=10, cpu_utilization=${this.#random.next() < 0.5 ? 0.5 : 1}`,
    };
  }

  /** Failures and recoveries, at random, for a while. */
  trouble(calls: number, gapMs: number): void {
    const faults: readonly Fault[] = ["none", "none", "fails", "hangs", "pauses", "breaks"];
    for (let call = 0; call < calls; call++) {
      if (this.#random.next() < 0.02)
        this.faults[Math.floor(this.#random.next() * this.faults.length)] =
          faults[Math.floor(this.#random.next() * faults.length)] ?? "none";
      this.call(gapMs);
    }
  }

  /** Calls until both have passed; then who has had none since. */
  forgotten(ms: number, calls: number, gapMs: number, between: () => void = () => {}): number[] {
    this.picks = this.weights.map(() => 0);
    const beganMs = this.clock.now();
    for (let call = 0; call < calls || this.clock.now() - beganMs < ms; call++) {
      between();
      this.call(gapMs);
    }
    return this.picks.flatMap((count, index) => (count === 0 ? [index] : []));
  }
}

interface Spreading {
  readonly name: string;
  readonly create: () => Strategy;
  readonly size: number;
  /** Eligible calls within which each is picked. */
  readonly k: (weights: readonly number[]) => number;
  /** Weights are no multiples of anything. */
  readonly odd?: boolean;
}

const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);
const LEAST_WEIGHT = 0.5;
const leftOutRule = (weights: readonly number[]): number => 101 * weights.length;
const heaviest = (weights: readonly number[]): number => sum(weights) / LEAST_WEIGHT;
const byTurns = (weights: readonly number[]): number => 2 * heaviest(weights) + weights.length;
/** By effective weights: reports make them up to twice as different. */
const byReports = (weights: readonly number[]): number => 4 * heaviest(weights) + weights.length;

const SPREADING: readonly Spreading[] = [
  { name: "peakEwma", create: () => peakEwma(), size: 5, k: leftOutRule },
  { name: "peakEwma over many", create: () => peakEwma(), size: 40, k: leftOutRule },
  { name: "leastRequest", create: () => leastRequest(), size: 5, k: leftOutRule },
  { name: "leastRequest over many", create: () => leastRequest(), size: 40, k: leftOutRule },
  { name: "roundRobin", create: roundRobin, size: 6, k: byTurns },
  { name: "roundRobin by deadlines", create: roundRobin, size: 6, k: byTurns, odd: true },
  { name: "roundRobin by deadlines over many", create: roundRobin, size: 40, k: byTurns, odd: true },
  { name: "reportedLoad", create: () => reportedLoad({ updateMs: 100 }), size: 6, k: byReports },
  { name: "random", create: random, size: 6, k: (weights) => 25 * heaviest(weights) },
];

const weightsOf = (size: number, source: Random, odd = false): number[] =>
  repeat(size, () => LEAST_WEIGHT + Math.floor(source.next() * 5) / 2 + (odd ? source.next() / 10 : 0));

describe.each(SPREADING)("under $name", ({ create, size, k, odd }) => {
  const SEEDS = repeat(size > 10 ? 3 : 20, (index) => index + 1);

  it.each([20, 2_000])(
    "every backend that works again is picked within max(T, 30 s) and K calls, and goes on being so (a call per %d ms)",
    (gapMs) => {
      for (const seed of SEEDS) {
        const source = createRandom(seed * 31);
        const world = new World(create(), weightsOf(size, source, odd), seed);
        world.trouble(600, gapMs);
        world.faults.fill("none");
        const limitMs = Math.max(T_MS, LEFT_OUT_MS);
        expect(world.forgotten(limitMs, k(world.weights), gapMs), `seed ${seed}, after trouble`).toEqual([]);
        // The slow start of those that came back is over: K holds for the full weights.
        expect(world.forgotten(LEFT_OUT_MS, k(world.weights), gapMs), `seed ${seed}, later`).toEqual([]);
      }
    },
  );

  it.each([1, 3])("also while the view changes with every %d calls", (every) => {
    for (const seed of SEEDS) {
      const source = createRandom(seed * 17);
      const world = new World(create(), weightsOf(size, source, odd), seed);
      world.forgotten(LEFT_OUT_MS, 200, 500);
      let calls = 0;
      const churn = (): void => {
        // Setting a weight to what it is changes nothing but the view.
        if (calls++ % every === 0) world.balancer.setWeight("0", world.weights[0] ?? 1);
      };
      expect(world.forgotten(LEFT_OUT_MS, k(world.weights), 500, churn), `seed ${seed}`).toEqual([]);
    }
  });
});

describe("a backend whose ejection was switched off while it was out", () => {
  it("takes its share again, and more than one call at a time", () => {
    const world = new World(roundRobin(), [1, 1, 1, 1], 1);
    world.faults[0] = "fails";
    for (let call = 0; call < 100; call++) world.call(10);
    expect(world.balancer.snapshot().backends[0]?.health).not.toBe("healthy");
    world.faults[0] = "none";
    world.balancer.configure({ ejection: false });
    for (let call = 0; call < 100; call++) world.call(1_000);
    const leases = repeat(8, () => world.balancer.tryAcquire());
    expect(leases.filter((lease) => lease?.backend.id === "0")).toHaveLength(2);
    expect(world.balancer.snapshot().backends[0]?.health).toBe("healthy");
  });
});

describe("a backend that hangs, and whose callers give up before it does", () => {
  it.each([true, false])("gets no more than its share of the calls (it answered before: %s)", async (before) => {
    const clock = virtualClock();
    const balancer = createBalancer({
      name: "orders",
      backends: ["http://a", "http://b", "http://c", "http://d"],
      clock,
      random: createRandom(1),
    });
    let hangs = !before;
    let lost = 0;
    const call = async (): Promise<void> => {
      const controller = new AbortController();
      const patience = clock.schedule(500, () => controller.abort());
      const work = (attempt: Attempt): Promise<void> =>
        new Promise((resolve, reject) => {
          attempt.onAbort(reject);
          if (!hangs || attempt.backend.id !== "a:80") clock.schedule(10, resolve);
        });
      balancer.call(work, { signal: controller.signal }).then(
        () => patience.cancel(),
        () => lost++,
      );
      await clock.advance(1_000);
    };
    for (let count = 0; count < 40; count++) await call();
    hangs = true;
    lost = 0;
    for (let count = 0; count < 100; count++) await call();
    expect(lost).toBeLessThanOrEqual(25);
  });
});
