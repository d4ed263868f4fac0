// Parts of failure handling that meet in one call, two or three at a time, under a virtual clock.
import { concurrencyBudget, fallbackWith, rateLimit } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import {
  abortListeners,
  deferred,
  eject,
  nothing,
  one,
  refused,
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
