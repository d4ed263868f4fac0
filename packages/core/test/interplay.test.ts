// Parts of failure handling that meet in one call, two or three at a time, under a virtual clock.
import {
  type Breaker,
  type BreakerState,
  concurrencyBudget,
  fallbackWith,
  first,
  hedging,
  rateLimit,
  type Strategy,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { timed } from "./support/timed.ts";
import {
  abortListeners,
  deferred,
  eject,
  held,
  nothing,
  one,
  record,
  refused,
  rejection,
  reset,
  settle,
  watch,
  world,
} from "./support/world.ts";

const idempotent = { idempotent: true };
const served = async (): Promise<string> => "served";
const failing = async (): Promise<string> => {
  throw reset();
};

describe("a fallback", () => {
  test("of a call that nobody could even wait for ends with its caller; what it says later is let go", async () => {
    const answer = deferred<string>();
    const { balancer, clock } = world(1, {
      queue: { size: 0 },
      limits: { maxConcurrent: 1 },
      fallback: fallbackWith(() => answer.promise),
    });
    const lease = balancer.tryAcquire();
    const controller = new AbortController();
    const discarded: unknown[] = [];
    const discard = (value: unknown): void => void discarded.push(value);
    const call = watch(balancer.call(served, { signal: controller.signal, discard }));
    controller.abort("left");
    await settle();
    expect(call.error).toBe("left");
    expect(clock.pending).toBe(0);
    answer.resolve("late");
    await settle();
    expect(discarded).toEqual(["late"]);
    expect(balancer.snapshot().calls).toMatchObject({ calls: 1, aborted: 1, fallbacks: 0, failed: 0 });
    lease?.release();
  });

  test("that its caller does not wait for leaves the answer it was to replace to nobody", async () => {
    const { balancer, clock } = world(1, { retry: false, fallback: fallbackWith(() => new Promise(nothing)) });
    const controller = new AbortController();
    const discarded: unknown[] = [];
    const call = watch(
      balancer.call(async () => "unavailable", {
        classify: () => "failure",
        signal: controller.signal,
        discard: (value) => void discarded.push(value),
      }),
    );
    await settle();
    expect(call.state).toBe("pending");
    controller.abort("left");
    await settle();
    expect(call.error).toBe("left");
    expect(discarded).toEqual(["unavailable"]);
    expect(clock.pending).toBe(0);
  });

  test("is asked for a call that comes too fast, and not when the balancer closes", async () => {
    const { balancer, clock } = world(1, {
      limits: { rate: rateLimit({ perSecond: 1 }) },
      fallback: fallbackWith(() => "from elsewhere"),
    });
    expect([await balancer.call(served), await balancer.call(served)]).toEqual(["served", "from elsewhere"]);
    expect(balancer.snapshot().calls).toMatchObject({ calls: 2, succeeded: 1, failed: 0, fallbacks: 1 });
    balancer.configure({ limits: { rate: rateLimit({ perSecond: 1, delay: true }) } });
    await balancer.call(served);
    const waiting = watch(balancer.call(served));
    await balancer.close();
    await settle();
    expect(waiting.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    expect(balancer.snapshot().calls).toMatchObject({ calls: 4, succeeded: 2, failed: 1, fallbacks: 1 });
    expect(clock.pending).toBe(0);
  });
});

test("a call does not wait for its turn beyond the deadline of the one who called us", async () => {
  const { balancer, clock } = world(1, { limits: { rate: rateLimit({ perSecond: 1, delay: true }) } });
  await balancer.call(served);
  const call = watch(balancer.call(served, { deadlineLimitMs: 100 }));
  await clock.advance(100);
  expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT" });
});

describe("what a repeat was paid is given back", () => {
  const options = {
    ejection: false,
    retry: { delayMs: 100, jitter: false },
    retryBudget: concurrencyBudget({ ratio: 0, minConcurrency: 1 }),
    requeueBudget: concurrencyBudget({ ratio: 0, minConcurrency: 1 }),
  } as const;

  test("when its caller leaves during the back-off", async () => {
    const { balancer, clock } = world(1, options);
    const controller = new AbortController();
    const left = watch(balancer.call(failing, { ...idempotent, signal: controller.signal }));
    await clock.advance(50);
    controller.abort("left");
    await settle();
    expect(left.error).toBe("left");
    let attempts = 0;
    const next = watch(balancer.call(() => (attempts++ === 0 ? failing() : served()), idempotent));
    await clock.advance(100);
    expect(next.value).toBe("served");
  });

  test("when its caller leaves while it waits for a backend", async () => {
    const { balancer, clock } = world(2, { ...options, limits: { maxConcurrentPerBackend: 1 } });
    const busy = balancer.tryAcquire({ pinned: "b" });
    const controller = new AbortController();
    // It never reached `a`, and by then the upstream has no room.
    const left = watch(balancer.call(() => Promise.reject(refused()), { signal: controller.signal }));
    balancer.configure({ limits: { maxConcurrent: 1 } });
    await settle();
    expect([left.state, balancer.snapshot().waiting]).toEqual(["pending", 1]);
    controller.abort("left");
    balancer.configure({ limits: false });
    busy?.release();
    let attempts = 0;
    const next = watch(balancer.call(() => (attempts++ === 0 ? Promise.reject(refused()) : served())));
    await clock.advance(100);
    expect(next.value).toBe("served");
  });
});

test("the caller's signal is let go of when a call has timed out, though its function goes on", async () => {
  const { balancer, clock } = world(1, { attemptTimeoutMs: 100, retry: false });
  const controller = new AbortController();
  const call = watch(balancer.call(() => new Promise(nothing), { signal: controller.signal }));
  await clock.advance(100);
  expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
  expect(abortListeners(controller.signal)).toBe(0);
});

test("a call that is ended by close has failed", async () => {
  const { balancer } = world(1);
  const call = watch(balancer.call(() => new Promise(nothing)));
  await balancer.close({ drainMs: 0 });
  expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
  expect(balancer.snapshot().calls).toMatchObject({ calls: 1, succeeded: 0, failed: 1, aborted: 0 });
});

test("a repeat that waits for the test of another backend goes elsewhere if that fails", async () => {
  const { balancer, clock } = world(2, { panicThreshold: 0, queue: { timeoutMs: 5_000 } });
  eject(balancer, "b");
  await clock.advance(5_000);
  const testing = balancer.tryAcquire({ pinned: "b" });
  let attempts = 0;
  const call = watch(
    balancer.call(async ({ backend }) => {
      if (attempts++ === 0) throw refused();
      return backend.id;
    }),
  );
  await settle();
  expect([one(balancer, "b").requests, balancer.snapshot().waiting]).toEqual([1, 1]);
  testing?.settle({ outcome: "failure" });
  testing?.release();
  await settle();
  expect(call.value).toBe("a");
});

describe("a test attempt that loses to a hedge", () => {
  const hedge = hedging({ delayMs: 50, budget: false });
  const answers = { a: { afterMs: 100 }, b: { afterMs: 10 }, c: { afterMs: 10 } };

  test("goes on to its verdict, and brings its backend back", async () => {
    const { balancer, clock } = world(3, { hedge });
    const { run, aborted } = timed(clock, answers);
    eject(balancer, "a");
    await clock.advance(5_000);
    const discarded: unknown[] = [];
    const call = watch(balancer.call(run, { ...idempotent, discard: (value) => void discarded.push(value) }));
    await clock.advance(60);
    expect(call.value).toBe("b");
    expect(one(balancer, "a")).toMatchObject({ requests: 1, health: "probation" });
    await clock.advance(40);
    expect(one(balancer, "a")).toMatchObject({ requests: 0, health: "healthy", successes: 1 });
    expect({ aborted, discarded }).toEqual({ aborted: [], discarded: ["a"] });
    expect(balancer.snapshot().calls).toMatchObject({ calls: 1, succeeded: 1, failed: 0, timeouts: 0 });
    expect(clock.pending).toBe(0);
  });

  test("keeps its backend out where it fails", async () => {
    const { balancer, clock } = world(3, { hedge, attemptTimeoutMs: 80 });
    eject(balancer, "a");
    await clock.advance(5_000);
    const call = watch(balancer.call(timed(clock, answers).run, idempotent));
    await clock.advance(80);
    expect(call.value).toBe("b");
    expect(one(balancer, "a")).toMatchObject({ requests: 0, health: "ejected", ejections: 2 });
    expect(clock.pending).toBe(0);
  });

  test("closes the half-open breaker of its backend", async () => {
    let state: BreakerState = "half-open";
    const breaker = {
      name: "half-open",
      create: ({ backend }: { readonly backend: string }): Breaker => ({
        get state() {
          return backend === "a" ? state : "closed";
        },
        admits: () => true,
        enter: () => 0,
        report: (_, { outcome }) => {
          if (backend === "a" && outcome === "success") state = "closed";
        },
        [Symbol.dispose]: nothing,
      }),
    };
    const { balancer, clock } = world(3, { hedge, breaker });
    const call = watch(balancer.call(timed(clock, answers).run, idempotent));
    await clock.advance(100);
    expect([call.value, state]).toEqual(["b", "closed"]);
  });

  test("ends with the balancer, blaming nobody", async () => {
    const { balancer, clock } = world(3, { hedge });
    const { run, aborted } = timed(clock, answers);
    eject(balancer, "a");
    await clock.advance(5_000);
    const call = watch(balancer.call(run, idempotent));
    await clock.advance(60);
    expect(call.value).toBe("b");
    const ejections = record(balancer, "backendEjected");
    await balancer.close();
    expect({ aborted, ejections, left: held(balancer) }).toEqual({ aborted: ["a"], ejections: [], left: 0 });
    expect(clock.pending).toBe(0);
  });
});

test("repeats that have tried the same wait in one line: nobody asks for each of them", async () => {
  let picks = 0;
  const strategy: Strategy = {
    name: "counted",
    build: (view) => {
      const picker = first().build(view);
      return { pick: (request, nowMs) => (picks++, picker.pick(request, nowMs)) };
    },
  };
  const { balancer, clock } = world(3, { strategy, requeueBudget: false });
  for (const id of ["a", "b", "c"]) eject(balancer, id);
  // In panic each takes one attempt at a time.
  const tests = ["b", "c"].map((pinned) => balancer.tryAcquire({ pinned, pinPolicy: "fail" }));
  expect(tests).not.toContain(undefined);
  const calls: Promise<unknown>[] = [];
  for (let index = 0; index < 100; index++) {
    calls.push(rejection(balancer.call(() => Promise.reject(refused()))));
    await settle();
  }
  expect(balancer.snapshot().waiting).toBe(100);
  picks = 0;
  await clock.advance(25);
  expect(picks).toBeLessThan(10);
  await balancer.close({ drainMs: 0 });
  await Promise.all(calls);
});
