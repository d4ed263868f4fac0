import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBalancer } from "../src/balancer.ts";
import type { BudgetOptions } from "../src/call/budget-settings.ts";
import { createRandom } from "../src/random.ts";
import { virtualClock } from "../src/testing/index.ts";

const SIZE = 4;

interface Step {
  readonly waitMs: number;
  readonly calls: number;
  readonly how: "fails" | "was not sent" | "works";
  readonly idempotent: boolean;
}

interface Times {
  readonly calls: number[];
  readonly retries: number[];
  readonly requeues: number[];
  extraAttempts: number;
}

/** Real calls; notes when each began and when each extra attempt was granted. */
async function play(
  steps: readonly Step[],
  retryBudget: BudgetOptions,
  requeueBudget: BudgetOptions,
  seed: number,
): Promise<Times> {
  const clock = virtualClock({ nowMs: seed });
  const times: Times = { calls: [], retries: [], requeues: [], extraAttempts: 0 };
  const balancer = createBalancer({
    name: "orders",
    backends: Array.from({ length: SIZE }, (_, index) => ({ url: "http://10.0.0.1", id: `${index}` })),
    clock,
    random: createRandom(seed),
    retry: { limit: 3 },
    retryBudget,
    requeueBudget,
    ejection: { baseMs: 1_000 },
  });
  let before = balancer.snapshot().calls;
  balancer.on("attemptRetried", () => {
    const after = balancer.snapshot().calls;
    for (let count = before.retries; count < after.retries; count++) times.retries.push(clock.now());
    for (let count = before.requeues; count < after.requeues; count++) times.requeues.push(clock.now());
    before = after;
  });
  for (const { waitMs, calls, how, idempotent } of steps) {
    await clock.advance(waitMs);
    for (let call = 0; call < calls; call++) {
      times.calls.push(clock.now());
      balancer
        .call(
          (attempt) => {
            if (attempt.number > 1) times.extraAttempts++;
            if (how === "was not sent") attempt.markSent(false);
            return how === "works" ? Promise.resolve(1) : Promise.reject(new Error("no answer"));
          },
          { idempotent },
        )
        .catch(() => {});
    }
  }
  await clock.advance(60_000);
  await balancer.close();
  return times;
}

function expectWithin(extra: readonly number[], calls: readonly number[], budget: Required<BudgetOptions>): void {
  const moments = [...new Set(extra)];
  for (const from of moments)
    for (const to of moments) {
      if (to < from) continue;
      const granted = extra.filter((atMs) => atMs >= from && atMs <= to).length;
      const paying = calls.filter((atMs) => atMs >= from - 10_000 && atMs <= to).length;
      const { ratio = 0, minPerSecond = 0, burst = 0 } = budget;
      expect(granted).toBeLessThanOrEqual(
        (ratio ?? 0) * paying + ((minPerSecond ?? 0) * (to - from)) / 1_000 + (burst ?? 0) + 1e-6,
      );
    }
}

const step: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.nat(3_000),
  calls: fc.nat(40),
  how: fc.constantFrom("fails", "fails", "was not sent", "works"),
  idempotent: fc.boolean(),
});
const budgetOptions = fc.record({
  ratio: fc.constantFrom(0, 0.1, 0.2, 1),
  minPerSecond: fc.constantFrom(0, 1, 3),
  burst: fc.constantFrom(0, 5, 10),
});

describe("the extra attempts of real calls", () => {
  it("never exceed their budgets, in any span of time", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        budgetOptions,
        budgetOptions,
        fc.integer({ min: 1, max: 1e6 }),
        async (steps, retryBudget, requeueBudget, seed) => {
          const times = await play(steps, retryBudget, requeueBudget, seed);
          expectWithin(times.retries, times.calls, retryBudget);
          expectWithin(times.requeues, times.calls, requeueBudget);
          expect(times.extraAttempts).toBeLessThanOrEqual(times.retries.length + times.requeues.length);
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  it("are a fifth of the calls plus 1 a second and 10, when every backend fails for a minute at 20 calls/s", async () => {
    const steps: Step[] = Array.from({ length: 1_200 }, () => ({
      waitMs: 50,
      calls: 1,
      how: "fails",
      idempotent: true,
    }));
    const { retries } = await play(steps, {}, {}, 7);
    // The last of the 60 s may be decided after its back-off.
    expect(retries.length).toBeLessThanOrEqual(0.2 * 1_200 + 62 + 10);
    expect(retries.length).toBeGreaterThan(0.9 * (0.2 * 1_200 + 60));
  });

  it("are at most one per other backend for what was never sent", async () => {
    const { requeues, retries, extraAttempts } = await play(
      [{ waitMs: 0, calls: 1, how: "was not sent", idempotent: false }],
      { ratio: 0, minPerSecond: 0, burst: 0 },
      { ratio: 100 },
      7,
    );
    expect([requeues.length, retries.length, extraAttempts]).toEqual([SIZE - 1, 0, SIZE - 1]);
  });
});
