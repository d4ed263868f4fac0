import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBalancer } from "../src/balancer.ts";
import type { Attempt } from "../src/call/attempt.ts";
import type { Balancer } from "../src/contract.ts";
import { createRandom } from "../src/random.ts";
import { type VirtualClock, virtualClock } from "../src/testing/index.ts";

interface CallPlan {
  readonly atMs: number;
  /** `deaf` does not hear of its abort; `hangs` ends by nothing else. */
  readonly how: "value" | "bad value" | "error" | "unsent" | "throws" | "hangs" | "deaf";
  readonly ms: number;
  readonly holdMs: number | undefined;
  readonly abortAfterMs: number | undefined;
  readonly idempotent: boolean;
  readonly kind: "request" | "connection";
  readonly pinned: string | undefined;
}

interface LeasePlan {
  readonly atMs: number;
  readonly waits: boolean;
  readonly kind: "request" | "connection";
  readonly steps: readonly ("settle" | "fail" | "release" | "late" | "dispose")[];
  readonly abortAfterMs: number | undefined;
}

const optionalMs = fc.option(fc.nat(2_000), { nil: undefined });
const kind = fc.constantFrom("request" as const, "connection" as const);
const callPlan: fc.Arbitrary<CallPlan> = fc.record({
  atMs: fc.nat(3_000),
  how: fc.constantFrom("value", "bad value", "error", "unsent", "throws", "hangs", "deaf"),
  ms: fc.nat(1_500),
  holdMs: optionalMs,
  abortAfterMs: optionalMs,
  idempotent: fc.boolean(),
  kind,
  pinned: fc.constantFrom(undefined, undefined, "a", "nobody"),
});
const leasePlan: fc.Arbitrary<LeasePlan> = fc.record({
  atMs: fc.nat(3_000),
  waits: fc.boolean(),
  kind,
  steps: fc.array(fc.constantFrom("settle", "fail", "release", "late", "dispose"), { maxLength: 5 }),
  abortAfterMs: optionalMs,
});

/** Plays plans against a real balancer, and keeps account of what became of each. */
class Play {
  readonly clock: VirtualClock = virtualClock();
  readonly balancer: Balancer;
  pending = 0;
  readonly made: object[] = [];
  readonly returned: object[] = [];
  readonly discarded: object[] = [];

  constructor(seed: number) {
    this.balancer = createBalancer({
      name: "orders",
      backends: ["a", "b", "c"].map((id) => ({ url: `http://${id}`, id })),
      clock: this.clock,
      random: createRandom(seed),
      attemptTimeoutMs: 1_000,
      deadlineMs: 3_000,
      ejection: { consecutiveFailures: 3, baseMs: 300 },
      classify: ({ value }) => (value !== undefined && (value as { bad: boolean }).bad ? "failure" : undefined),
    });
  }

  get inFlight(): number[] {
    return this.balancer.backends.flatMap((backend) => [backend.inFlight("request"), backend.inFlight("connection")]);
  }

