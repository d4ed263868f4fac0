import { describe, expect, test } from "vitest";
import type { Breaker, BreakerContext, BreakerState } from "../src/gate/breaker.ts";
import { deferred, one, record, rejection, settle, watch, world } from "./support/world.ts";

/** Breakers whose state a test sets; a half-open one has no place free. */
function switches(initial: Record<string, BreakerState> = {}) {
  const states = new Map<string, BreakerState>(Object.entries(initial));
  const contexts = new Map<string, BreakerContext>();
  const reports: unknown[] = [];
  const provider = {
    name: "switches",
    create: (context: BreakerContext): Breaker => {
      const { backend } = context;
      contexts.set(backend, context);
      const stateOf = (): BreakerState => states.get(backend) ?? "closed";
      return {
        get state() {
          return stateOf();
        },
        admits: () => stateOf() === "closed",
        enter: (_, request) => (reports.push(["enter", backend, request.labels]), 7),
        report: (generation, { outcome }, _, latencyMs) => reports.push([generation, backend, outcome, latencyMs]),
        [Symbol.dispose]: () => {},
      };
    },
  };
  return { provider, states, contexts, reports };
}

describe("a call for which all breakers are open", () => {
  test("fails at once, by code, without a stack trace, and waits for nothing", async () => {
    const { provider } = switches({ a: "open", b: "open" });
    const { balancer, clock } = world(2, { breaker: provider });
    const limit = Error.stackTraceLimit;
    const error = await rejection(balancer.call(async () => "never"));
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN", attempts: [] });
    expect((error as Error).stack?.split("\n")).toHaveLength(1);
    expect(Error.stackTraceLimit).toBe(limit);
    expect(clock.pending).toBe(0);
    expect(balancer.snapshot().calls).toMatchObject({ noBackend: 1, failed: 1 });
    expect(await rejection(balancer.acquire())).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN" });
    expect(balancer.tryAcquire()).toBeUndefined();
  });

  test("has its stack trace where the engine does not let it be left out", async () => {
    const { provider } = switches({ a: "open" });
    const { balancer } = world(1, { breaker: provider });
    const limit = Error.stackTraceLimit;
    Object.defineProperty(Error, "stackTraceLimit", { value: limit, writable: false, configurable: true });
    try {
      expect(await rejection(balancer.call(async () => ""))).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN" });
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", { value: limit, writable: true, configurable: true });
    }
  });

  test("waits where one of them is half-open: its probe may bring it back", async () => {
    const { provider, states, contexts } = switches({ a: "open", b: "half-open" });
    const { balancer } = world(2, { breaker: provider });
    const call = watch(balancer.call(async ({ backend }) => backend.id));
    await settle();
    expect(call.state).toBe("pending");
    states.set("b", "closed");
    contexts.get("b")?.changed();
    await settle();
    expect(call.value).toBe("b");
  });

  test("fails while it waits when the last of them opens", async () => {
    const { provider, states, contexts } = switches({ a: "open", b: "half-open" });
    const { balancer, clock } = world(2, { breaker: provider });
    const calls = [watch(balancer.call(async () => "1")), watch(balancer.call(async () => "2"))];
    await settle();
    states.set("b", "open");
    contexts.get("b")?.changed();
    await settle();
    for (const { error } of calls) expect(error).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN" });
    expect(clock.pending).toBe(0);
  });

  test("is served by those that are not cut off, and waits where they are only paused", async () => {
    const { provider } = switches({ a: "open" });
    const { balancer } = world(2, { breaker: provider });
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("b");
    const paused = balancer.tryAcquire();
    paused?.settle({ outcome: "overload", retryAfterMs: 100 });
    paused?.release();
    const waiting = watch(balancer.call(async ({ backend }) => backend.id));
    await settle();
    expect(waiting.state).toBe("pending");
    await balancer.close({ drainMs: 0 });
  });

  test("waits for a pinned backend if it says so", async () => {
    const { provider } = switches({ a: "open" });
    const { balancer } = world(1, { breaker: provider });
    const pinned = watch(balancer.call(async () => "", { pinned: "a", pinPolicy: "wait" }));
    await settle();
    expect(pinned.state).toBe("pending");
    await balancer.close({ drainMs: 0 });
  });

  test("keeps the answer of the attempt before, if it is a repeat", async () => {
    const { provider, states } = switches({ b: "open" });
    const { balancer } = world(2, { breaker: provider });
    const error = await rejection(
      balancer.call(
        async () => {
          states.set("a", "open");
          throw new TypeError("fails");
        },
        { idempotent: true, retry: { delayMs: 0 } },
      ),
    );
    expect(error).toBeInstanceOf(TypeError);
  });
});

describe("what a breaker is told and tells", () => {
  test("the request at the pick, and the time that the attempt took without that of a standstill", async () => {
    const { provider, reports } = switches();
    const { balancer, clock } = world(1, { breaker: provider });
    const done = deferred();
    const call = balancer.call(() => done.promise, { labels: { route: "search" } });
    await clock.advance(30);
    clock.stall(500);
    done.resolve();
    await call;
    expect(reports).toEqual([
      ["enter", "a", { route: "search" }],
      [7, "a", "success", 30],
    ]);
  });

  test("its changes are events of the balancer", () => {
    const { provider, contexts } = switches();
    const { balancer } = world(1, { breaker: provider });
    const seen = record(balancer, "breakerOpened", "breakerHalfOpened", "breakerClosed", "callbackFailed");
    const context = contexts.get("a");
    context?.announce("breakerOpened", { reason: "3 of 4 calls failed", untilAt: 5 });
    context?.announce("breakerHalfOpened", { reason: "its time is over", untilAt: null, backend: null, key: "search" });
    context?.announce("breakerClosed", { reason: "a probe worked", untilAt: null });
    context?.callbackFailed("listener of open", "why");
    expect(seen.map(({ event, record: entry }) => [event, entry])).toEqual([
      ["breakerOpened", { upstream: "orders", backend: "a", key: null, reason: "3 of 4 calls failed", untilAt: 5 }],
      [
        "breakerHalfOpened",
        { upstream: "orders", backend: null, key: "search", reason: "its time is over", untilAt: null },
      ],
      ["breakerClosed", { upstream: "orders", backend: "a", key: null, reason: "a probe worked", untilAt: null }],
      ["callbackFailed", { upstream: "orders", where: "listener of open", error: "why" }],
    ]);
  });

  test("explain tells a full one from an open one", () => {
    const { provider } = switches({ a: "open", b: "half-open" });
    const full = {
      name: "full",
      create: (context: BreakerContext): Breaker =>
        context.backend === "c"
          ? {
              state: "open",
              stateFor: () => "closed",
              admits: () => false,
              enter: () => 0,
              report: () => {},
              [Symbol.dispose]: () => {},
            }
          : provider.create(context),
    };
    const { balancer } = world(3, { breaker: full });
    expect(balancer.explain().backends.map(({ reason }) => reason)).toEqual([
      "breaker open",
      "breaker half-open",
      "breaker full",
    ]);
    expect(one(balancer, "c").breaker).toBe("open");
  });
});
