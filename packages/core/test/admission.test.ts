import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AdminState, Backend, BackendSpec } from "../src/backend.ts";
import { createBalancer } from "../src/balancer.ts";
import type { Balancer, Lease } from "../src/contract.ts";
import type { BreakerProvider } from "../src/gate/breaker.ts";
import { createRandom } from "../src/random.ts";
import { first } from "../src/strategy/first.ts";
import { leastRequest } from "../src/strategy/least-request.ts";
import { peakEwma } from "../src/strategy/peak-ewma.ts";
import { random } from "../src/strategy/random.ts";
import { roundRobin } from "../src/strategy/round-robin.ts";
import type { PickRequest, Strategy } from "../src/strategy/strategy.ts";
import { virtualClock } from "../src/testing/index.ts";
import { repeat } from "./fakes.ts";

/** What a test may do to one backend, by its index modulo the size; or to the world. */
type Step =
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "pick"; readonly request: RequestPlan }
  | { readonly do: "settle"; readonly which: number; readonly how: "success" | "failure" | "pause" }
  | { readonly do: "break"; readonly which: number; readonly times: number }
  | { readonly do: "breaker" | "disable" | "enable" | "drain" | "leave" | "panic"; readonly which: number };

interface RequestPlan {
  readonly kind: "request" | "connection";
  readonly pinned: number | undefined;
  readonly pinPolicy: "redistribute" | "wait" | "fail";
  readonly tried: readonly number[];
  readonly replayable: boolean;
  readonly hashKey: string | undefined;
}

/** The world as it should be: kept apart from the balancer's own state, by what it was told and what it announced. */
class Model {
  readonly clock = virtualClock();
  readonly balancer: Balancer;
  readonly #specs: readonly (BackendSpec & { readonly id: string })[];
  readonly #open = new Set<string>();
  readonly #left = new Set<string>();
  readonly #states = new Map<string, AdminState>();
  readonly #pausedUntilMs = new Map<string, number>();
  readonly #ejectedUntilMs = new Map<string, number>();
  readonly #panic = new Set<number>();
  readonly #byId: ReadonlyMap<string, Backend>;
  #leases: Lease[] = [];
  picked = 0;

