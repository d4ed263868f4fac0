// What calls find out about backends, and what that does to the calls after them: ejection, return, panic, priorities.
import { type Balancer, type BreakerProvider, createRandom, peakEwma, random, roundRobin } from "@fairlead/core";
import type { VirtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import {
  deferred,
  eject,
  held,
  named,
  one,
  record,
  refused,
  reset,
  scripted,
  settle,
  watch,
  world,
} from "./support/world.ts";

const failing = (balancer: Balancer, error: () => Error = reset): Promise<unknown> =>
  balancer.call(async () => Promise.reject(error())).catch((reason: unknown) => reason);

const idOf = (balancer: Balancer, options = {}): Promise<string> =>
  balancer.call(async ({ backend }) => backend.id, options);

/** How many of `count` calls, one after the other, each backend served. */
async function shares(
  balancer: Balancer,
  clock: VirtualClock,
  count: number,
  gapMs = 0,
): Promise<Record<string, number>> {
  const served: Record<string, number> = {};
  for (let call = 0; call < count; call++) {
    const id = await idOf(balancer);
    served[id] = (served[id] ?? 0) + 1;
    if (gapMs > 0) clock.advanceSync(gapMs);
  }
  return served;
}

describe("failures in a row", () => {
  test("five eject, four do not, a success between them starts anew", async () => {
    const { balancer } = world(2);
    for (let failure = 0; failure < 4; failure++) await failing(balancer);
    await idOf(balancer);
    for (let failure = 0; failure < 4; failure++) await failing(balancer);
    expect(one(balancer, "a")).toMatchObject({ failures: 8, ejections: 0, health: "healthy" });
    await failing(balancer);
    expect(one(balancer, "a")).toMatchObject({ ejections: 1, health: "ejected" });
    expect(await idOf(balancer)).toBe("b");
  });

  test("unreached ones count; overloads and ignored ones neither count nor start anew", async () => {
    const { balancer } = world(2, { retry: false });
    for (let failure = 0; failure < 4; failure++) balancer.observe("a", { outcome: "unreached" });
    for (let other = 0; other < 10; other++) balancer.observe("a", { outcome: "overload" });
    for (let other = 0; other < 10; other++) balancer.observe("a", { outcome: "ignored" });
    expect(one(balancer, "a").health).toBe("healthy");
    balancer.observe("a", { outcome: "unreached" });
    expect(one(balancer, "a").health).toBe("ejected");
  });

  test("the ejection says why and until when", async () => {
    const { balancer, clock } = world(2);
    const ejected = record(balancer, "backendEjected");
    for (let failure = 0; failure < 5; failure++) await failing(balancer);
    expect(ejected.map((entry) => entry.record)).toEqual([
      {
        upstream: "orders",
        backend: "a",
        kind: "consecutiveFailures",
        reason: "5 failures in a row, the last: UND_ERR_SOCKET",
        untilAt: clock.wallNow() + 5_000,
      },
    ]);
    expect(one(balancer, "a").ejectedUntilAt).toBe(clock.wallNow() + 5_000);
    expect(balancer.explain().backends[0]).toMatchObject({
      admitted: false,
      reason: "ejected for another 5.0 s",
      ejection: "5 failures in a row, the last: UND_ERR_SOCKET",
    });
  });

  test("calls in flight when it is ejected finish as they do, and their verdicts change nothing any more", async () => {
    const { balancer, clock } = world(2);
    const slow = deferred<string>();
    const call = watch(balancer.call(() => slow.promise));
    eject(balancer, "a");
    slow.resolve("done");
    await settle();
    expect(call.value).toBe("done");
    expect(one(balancer, "a").health).toBe("ejected");
    await clock.advance(1);
    expect(await idOf(balancer)).toBe("b");
  });

  test("off: nobody is ejected, ever", async () => {
    const { balancer } = world(2, { ejection: false });
    for (let failure = 0; failure < 50; failure++) await failing(balancer);
    expect(one(balancer, "a")).toMatchObject({ ejections: 0, health: "healthy" });
  });

  test("turned off while a backend is ejected: it is not forgotten there", async () => {
    const { balancer, clock } = world(2, { strategy: roundRobin(), slowStart: false });
    eject(balancer, "a");
    balancer.configure({ ejection: false });
    await clock.advance(5_000);
    await shares(balancer, clock, 4);
    expect(one(balancer, "a").health).toBe("healthy");
    const together = Array.from({ length: 4 }, () => balancer.tryAcquire()?.backend.id);
    expect(together.filter((id) => id === "a")).toHaveLength(2);
  });
});

describe("after an ejection", () => {
  test("one attempt tests it, one at a time; others go elsewhere until it has proved itself", async () => {
    const { balancer, clock } = world(2);
    eject(balancer, "a");
    await clock.advance(4_999);
    expect(await idOf(balancer, { idempotent: true })).toBe("b");
    await clock.advance(1);
    const probe = deferred<string>();
    const tested = balancer.call(() => probe.promise, { idempotent: true });
    expect(one(balancer, "a")).toMatchObject({ health: "probation", requests: 1 });
    for (let call = 0; call < 10; call++) expect(await idOf(balancer, { idempotent: true })).toBe("b");
    const returned = record(balancer, "backendReturned");
    probe.resolve("works");
    await tested;
    expect(returned.map((entry) => entry.record)).toEqual([{ upstream: "orders", backend: "a" }]);
    expect(one(balancer, "a").health).toBe("healthy");
    expect(await idOf(balancer)).toBe("a");
  });

  test("a test that fails ejects it for twice as long, and so on up to the limit", async () => {
    const { balancer, clock } = world(2, { ejection: { maxMs: 30_000 } });
    const durations: number[] = [];
    balancer.on("backendEjected", ({ untilAt }) => durations.push(untilAt - clock.wallNow()));
    eject(balancer, "a");
    const { run } = scripted<string>({ a: () => Promise.reject(reset()), b: () => "served" });
    for (let round = 0; round < 4; round++) {
      await clock.advance(durations[round] ?? 0);
      const call = watch(balancer.call(run, { idempotent: true }));
      await clock.advance(20);
      expect(call.value).toBe("served");
    }
    expect(durations).toEqual([5_000, 10_000, 20_000, 30_000, 30_000]);
    expect(one(balancer, "a").ejections).toBe(5);
  });

  test("a call that may not be repeated does not have to be the test, but is if nobody else is there", async () => {
    const { balancer, clock } = world(1);
    eject(balancer, "a");
    await clock.advance(5_000);
    expect(await idOf(balancer)).toBe("a");
    expect(one(balancer, "a").health).toBe("healthy");
  });

  test("the latency of before is forgotten, and its share grows back over ten seconds", async () => {
    const { balancer, clock } = world(2, { strategy: random(), random: createRandom(11), panicThreshold: 0 });
    const slow = deferred();
    const call = balancer.call(() => slow.promise, { pinned: "a" });
    clock.advanceSync(3_000);
    slow.resolve();
    await call;
    expect(one(balancer, "a").ewmaMs).toBe(3_000);
    eject(balancer, "a");
    await clock.advance(5_000);
    while (one(balancer, "a").health !== "healthy") await idOf(balancer, { idempotent: true });
    expect(one(balancer, "a").ewmaMs).toBe(0);
    // σ of 4,000 draws is below 0.8 points.
    const early = ((await shares(balancer, clock, 4_000))["a"] ?? 0) / 4_000;
    expect(early).toBeGreaterThan(0.1 / 1.1 - 0.03);
    expect(early).toBeLessThan(0.1 / 1.1 + 0.03);
    await clock.advance(5_000);
    const half = ((await shares(balancer, clock, 4_000))["a"] ?? 0) / 4_000;
    expect(half).toBeGreaterThan(1 / 3 - 0.04);
    expect(half).toBeLessThan(1 / 3 + 0.04);
    await clock.advance(5_000);
    const full = ((await shares(balancer, clock, 4_000))["a"] ?? 0) / 4_000;
    expect(full).toBeGreaterThan(0.47);
    expect(full).toBeLessThan(0.53);
  });

  test("the only backend of an upstream works on through failure and recovery", async () => {
    const { balancer, clock } = world(1);
    for (let failure = 0; failure < 5; failure++) await failing(balancer);
    await clock.advance(10);
    expect(balancer.snapshot()).toMatchObject({ panic: [0], backends: [{ health: "panic" }] });
    // Still broken: every call is tried, none is refused without a try.
    for (let failure = 0; failure < 3; failure++)
      expect(await failing(balancer)).toMatchObject({ code: "UND_ERR_SOCKET" });
    expect(one(balancer, "a").failures).toBe(8);
    expect(await idOf(balancer)).toBe("a");
    expect(one(balancer, "a").health).toBe("healthy");
    expect(balancer.snapshot().panic).toEqual([]);
    // And with many calls at once.
    const calls = Array.from({ length: 50 }, () => watch(idOf(balancer)));
    await clock.advance(0);
    expect(calls.every(({ value }) => value === "a")).toBe(true);
  });

  test("the only backend, broken under many calls at once: one attempt at a time, the others wait and follow", async () => {
    const { balancer, clock } = world(1);
    eject(balancer, "a");
    let running = 0;
    let most = 0;
    const works = deferred();
    const calls = Array.from({ length: 10 }, () =>
      watch(
        balancer.call(async () => {
          most = Math.max(most, ++running);
          await works.promise;
          running--;
        }),
      ),
    );
    await clock.advance(100);
    expect(most).toBe(1);
    works.resolve();
    await clock.advance(0);
    expect(calls.every(({ state }) => state === "fulfilled")).toBe(true);
    expect(held(balancer)).toBe(0);
  });

  test("a test attempt that nobody ever settles gives its place back after half a minute", async () => {
    const { balancer, clock } = world(1, { panicThreshold: 0 });
    eject(balancer, "a");
    await clock.advance(5_000);
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
    await clock.advance(29_999);
    expect(balancer.tryAcquire()).toBeUndefined();
    await clock.advance(1);
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
  });
});

describe("panic", () => {
  test("with all ejected calls are still served, one attempt at a time on each", async () => {
    const { balancer } = world(3);
    const entered = record(balancer, "panicEntered", "panicLeft");
    for (const id of ["a", "b", "c"]) eject(balancer, id);
    const leases = Array.from({ length: 4 }, () => balancer.tryAcquire());
    expect(leases.map((lease) => lease?.backend.id)).toEqual(["a", "b", "c", undefined]);
    expect(balancer.snapshot()).toMatchObject({
      panic: [0],
      backends: [{ health: "panic" }, { health: "panic" }, { health: "panic" }],
    });
    leases[1]?.settle({ outcome: "success" });
    leases[1]?.release();
    leases[2]?.settle({ outcome: "success" });
    leases[2]?.release();
    balancer.tryAcquire();
    expect(entered).toEqual([
      { event: "panicEntered", record: { upstream: "orders", priority: 0 } },
      { event: "panicLeft", record: { upstream: "orders", priority: 0 } },
    ]);
  });

  test("prefers those that work", async () => {
    const { balancer, clock } = world(5, { strategy: random(), random: createRandom(5), retryBudget: false });
    for (const id of ["a", "b", "c"]) eject(balancer, id);
    await clock.advance(20);
    expect(balancer.snapshot().panic).toEqual([0]);
    let working = 0;
    for (let call = 0; call < 1_000; call++) {
      const lease = balancer.tryAcquire();
      if (lease?.backend.id === "d" || lease?.backend.id === "e") working++;
      lease?.settle({ outcome: lease.backend.id < "d" ? "failure" : "success" });
      lease?.release();
    }
    // Weights 1, 1 against 0.1 three times: 87 %.
    expect(working).toBeGreaterThan(830);
    expect(working).toBeLessThan(910);
  });

  test("every idempotent call is served while one of five works, whoever is ejected", async () => {
    const { balancer, clock } = world(5, {
      strategy: peakEwma(),
      random: createRandom(2),
      retryBudget: false,
      retry: { limit: 5 },
    });
    const calls: { state: string }[] = [];
    for (let call = 0; call < 300; call++) {
      calls.push(
        watch(
          balancer.call(
            async ({ backend }) => {
              if (backend.id !== "c") throw call % 2 === 0 ? refused() : reset();
            },
            { idempotent: true },
          ),
        ),
      );
      await clock.advance(7);
    }
    await clock.advance(5_000);
    expect(calls.filter(({ state }) => state !== "fulfilled")).toEqual([]);
  });

  test("sends what was refused to a backend that the call has not tried", async () => {
    const { balancer } = world(3, { retry: false });
    for (const id of ["a", "b", "c"]) eject(balancer, id);
    const visits: string[] = [];
    const call = balancer.call(async ({ backend }) => {
      visits.push(backend.id);
      if (backend.id !== "c") throw refused();
    });
    await expect(call).resolves.toBeUndefined();
    expect(visits).toEqual(["a", "b", "c"]);
  });

  test("lets what was refused wait for the one it has not tried, and holds up nobody behind it", async () => {
    const { balancer, clock } = world(2, { retry: false });
    for (const id of ["a", "b"]) eject(balancer, id);
    const [onA, onB] = [balancer.tryAcquire(), balancer.tryAcquire()];
    expect([onA?.backend.id, onB?.backend.id]).toEqual(["a", "b"]);
    onA?.settle({ outcome: "failure" });
    onA?.release();
    const call = watch(
      balancer.call(async ({ backend }) => {
        if (backend.id === "a") throw refused();
        return backend.id;
      }),
    );
    await clock.advance(500);
    expect([call.state, balancer.snapshot().waiting]).toEqual(["pending", 1]);
    const behind = balancer.tryAcquire();
    expect(behind?.backend.id).toBe("a");
    behind?.settle({ outcome: "failure" });
    behind?.release();
    expect(call.state).toBe("pending");
    onB?.settle({ outcome: "failure" });
    onB?.release();
    await clock.advance(0);
    expect([call.value, balancer.snapshot().waiting]).toEqual(["b", 0]);
  });

  test("does not set aside disabled, draining, pauses or breakers", () => {
    const shut: BreakerProvider = {
      name: "shut",
      create: () => ({
        state: "open",
        admits: () => false,
        enter: () => 0,
        report: () => {},
        [Symbol.dispose]: () => {},
      }),
    };
    const { balancer } = world(3);
    for (const id of ["a", "b", "c"]) eject(balancer, id);
    balancer.disable("a");
    watch(balancer.drain("b", { deadlineMs: 1 }));
    balancer.observe("c", { outcome: "overload", retryAfterMs: 1_000 });
    expect(balancer.tryAcquire()).toBeUndefined();
    const gated = world(2, { breaker: shut });
    for (const id of ["a", "b"]) eject(gated.balancer, id);
    expect(gated.balancer.tryAcquire()).toBeUndefined();
  });

  test("off: with all ejected a call waits for the first to come back", async () => {
    const { balancer, clock } = world(2, { panicThreshold: 0, ejection: { baseMs: 400 } });
    for (const id of ["a", "b"]) eject(balancer, id);
    expect(balancer.tryAcquire()).toBeUndefined();
    const call = watch(idOf(balancer));
    await clock.advance(399);
    expect(call.state).toBe("pending");
    await clock.advance(26);
    expect(call.value).toBe("a");
  });
});

describe("priorities and states", () => {
  const prioritised = [
    { id: "main-1", url: "http://main-1.test" },
    { id: "main-2", url: "http://main-2.test" },
    { id: "spare", url: "http://spare.test", priority: 1 },
  ];

  test("the second serves only when the first is no longer enough", async () => {
    const { balancer, clock } = world(prioritised, { strategy: roundRobin(), random: createRandom(4) });
    expect((await shares(balancer, clock, 100))["spare"]).toBeUndefined();
    eject(balancer, "main-1");
    await clock.advance(20);
    // One of two healthy, 1.4-fold: 70 % stay.
    const spare = (await shares(balancer, clock, 2_000))["spare"] ?? 0;
    expect(spare / 2_000).toBeGreaterThan(0.26);
    expect(spare / 2_000).toBeLessThan(0.34);
    eject(balancer, "main-2");
    await clock.advance(20);
    expect(await shares(balancer, clock, 100)).toEqual({ spare: 100 });
  });

  test("it serves when breakers close all of the first", async () => {
    const { balancer } = world(prioritised, {
      breaker: {
        name: "main is shut",
        create: ({ backend }) => ({
          state: "closed",
          admits: () => backend === "spare",
          enter: () => 0,
          report: () => {},
          [Symbol.dispose]: () => {},
        }),
      },
    });
    expect(await idOf(balancer)).toBe("spare");
  });

  test("it serves when all of the first are disabled, draining or paused", async () => {
    const { balancer } = world(prioritised);
    balancer.disable("main-1");
    balancer.observe("main-2", { outcome: "overload", retryAfterMs: 1_000 });
    expect(await idOf(balancer)).toBe("spare");
  });

  test("it serves the retry of a call that has tried all of the first", async () => {
    const { balancer } = world(prioritised, { strategy: roundRobin() });
    const { run, visits } = scripted<string>({
      "main-1": () => Promise.reject(refused()),
      "main-2": () => Promise.reject(refused()),
      spare: () => "served",
    });
    expect(await balancer.call(run)).toBe("served");
    expect(visits).toHaveLength(3);
  });

  test("a degraded backend serves only where enabled ones don't suffice", async () => {
    const { balancer, clock } = world([...named(3), { id: "weak", url: "http://weak.test", state: "degraded" }], {
      strategy: roundRobin(),
      random: createRandom(4),
      panicThreshold: 0,
    });
    expect((await shares(balancer, clock, 100))["weak"]).toBeUndefined();
    for (const id of ["a", "b", "c"]) balancer.disable(id);
    expect(await shares(balancer, clock, 100)).toEqual({ weak: 100 });
    for (const id of ["a", "b", "c"]) balancer.enable(id);
    for (const id of ["a", "b", "c"]) eject(balancer, id);
    await clock.advance(20);
    expect(await shares(balancer, clock, 10)).toEqual({ weak: 10 });
  });

  test("draining and disabled ones get no new calls, and come back when enabled", async () => {
    const { balancer } = world(3);
    balancer.disable("a");
    watch(balancer.drain("b", { deadlineMs: 1 }));
    expect(await idOf(balancer)).toBe("c");
    balancer.enable("b");
    expect(await idOf(balancer)).toBe("b");
    balancer.enable("a");
    expect(await idOf(balancer)).toBe("a");
  });
});

describe("a verdict from elsewhere", () => {
  test("counts, ejects and brings back as one of ours, but says nothing of latency", async () => {
    const { balancer, clock } = world(2);
    balancer.observe("a", { outcome: "success", latencyMs: 900 });
    eject(balancer, "a");
    expect(one(balancer, "a")).toMatchObject({
      successes: 1,
      failures: 5,
      health: "ejected",
      ewmaMs: 0,
      p99Ms: 0,
      attempts: 0,
    });
    await clock.advance(5_000);
    balancer.observe("a", { outcome: "success" });
    expect(one(balancer, "a").health).toBe("healthy");
    expect(await idOf(balancer)).toBe("a");
  });

  test("on a backend that nobody knows is ignored", () => {
    const { balancer } = world(1);
    const before = balancer.snapshot();
    balancer.observe("nobody", { outcome: "failure" });
    expect(balancer.snapshot()).toEqual(before);
  });
});
