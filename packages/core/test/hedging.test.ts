// A second attempt beside one that takes long, under a virtual clock.
import { type BalancerOptions, type HedgingOptions, hedging } from "@fairlead/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Answer, timed } from "./support/timed.ts";
import { held, one, record, refused, rejection, reset, watch, world } from "./support/world.ts";

const idempotent = { idempotent: true };

function hedged(
  answers: Record<string, Answer>,
  hedge: HedgingOptions = { delayMs: 50 },
  options: Partial<BalancerOptions> = {},
) {
  const { balancer, clock } = world(Object.keys(answers).length, { hedge: hedging(hedge), ...options });
  return { balancer, clock, ...timed(clock, answers) };
}

describe("an attempt that takes long", () => {
  test("gets a rival on another backend, whose answer counts; the loser is ended and blames nobody", async () => {
    const { balancer, clock, run, visits, aborted } = hedged({ a: { afterMs: 5_000 }, b: { afterMs: 10 } });
    const announced = record(balancer, "attemptHedged");
    const call = watch(balancer.call(run, idempotent));
    await clock.advance(49);
    expect(visits).toEqual(["a"]);
    await clock.advance(11);
    expect(call).toMatchObject({ state: "fulfilled", value: "b" });
    expect({ visits, aborted }).toEqual({ visits: ["a", "b"], aborted: ["a"] });
    expect(announced.map((entry) => entry.record)).toEqual([{ upstream: "orders", backend: "b" }]);
    expect(one(balancer, "a")).toMatchObject({ failures: 0, ignored: 1, requests: 0 });
    expect(balancer.snapshot().calls).toMatchObject({ calls: 1, succeeded: 1, failed: 0, hedges: 1, retries: 0 });
    expect(clock.pending).toBe(0);
  });

  test("may still win; then the rival is ended, and the caller's abort ends the answer's body", async () => {
    const { balancer, clock, visits, aborted, run } = hedged({ a: { afterMs: 60 }, b: { afterMs: 500 } });
    const controller = new AbortController();
    const call = watch(
      balancer.call(
        async (attempt) => {
          const value = await run(attempt);
          attempt.hold();
          return value;
        },
        { ...idempotent, signal: controller.signal },
      ),
    );
    await clock.advance(60);
    expect(call.value).toBe("a");
    expect({ visits, aborted }).toEqual({ visits: ["a", "b"], aborted: ["b"] });
    expect(held(balancer)).toBe(1);
    controller.abort();
    expect(aborted).toEqual(["b", "a"]);
    expect(clock.pending).toBe(0);
  });

  test("has no rival when the call is not idempotent, unless that is allowed", async () => {
    for (const [idempotentOnly, rivals] of [
      [true, 0],
      [false, 1],
    ] as const) {
      const { balancer, clock, run } = hedged(
        { a: { afterMs: 100 }, b: { afterMs: 100 } },
        { delayMs: 50, idempotentOnly },
      );
      const call = watch(balancer.call(run));
      await clock.advance(200);
      expect(call.value).toBe("a");
      expect(balancer.snapshot().calls.hedges).toBe(rivals);
    }
  });

  test("has none where a call says so, or no other backend takes it; the budget gets its share back", async () => {
    const off = hedged({ a: { afterMs: 100 }, b: { afterMs: 1 } });
    const call = watch(off.balancer.call(off.run, { ...idempotent, hedge: false }));
    await off.clock.advance(100);
    expect(call.value).toBe("a");
    const alone = hedged({ a: { afterMs: 100 } }, { delayMs: 50, budget: { ratio: 0, minPerSecond: 0, burst: 1 } });
    for (let turn = 0; turn < 3; turn++) {
      const single = watch(alone.balancer.call(alone.run, idempotent));
      await alone.clock.advance(100);
      expect(single.value).toBe("a");
    }
    expect(alone.balancer.snapshot().calls).toMatchObject({ hedges: 0, hedgesDenied: 0 });
  });

  test("gets as many rivals as the limit says, one after the other, each elsewhere", async () => {
    const slow = { afterMs: 1_000 };
    const { balancer, clock, run, visits, aborted } = hedged(
      { a: slow, b: slow, c: slow, d: slow },
      { delayMs: 50, limit: 2 },
    );
    const call = watch(balancer.call(run, idempotent));
    await clock.advance(999);
    expect(visits).toEqual(["a", "b", "c"]);
    await clock.advance(1);
    expect(call.value).toBe("a");
    expect(aborted.sort()).toEqual(["b", "c"]);
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });
});