  constructor(strategy: Strategy, size: number, seed: number) {
    const source = createRandom(seed);
    this.#specs = repeat(size, (index) => ({
      url: "http://10.0.0.1",
      id: `${index}`,
      weight: 1 + Math.floor(source.next() * 4),
      priority: source.next() < 0.7 ? 0 : 1,
      state: source.next() < 0.8 ? "enabled" : "degraded",
    }));
    const breaker: BreakerProvider = {
      name: "by hand",
      create: ({ backend }) => ({
        state: "closed",
        admits: () => !this.#open.has(backend),
        enter: () => 0,
        report: () => {},
        [Symbol.dispose]: () => {},
      }),
    };
    this.balancer = createBalancer({
      name: "orders",
      backends: this.#specs,
      strategy,
      breaker,
      clock: this.clock,
      random: source,
      ejection: { consecutiveFailures: 2, baseMs: 500, maxMs: 4_000 },
    });
    this.#byId = new Map(this.balancer.backends.map((backend) => [backend.id, backend]));
    const wallOffset = this.clock.wallNow() - this.clock.now();
    this.balancer.on("backendEjected", ({ backend, untilAt }) =>
      this.#ejectedUntilMs.set(backend, untilAt - wallOffset),
    );
    this.balancer.on("backendReturned", ({ backend }) => this.#ejectedUntilMs.delete(backend));
    this.balancer.on("panicEntered", ({ priority }) => this.#panic.add(priority));
    this.balancer.on("panicLeft", ({ priority }) => this.#panic.delete(priority));
  }

  do(step: Step): void {
    if (step.do === "wait") this.clock.advanceSync(step.ms);
    else if (step.do === "pick") this.#pick(step.request);
    else if (step.do === "settle") this.#settle(step.which, step.how);
    else this.#change(step);
  }

  #change(step: Exclude<Step, { do: "wait" | "pick" | "settle" }>): void {
    const { id } = this.#at(step.which);
    if (step.do === "breaker") this.#toggle(this.#open, id);
    else if (step.do === "panic") this.balancer.configure({ panicThreshold: step.which % 2 === 0 ? 0 : 50 });
    else if (step.do === "leave") {
      this.#toggle(this.#left, id);
      // Never an empty set.
      if (this.#left.size === this.#specs.length) this.#left.clear();
      this.balancer.set(this.#specs.filter((spec) => !this.#left.has(spec.id)));
    } else if (!this.#left.has(id)) this.#operate(step, id);
  }

  #operate(step: Exclude<Step, { do: "wait" | "pick" | "settle" }>, id: string): void {
    if (step.do === "break") {
      for (let count = 0; count < step.times; count++) this.balancer.observe(id, { outcome: "failure" });
    } else if (step.do === "disable") {
      this.balancer.disable(id);
      this.#states.set(id, "disabled");
    } else if (step.do === "drain") {
      this.balancer.drain(id).catch(() => {});
      this.#states.set(id, "draining");
    } else if (step.do === "enable") {
      this.balancer.enable(id);
      this.#states.delete(id);
      this.#pausedUntilMs.delete(id);
      this.#ejectedUntilMs.delete(id);
    }
  }

  #settle(which: number, how: "success" | "failure" | "pause"): void {
    const lease = this.#leases[which % Math.max(1, this.#leases.length)];
    if (lease === undefined) return;
    this.#leases = this.#leases.filter((other) => other !== lease);
    const pauseMs = how === "pause" ? 1_500 : undefined;
    lease.settle({ outcome: how === "pause" ? "overload" : how, retryAfterMs: pauseMs });
    const { id } = lease.backend;
    // A backend that came back under the same id is another one.
    if (pauseMs !== undefined && this.balancer.backends.includes(lease.backend))
      this.#pausedUntilMs.set(id, Math.max(this.#pausedUntilMs.get(id) ?? 0, this.clock.now() + pauseMs));
    lease.release();
    this.#forgetGone();
  }

  #pick({ pinned, tried, ...rest }: RequestPlan): void {
    const request: PickRequest = {
      ...rest,
      pinned: pinned === undefined ? undefined : this.#at(pinned).id,
      tried: tried.length === 0 ? undefined : new Set(tried.flatMap((index) => this.#byIdNow(this.#at(index).id))),
    };
    const lease = this.balancer.tryAcquire(request);
    this.#forgetGone();
    if (lease === undefined) return;
    this.picked++;
    expect(this.#objections(lease.backend, request)).toEqual([]);
    this.#leases.push(lease);
  }

  /** Everything that should have kept the call away. */
  #objections({ id }: Backend, request: PickRequest): string[] {
    const nowMs = this.clock.now();
    const state = this.#states.get(id) ?? "enabled";
    const { priority = 0 } = this.#specs[Number(id)] ?? {};
    const here = request.pinned === id;
    const backend = this.#byIdNow(id)[0];
    const objections = {
      gone: this.#left.has(id),
      disabled: state === "disabled",
      draining: state === "draining" && !here,
      paused: nowMs < (this.#pausedUntilMs.get(id) ?? 0),
      broken: this.#open.has(id),
      tried: backend !== undefined && request.tried?.has(backend) === true,
      ejected: nowMs < (this.#ejectedUntilMs.get(id) ?? 0) && !this.#panic.has(priority),
    };
    return Object.entries(objections)
      .filter(([, holds]) => holds)
      .map(([name]) => `${id} is ${name}`);
  }

  /** Whoever left and has come back, or is gone for good, has no history. */
  #forgetGone(): void {
    for (const { id } of this.#specs) {
      if (this.#byIdNow(id)[0] === this.#byId.get(id)) continue;
      this.#states.delete(id);
      this.#pausedUntilMs.delete(id);
      if (!this.balancer.snapshot().backends.some((snapshot) => snapshot.id === id && snapshot.ejectedUntilAt !== null))
        this.#ejectedUntilMs.delete(id);
    }
  }

  #byIdNow(id: string): Backend[] {
    return this.balancer.backends.filter((backend) => backend.id === id);
  }

  #toggle(set: Set<string>, id: string): void {
    if (!set.delete(id)) set.add(id);
  }

  #at(index: number): BackendSpec & { readonly id: string } {
    return this.#specs[index % this.#specs.length]!;
  }
}

const which = fc.nat(50);
const requestPlan: fc.Arbitrary<RequestPlan> = fc.record({
  kind: fc.constantFrom("request", "request", "connection"),
  pinned: fc.option(which, { nil: undefined, freq: 3 }),
  pinPolicy: fc.constantFrom("redistribute", "wait", "fail"),
  tried: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(which, { maxLength: 3 }) },
  ),
  replayable: fc.boolean(),
  hashKey: fc.option(fc.string({ maxLength: 3 }), { nil: undefined, freq: 3 }),
});
const pick = fc.record({ do: fc.constant("pick" as const), request: requestPlan });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.oneof(fc.nat(20), fc.nat(3_000)) }) },
  { weight: 8, arbitrary: pick },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      which,
      how: fc.constantFrom("success", "failure", "failure", "pause"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("break" as const), which, times: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("breaker", "disable", "enable", "drain", "panic"), which }),
  },
);

const STRATEGIES: readonly (readonly [string, () => Strategy])[] = [
  ["peakEwma", peakEwma],
  ["leastRequest", leastRequest],
  ["roundRobin", roundRobin],
  ["random", random],
  ["first", first],
];

describe.each(STRATEGIES)("under %s", (_, create) => {
  it.each([3, 6, 40])(
    "nobody gone, disabled, draining (unless pinned), paused, tried, cut off by its breaker or ejected (unless in panic) is picked of %d",
    (size) => {
      let picked = 0;
      fc.assert(
        fc.property(
          fc.array(step, { minLength: 30, maxLength: 120, size: "max" }),
          fc.integer({ min: 1, max: 1e6 }),
          (steps, seed) => {
            const model = new Model(create(), size, seed);
            for (const item of steps) model.do(item);
            picked += model.picked;
          },
        ),
        { seed: 4, numRuns: size === 40 ? 25 : 60 },
      );
      // The model is no excuse for picking nobody.
      expect(picked).toBeGreaterThan(500);
    },
  );
});

describe("a set that changes while leases are held", () => {
  it.each(STRATEGIES)("never gives a call to a backend that has left, under %s", (_, create) => {
    const leaving = fc.record({ do: fc.constant("leave" as const), which });
    const settling = fc.record({ do: fc.constant("settle" as const), which, how: fc.constant("success" as const) });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(leaving, settling, pick), { minLength: 10, maxLength: 80, size: "max" }),
        (steps) => {
          const model = new Model(create(), 5, 9);
          for (const item of steps) model.do(item);
        },
      ),
      { seed: 5, numRuns: 60 },
    );
  });
});