  call(plan: CallPlan): void {
    const controller = new AbortController();
    const { idempotent, pinned } = plan;
    this.pending++;
    this.balancer
      .call((attempt) => this.#attempt(plan, attempt), {
        idempotent,
        kind: plan.kind,
        pinned,
        signal: controller.signal,
        discard: (value) => void this.discarded.push(value),
      })
      .then(
        (value) => {
          this.pending--;
          return this.returned.push(value);
        },
        () => this.pending--,
      );
    if (plan.abortAfterMs !== undefined) this.clock.schedule(plan.abortAfterMs, () => controller.abort());
  }

  #attempt({ how, ms, holdMs }: CallPlan, attempt: Attempt): Promise<object> {
    if (how === "throws") throw new Error("thrown, not rejected");
    if (how === "unsent") attempt.markSent(false);
    if (holdMs !== undefined) {
      const release = attempt.hold();
      this.clock.schedule(ms + holdMs, () => {
        release({ outcome: "failure" });
        release();
      });
    }
    return new Promise((resolve, reject) => {
      if (how !== "deaf") attempt.onAbort(reject);
      if (how === "hangs") return;
      this.clock.schedule(ms, () => {
        if (how === "error" || how === "unsent") reject(new Error("no answer"));
        else if (how === "deaf" || !this.#gaveUp(attempt)) {
          const value = { bad: how === "bad value" };
          this.made.push(value);
          resolve(value);
        }
      });
    });
  }

  #gaveUp(attempt: Attempt): boolean {
    return attempt.signal.aborted;
  }

  async lease({ waits, kind: of, steps, abortAfterMs }: LeasePlan): Promise<void> {
    const controller = new AbortController();
    if (abortAfterMs !== undefined) this.clock.schedule(abortAfterMs, () => controller.abort());
    this.pending++;
    const lease = waits
      ? await this.balancer.acquire({ kind: of }, { signal: controller.signal }).catch(() => undefined)
      : this.balancer.tryAcquire({ kind: of });
    this.pending--;
    for (const [index, step] of [...steps, "release" as const].entries())
      this.clock.schedule((index + 1) * 50, () => {
        if (step === "settle") lease?.settle({ outcome: "success" });
        else if (step === "fail") lease?.settle({ outcome: "failure" });
        else if (step === "late") lease?.release({ outcome: "failure" });
        else if (step === "dispose") lease?.[Symbol.dispose]();
        else lease?.release();
      });
  }

  schedule(calls: readonly CallPlan[], leases: readonly LeasePlan[]): void {
    for (const plan of calls) this.clock.schedule(plan.atMs, () => this.call(plan));
    for (const plan of leases)
      this.clock.schedule(plan.atMs, () => {
        this.lease(plan).catch(() => {});
      });
  }
}

const plans = [
  fc.array(callPlan, { maxLength: 25 }),
  fc.array(leasePlan, { maxLength: 10 }),
  fc.integer({ min: 1, max: 1e6 }),
] as const;

describe("the in-flight counts of every backend and kind", () => {
  it("are zero after any mix of success, failure, throw, abort, hold and timeout", async () => {
    await fc.assert(
      fc.asyncProperty(...plans, async (calls, leases, seed) => {
        const play = new Play(seed);
        play.schedule(calls, leases);
        for (let second = 0; second < 12; second++) {
          await play.clock.advance(1_000);
          expect(play.inFlight.every((count) => count >= 0)).toBe(true);
        }
        expect(play.pending).toBe(0);
        expect(play.inFlight).toEqual([0, 0, 0, 0, 0, 0]);
        const { backends } = play.balancer.snapshot();
        for (const { attempts, successes, failures, overloads, unreached, ignored } of backends)
          expect(successes + failures + overloads + unreached + ignored).toBe(attempts);
        // Nothing is left that would keep a process alive.
        expect(play.clock.pending).toBe(0);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it("are zero as soon as the balancer is closed, and stay so, whatever was under way", async () => {
    await fc.assert(
      fc.asyncProperty(...plans, fc.nat(4_000), fc.nat(1_000), async (calls, leases, seed, closeAtMs, drainMs) => {
        const play = new Play(seed);
        const backends = [...play.balancer.backends];
        const inFlight = (): number[] => backends.flatMap((b) => [b.inFlight("request"), b.inFlight("connection")]);
        play.schedule(calls, leases);
        await play.clock.advance(closeAtMs);
        let closed = false;
        play.balancer.close({ drainMs }).then(
          () => (closed = true),
          () => {},
        );
        await play.clock.advance(drainMs);
        expect(closed).toBe(true);
        expect(inFlight()).toEqual([0, 0, 0, 0, 0, 0]);
        await play.clock.advance(10_000);
        expect(play.pending).toBe(0);
        expect(inFlight()).toEqual([0, 0, 0, 0, 0, 0]);
        expect(play.clock.pending).toBe(0);
      }),
      { seed: 2, numRuns: 60 },
    );
  });
});

describe("the values that attempts come to", () => {
  it("are each returned or discarded, once", async () => {
    await fc.assert(
      fc.asyncProperty(plans[0], plans[2], async (calls, seed) => {
        const play = new Play(seed);
        play.schedule(calls, []);
        await play.clock.advance(12_000);
        const ends = new Map<object, number>();
        for (const value of [...play.returned, ...play.discarded]) ends.set(value, (ends.get(value) ?? 0) + 1);
        expect(play.made.map((value) => ends.get(value) ?? 0)).toEqual(play.made.map(() => 1));
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});