describe("an attempt that fails while a rival runs", () => {
  test("leaves the call to the rival, without a retry", async () => {
    const { balancer, clock, run, visits } = hedged({
      a: { afterMs: 60, error: reset() },
      b: { afterMs: 100 },
      c: { afterMs: 1 },
    });
    const call = watch(balancer.call(run, idempotent));
    await clock.advance(150);
    expect(call.value).toBe("b");
    expect(visits).toEqual(["a", "b"]);
    expect(one(balancer, "a").failures).toBe(1);
    expect(balancer.snapshot().calls).toMatchObject({ succeeded: 1, retries: 0, hedges: 1 });
  });

  test("is followed by a retry when the rival fails as well; the error names all", async () => {
    const { balancer, clock, run, visits } = hedged(
      { a: { afterMs: 60, error: reset() }, b: { afterMs: 20, error: reset() }, c: { afterMs: 1, error: reset() } },
      { delayMs: 50 },
      { retry: { limit: 1, jitter: false } },
    );
    const call = watch(balancer.call(run, idempotent));
    await clock.advance(60);
    expect(visits).toEqual(["a", "b"]);
    await clock.advance(1_000);
    expect(visits).toEqual(["a", "b", "c"]);
    expect(call.error).toMatchObject({
      code: "FAIRLEAD_ERR_RETRIES_EXHAUSTED",
      attempts: [{ backend: "a" }, { backend: "b" }, { backend: "c" }],
    });
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });

  test("in a way that no repeat mends ends the call, and the rival", async () => {
    const wrong = new Error("not mine");
    const { balancer, clock, run, aborted } = hedged(
      { a: { afterMs: 60, error: wrong }, b: { afterMs: 500 } },
      { delayMs: 50 },
      { classify: ({ error }) => (error === wrong ? "ignored" : undefined) },
    );
    const call = watch(balancer.call(run, idempotent));
    await clock.advance(60);
    expect(call.error).toBe(wrong);
    expect(aborted).toEqual(["b"]);
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });

  test("by timeout does so, too; the deadline ends both", async () => {
    const hanging = { afterMs: 1_000_000 };
    const { balancer, clock, run, visits } = hedged(
      { a: hanging, b: hanging },
      { delayMs: 50 },
      { attemptTimeoutMs: 100, deadlineMs: 140 },
    );
    const call = watch(balancer.call(run, idempotent));
    await clock.advance(139);
    expect(call.state).toBe("pending");
    expect(visits).toEqual(["a", "b"]);
    await clock.advance(1);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT", attempts: [{ backend: "a" }, { backend: "b" }] });
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });
});

describe("a hedged call that is ended from outside", () => {
  test("by its caller, ends all attempts with the caller's reason", async () => {
    const { balancer, clock, run, aborted } = hedged({ a: { afterMs: 500 }, b: { afterMs: 500 } });
    const controller = new AbortController();
    const call = watch(balancer.call(run, { ...idempotent, signal: controller.signal }));
    await clock.advance(100);
    const reason = new Error("enough");
    controller.abort(reason);
    await clock.advance(0);
    expect(call.error).toBe(reason);
    expect(aborted.sort()).toEqual(["a", "b"]);
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });

  test("by close, leaves nothing behind, and no rival begins any more", async () => {
    const { balancer, clock, run, visits } = hedged({ a: { afterMs: 100_000 }, b: { afterMs: 100_000 } });
    const call = watch(balancer.call(run, idempotent));
    const closing = balancer.close({ drainMs: 200 });
    await clock.advance(200);
    await closing;
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    expect(visits).toEqual(["a"]);
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });
});

describe("the budget of hedges", () => {
  test("is 5 % of the calls, a floor of one a second and a burst of ten: what is over is told and left out", async () => {
    const { balancer, clock, run } = hedged({ a: { afterMs: 100 }, b: { afterMs: 100 } });
    const denied = record(balancer, "budgetExhausted");
    for (let call = 0; call < 400; call++) {
      watch(balancer.call(run, idempotent));
      await clock.advance(5);
    }
    await clock.advance(100);
    const { hedges, hedgesDenied, calls } = balancer.snapshot().calls;
    expect(calls).toBe(400);
    // Two seconds: 20 of the calls, 10 of the burst, 2 of the floor.
    expect(hedges).toBeGreaterThanOrEqual(30);
    expect(hedges).toBeLessThanOrEqual(33);
    expect(hedges + hedgesDenied).toBe(400);
    expect(denied).toHaveLength(hedgesDenied);
  });
});

describe("a percentile", () => {
  test("is that of the latest latencies, once a hundred are known", async () => {
    const { balancer, clock } = hedged({ a: { afterMs: 0 }, b: { afterMs: 0 } }, { percentile: 90 });
    let latencyMs = 10;
    const answer = ({ signal }: { readonly signal: AbortSignal }): Promise<string> =>
      new Promise((resolve, reject) => {
        const timer = clock.schedule(latencyMs, () => resolve("done"));
        signal.addEventListener("abort", () => {
          timer.cancel();
          reject(signal.reason as Error);
        });
      });
    const hedges = (): number => balancer.snapshot().calls.hedges;
    const call = async (ms: number): Promise<void> => {
      latencyMs = ms;
      watch(balancer.call(answer, idempotent));
      await clock.advance(ms);
    };
    for (let turn = 0; turn < 99; turn++) await call(10);
    await call(400);
    expect(hedges()).toBe(0);
    await clock.advance(200);
    await call(9);
    expect(hedges()).toBe(0);
    await call(30);
    expect(hedges()).toBe(1);
    // What is over twenty seconds old is forgotten: nothing is known again.
    await clock.advance(20_000);
    await call(400);
    expect(hedges()).toBe(1);
  });
});

test("whatever the backends do, each call ends once and nothing is left", async () => {
  const answers = fc.record({
    afterMs: fc.integer({ min: 0, max: 200 }),
    ends: fc.constantFrom("well", "reset", "refused", "never"),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(answers, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.option(fc.integer({ min: 0, max: 300 })),
      async (all, limit, abortAtMs) => {
        const byId = Object.fromEntries(
          all.map(({ afterMs, ends }, index) => {
            const id = String.fromCharCode(97 + index);
            if (ends === "never") return [id, { afterMs: 1e9 }];
            const error = ends === "reset" ? reset() : refused();
            return [id, ends === "well" ? { afterMs } : { afterMs, error }];
          }),
        );
        const { balancer, clock, run, visits } = hedged(
          byId,
          { delayMs: 30, limit },
          { attemptTimeoutMs: 150, deadlineMs: 500 },
        );
        const controller = new AbortController();
        const call = watch(balancer.call(run, { ...idempotent, signal: controller.signal }));
        if (abortAtMs !== null) clock.schedule(abortAtMs, () => controller.abort());
        await clock.advance(600);
        expect(call.state).not.toBe("pending");
        const { calls, succeeded, failed, aborted, retries, requeues, hedges } = balancer.snapshot().calls;
        expect(succeeded + failed + aborted).toBe(calls);
        expect(visits).toHaveLength(calls + retries + requeues + hedges);
        expect([held(balancer), clock.pending]).toEqual([0, 0]);
      },
    ),
    { numRuns: 300 },
  );
});

test("wrong options are named, all at once", async () => {
  const wrong = { delayMs: -1, percentile: 100, limit: 0, budgets: {} } as HedgingOptions;
  const error = await rejection((async () => hedging(wrong))());
  expect(error).toMatchObject({
    code: "FAIRLEAD_ERR_CONFIG",
    problems: [
      { path: "budgets", didYouMean: "budget" },
      { path: "percentile", expected: "either `delayMs` or `percentile`, not both" },
      { path: "delayMs" },
      { path: "percentile" },
      { path: "limit" },
    ],
  });
});
