// Limits of what may be under way at once: who is let in, who waits, who is turned away with which words.
import {
  type AttemptResult,
  type BackendSpec,
  type Balancer,
  type BreakerProvider,
  type CallOptions,
  FairleadError,
  first,
  gradient2,
  type LimitOptions,
  peakEwma,
  type Report,
  rateLimit,
  type Strategy,
  type View,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import {
  deferred,
  eject,
  escaped,
  held,
  named,
  one,
  record,
  refused,
  rejection,
  reset,
  scripted,
  settle,
  watch,
  world,
} from "./support/world.ts";

const NO_WAITING = { queue: { size: 0 } };

const judge = ({ value }: AttemptResult): Report =>
  value === 503 ? { outcome: "overload", status: 503 } : { outcome: "success" };

/** Two backends, of which the second may have more. */
const unequal = (ofB: number) => [
  { id: "a", url: "http://a.test", maxConcurrent: 1, maxConnections: 1 },
  { id: "b", url: "http://b.test", maxConcurrent: ofB, maxConnections: ofB },
];

/** A call that goes on until it is ended. */
function longCall(balancer: Balancer, options: CallOptions<string> = {}) {
  const body = deferred();
  const visits: string[] = [];
  const call = watch(
    balancer.call(async ({ backend }) => {
      visits.push(backend.id);
      await body.promise;
      return backend.id;
    }, options),
  );
  return { call, visits, end: () => body.resolve() };
}

describe("a limit of the upstream", () => {
  test("lets no more than so many in, over all backends; the next waits for a place", async () => {
    const { balancer } = world(3, { limits: { maxConcurrent: 2 } });
    const calls = [longCall(balancer), longCall(balancer), longCall(balancer)];
    await settle();
    expect(calls.map(({ visits }) => visits.length)).toEqual([1, 1, 0]);
    expect(balancer.snapshot()).toMatchObject({ waiting: 1, limits: { requests: 2, connections: null } });
    calls[0]?.end();
    await settle();
    expect(calls.map(({ visits }) => visits.length)).toEqual([1, 1, 1]);
    for (const { end } of calls) end();
    await settle();
    expect(held(balancer)).toBe(0);
  });

  test("turns calls away at once where nobody may wait, and says which limit it was", async () => {
    const { balancer, clock } = world(3, { limits: { maxConcurrent: 1 }, ...NO_WAITING });
    const shed = record(balancer, "callShed");
    const holder = longCall(balancer);
    const error = await rejection(balancer.call(async () => 1));
    expect(error).toBeInstanceOf(FairleadError);
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "upstream-concurrency", attempts: [] });
    expect((error as Error).message).toBe("orders: the upstream is at its limit of 1 request");
    expect(shed).toEqual([{ event: "callShed", record: { upstream: "orders", limit: "upstream-concurrency" } }]);
    expect(balancer.snapshot().limits.shed).toMatchObject({ "upstream-concurrency": 1 });
    expect(balancer.snapshot().calls).toMatchObject({ calls: 2, failed: 1, noBackend: 0 });
    expect(clock.now()).toBe(0);
    holder.end();
  });

  test("holds for leases by hand: tryAcquire gets none, acquire waits", async () => {
    const { balancer } = world(2, { limits: { maxConcurrent: 1 } });
    const lease = balancer.tryAcquire();
    expect(balancer.tryAcquire()).toBeUndefined();
    const next = watch(balancer.acquire());
    await settle();
    expect(next.state).toBe("pending");
    lease?.release();
    await settle();
    expect(next.state).toBe("fulfilled");
    next.value?.release();
    expect(held(balancer)).toBe(0);
  });

  test("counts an attempt until its lease is back, not until its verdict", async () => {
    const { balancer } = world(1, { limits: { maxConcurrent: 1 } });
    const lease = balancer.tryAcquire();
    lease?.settle({ outcome: "success" });
    expect(balancer.tryAcquire()).toBeUndefined();
    lease?.release();
    expect(balancer.tryAcquire()).toBeDefined();
  });

  test("also counts what is still under way on backends that have left", async () => {
    const { balancer } = world(1, { limits: { maxConcurrent: 1 } });
    const lease = balancer.tryAcquire();
    balancer.set([{ id: "b", url: "http://b.test" }]);
    expect(balancer.tryAcquire()).toBeUndefined();
    lease?.release();
    expect(balancer.tryAcquire()?.backend.id).toBe("b");
  });

  test("is shared with derived balancers, and so is the queue: first come, first served", async () => {
    const { balancer } = world(2, { limits: { maxConcurrent: 1 } });
    const derived = balancer.derive({ strategy: peakEwma() });
    const order: string[] = [];
    const holder = longCall(derived);
    const calls = [balancer, derived, balancer, derived].map((which, index) =>
      which.call(async () => void order.push(`${which === derived ? "derived" : "own"} ${index}`)),
    );
    expect([balancer.snapshot().waiting, derived.snapshot().waiting]).toEqual([2, 2]);
    holder.end();
    await Promise.all(calls);
    expect(order).toEqual(["own 0", "derived 1", "own 2", "derived 3"]);
  });

  test("counts requests and connections apart", async () => {
    const { balancer } = world(1, { limits: { maxConcurrent: 1, maxConnections: 2 } });
    expect(balancer.tryAcquire({ kind: "connection" })).toBeDefined();
    expect(balancer.tryAcquire({ kind: "connection" })).toBeDefined();
    expect(balancer.tryAcquire({ kind: "connection" })).toBeUndefined();
    expect(balancer.tryAcquire()).toBeDefined();
    expect(balancer.tryAcquire()).toBeUndefined();
    expect(balancer.snapshot().limits).toMatchObject({ requests: 1, connections: 2 });
  });
});

describe("a limit per backend", () => {
  test("sends calls that find one full to the next, and lets them wait when all are", async () => {
    const { balancer } = world(2, { limits: { maxConcurrentPerBackend: 2 } });
    const calls = Array.from({ length: 5 }, () => longCall(balancer));
    await settle();
    expect(calls.flatMap(({ visits }) => visits)).toEqual(["a", "a", "b", "b"]);
    expect([one(balancer, "a").requestLimit, balancer.snapshot().waiting]).toEqual([2, 1]);
    calls[2]?.end();
    await settle();
    expect(calls[4]?.visits).toEqual(["b"]);
  });

  test.each(["peakEwma", "first"])("under %s: full backends are passed by without a trace", async (name) => {
    const { balancer } = world(4, {
      limits: { maxConcurrentPerBackend: 1 },
      strategy: name === "first" ? first() : peakEwma(),
    });
    const leases = Array.from({ length: 4 }, () => balancer.tryAcquire());
    expect(new Set(leases.map((lease) => lease?.backend.id)).size).toBe(4);
    expect(balancer.tryAcquire()).toBeUndefined();
    leases[2]?.release();
    expect(balancer.tryAcquire()?.backend.id).toBe(leases[2]?.backend.id);
    expect(balancer.snapshot().calls.callbackFailures).toBe(0);
  });

  test("closes the gate only while it is reached, so that picks stay quick", () => {
    let loads: View["loads"] | undefined;
    const inner = first();
    const strategy: Strategy = {
      name: "looking",
      build: (view) => {
        ({ loads } = view);
        return inner.build(view);
      },
    };
    const { balancer } = world(2, { strategy, limits: { maxConcurrentPerBackend: 2 } });
    const gated = [1, 2, 3, 4].map(() => {
      balancer.tryAcquire()?.settle({ outcome: "success" });
      return loads?.gatedRows;
    });
    expect(gated).toEqual([0, 1, 1, 2]);
    balancer.configure({ limits: { maxConcurrentPerBackend: 3 } });
    expect(loads?.gatedRows).toBe(0);
  });

  test("gives way to a backend's own, which holds without any option as well", () => {
    const backends: BackendSpec[] = [
      { id: "a", url: "http://a.test", maxConcurrent: 1, maxConnections: 2 },
      { id: "b", url: "http://b.test" },
    ];
    const { balancer } = world(backends);
    const ids = (): (string | undefined)[] => Array.from({ length: 3 }, () => balancer.tryAcquire()?.backend.id);
    expect(ids()).toEqual(["a", "b", "b"]);
    expect([one(balancer, "a"), one(balancer, "b")]).toMatchObject([
      { requestLimit: 1, connectionLimit: 2 },
      { requestLimit: null, connectionLimit: null },
    ]);
    balancer.configure({ limits: { maxConcurrentPerBackend: 3 } });
    expect([one(balancer, "a").requestLimit, one(balancer, "b").requestLimit]).toEqual([1, 3]);
    expect(ids()).toEqual(["b", undefined, undefined]);
  });

  test("follows a specification that changes", () => {
    const { balancer } = world([{ id: "a", url: "http://a.test", maxConcurrent: 1 }]);
    balancer.tryAcquire();
    expect(balancer.tryAcquire()).toBeUndefined();
    balancer.set([{ id: "a", url: "http://a.test", maxConcurrent: 2 }]);
    expect(balancer.tryAcquire()).toBeDefined();
    expect(balancer.tryAcquire()).toBeUndefined();
    balancer.set([{ id: "a", url: "http://a.test" }]);
    expect(balancer.tryAcquire()).toBeDefined();
  });

  test("of connections leaves requests alone", () => {
    const { balancer } = world(2, { limits: { maxConnectionsPerBackend: 1 } });
    const kind = "connection";
    expect([1, 2, 3].map(() => balancer.tryAcquire({ kind })?.backend.id)).toEqual(["a", "b", undefined]);
    expect([1, 2].map(() => balancer.tryAcquire()?.backend.id)).toEqual(["a", "a"]);
  });

  test("says in the error which backend was at which limit", async () => {
    const { balancer } = world(2, { limits: { maxConcurrentPerBackend: 1 }, ...NO_WAITING });
    balancer.tryAcquire();
    balancer.tryAcquire();
    expect(await rejection(balancer.call(async () => 1))).toMatchObject({
      code: "FAIRLEAD_ERR_LIMIT",
      limit: "backend-concurrency",
      message: "orders: backend a is at its limit of 1 request, and no other takes the call",
    });
  });

  test("does not hide that a backend is out for another reason", async () => {
    const { balancer, clock } = world(1, { limits: { maxConcurrentPerBackend: 5 }, queue: { timeoutMs: 50 } });
    balancer.observe("a", { outcome: "overload", retryAfterMs: 900 });
    const call = watch(balancer.call(async () => 1));
    await clock.advance(50);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND", limit: undefined });
  });
});

describe("the queue before a limit", () => {
  test("tells a call that its time ran out", async () => {
    const { balancer, clock } = world(1, { limits: { maxConcurrent: 3 }, queue: { timeoutMs: 100 } });
    const holders = [1, 2, 3].map(() => longCall(balancer));
    const call = watch(balancer.call(async () => 1));
    await clock.advance(100);
    expect(call.error).toMatchObject({
      code: "FAIRLEAD_ERR_LIMIT",
      limit: "queue-timeout",
      message: "orders: the upstream is at its limit of 3 requests (waited 100 ms)",
    });
    for (const { end } of holders) end();
    await settle();
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });

  test("turns away whoever finds it full", async () => {
    const { balancer } = world(1, { limits: { maxConcurrentPerBackend: 1 }, queue: { size: 1 } });
    longCall(balancer);
    longCall(balancer);
    expect(await rejection(balancer.call(async () => 1))).toMatchObject({
      code: "FAIRLEAD_ERR_LIMIT",
      limit: "queue-size",
    });
    expect(await rejection(balancer.acquire())).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "queue-size" });
    expect(balancer.snapshot().limits.shed).toMatchObject({ "queue-size": 2, "queue-timeout": 0 });
  });

  test("does not let requests wait for connections, nor the other way round", async () => {
    const { balancer } = world(1, { limits: { maxConnections: 1, maxConcurrent: 1 } });
    balancer.tryAcquire({ kind: "connection" });
    const socket = watch(balancer.acquire({ kind: "connection" }));
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("a");
    const holder = longCall(balancer);
    const call = longCall(balancer);
    await settle();
    holder.end();
    await settle();
    expect([call.visits, socket.state]).toEqual([["a"], "pending"]);
  });

  test("does not let a call for one backend hold up those for another", async () => {
    const { balancer } = world(2, { limits: { maxConcurrentPerBackend: 1 } });
    const [a, b] = [balancer.tryAcquire(), balancer.tryAcquire()];
    const pinned = longCall(balancer, { pinned: "a", pinPolicy: "wait" });
    const anywhere = longCall(balancer);
    b?.release();
    await settle();
    expect([pinned.visits, anywhere.visits]).toEqual([[], ["b"]]);
    a?.release();
    await settle();
    expect(pinned.visits).toEqual(["a"]);
  });

  test("keeps the order of calls that are pinned to the same backend, newcomers included", async () => {
    const { balancer, clock } = world(2, { limits: { maxConcurrentPerBackend: 1 } });
    const order: number[] = [];
    const pinnedCall = (index: number): Promise<unknown> =>
      balancer.call(async () => void order.push(index), { pinned: "a", pinPolicy: "wait" });
    // Opens by time alone.
    balancer.observe("a", { outcome: "overload", retryAfterMs: 110 });
    const calls = [pinnedCall(1), pinnedCall(2)];
    await clock.advance(111);
    calls.push(pinnedCall(3));
    await clock.advance(25);
    await Promise.all(calls);
    expect(order).toEqual([1, 2, 3]);
  });

  test("forgets a call whose caller leaves, and passes nothing on to it", async () => {
    const { balancer, clock } = world(1, { limits: { maxConcurrent: 1 } });
    const holder = longCall(balancer);
    const controller = new AbortController();
    const left = longCall(balancer, { signal: controller.signal });
    const next = longCall(balancer);
    controller.abort(new Error("enough"));
    holder.end();
    await settle();
    expect(left.call.error).toEqual(new Error("enough"));
    expect([left.visits, next.visits]).toEqual([[], ["a"]]);
    next.end();
    await settle();
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });

  test("looks again when something opened while it was serving", async () => {
    const { balancer } = world(2, { limits: { maxConcurrentPerBackend: 1 } });
    const [a, b] = [balancer.tryAcquire(), balancer.tryAcquire()];
    const pinned = longCall(balancer, { pinned: "a", pinPolicy: "wait" });
    // Its function gives a place back at once, after the one who waits for that place has been passed by.
    const call = watch(
      balancer.call(() => {
        a?.release();
        return new Promise(() => {});
      }),
    );
    b?.release();
    await settle();
    expect([pinned.visits, call.state]).toEqual([["a"], "pending"]);
  });

  test("is not put out by one who leaves while others are being served", async () => {
    const kind = "connection";
    const { balancer } = world(unequal(1));
    for (const request of [{}, {}, { kind }, { kind }] as const) balancer.tryAcquire(request);
    const controller = new AbortController();
    const pinned = longCall(balancer, { pinned: "a", pinPolicy: "wait", signal: controller.signal });
    const call = watch(
      balancer.call(() => {
        controller.abort(new Error("enough"));
        return new Promise(() => {});
      }),
    );
    const socket = watch(balancer.acquire({ kind }));
    balancer.set(unequal(2));
    await settle();
    expect([pinned.call.state, call.state, socket.value?.backend.id]).toEqual(["rejected", "pending", "b"]);
  });

  test("comes before a newcomer that one of it brings along", async () => {
    const { balancer } = world(1, { limits: { maxConcurrentPerBackend: 1 } });
    balancer.tryAcquire();
    const order: string[] = [];
    const enter = (name: string, also?: () => void) => () => {
      order.push(name);
      also?.();
      return new Promise<void>(() => {});
    };
    const calls = [
      balancer.call(enter("first", () => calls.push(balancer.call(enter("newcomer"))))),
      balancer.call(enter("second")),
    ];
    balancer.configure({ limits: { maxConcurrentPerBackend: 3 } });
    await settle();
    expect([order, calls.length]).toEqual([["first", "second"], 3]);
  });

  test("does not go round in circles because a breaker says of itself that it may have opened", async () => {
    const breaker: BreakerProvider = {
      name: "restless",
      create: (context) => ({
        state: "half-open",
        admits: () => {
          context.changed();
          return false;
        },
        enter: () => 0,
        report: () => {},
        [Symbol.dispose]: () => {},
      }),
    };
    const { balancer, clock } = world(1, { breaker, queue: { timeoutMs: 100 } });
    const call = watch(balancer.call(async () => 1));
    await clock.advance(100);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
  });

  test("asks the strategy once per place that opens, not once per call that waits", async () => {
    let picks = 0;
    const inner = first();
    const counting = {
      name: "counting",
      build: (view: Parameters<typeof inner.build>[0]) => {
        const picker = inner.build(view);
        return { pick: (...args: Parameters<typeof picker.pick>) => (picks++, picker.pick(...args)) };
      },
    };
    const { balancer } = world(1, { strategy: counting, limits: { maxConcurrentPerBackend: 1 } });
    const holder = balancer.tryAcquire();
    const calls = Array.from({ length: 500 }, () => balancer.call(async () => 1));
    picks = 0;
    holder?.release();
    await Promise.all(calls);
    // Each is served once, and each verdict and each release looks once more.
    expect(picks).toBeLessThan(500 * 5);
  });

  test("ends with the balancer: those who wait are told, nothing is left", async () => {
    const { balancer, clock } = world(1, { limits: { maxConcurrent: 1 } });
    const derived = balancer.derive({});
    const holder = longCall(balancer);
    const waiting = [longCall(balancer), longCall(derived)];
    await derived.close();
    await settle();
    expect(waiting.map(({ call }) => call.state)).toEqual(["pending", "rejected"]);
    const closing = balancer.close({ drainMs: 100 });
    await settle();
    expect(waiting[0]?.call.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    holder.end();
    await closing;
    expect(clock.pending).toBe(0);
  });
});

describe("limits and repeats", () => {
  test("a retry does not need a second place: that of the attempt before is free", async () => {
    const { balancer, clock } = world(2, { limits: { maxConcurrent: 1 }, queue: { size: 0 } });
    const { visits, run } = scripted({
      a: () => {
        throw reset();
      },
      b: () => "served",
    });
    const call = watch(balancer.call(run, { idempotent: true }));
    await clock.advance(1_000);
    expect([call.value, visits]).toEqual(["served", ["a", "b"]]);
    expect(held(balancer)).toBe(0);
  });

  test("nor does a requeue, which goes elsewhere at once", async () => {
    const { balancer } = world(2, { limits: { maxConcurrent: 1 }, queue: { size: 0 } });
    const { visits, run } = scripted({
      a: () => {
        throw refused();
      },
      b: () => "served",
    });
    expect(await balancer.call(run)).toBe("served");
    expect(visits).toEqual(["a", "b"]);
  });

  test("a retry after a timeout begins when the attempt before has heard of it", async () => {
    const { balancer, clock } = world(2, { limits: { maxConcurrent: 1 }, attemptTimeoutMs: 100 });
    const { visits, run } = scripted({
      a: ({ signal }) =>
        new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      b: () => "served",
    });
    const call = watch(balancer.call(run, { idempotent: true }));
    await clock.advance(200);
    expect([call.value, visits]).toEqual(["served", ["a", "b"]]);
  });

  test("an attempt that hears nothing keeps its place: the retry waits no longer than the queue allows", async () => {
    const { balancer, clock } = world(2, { limits: { maxConcurrent: 1 }, attemptTimeoutMs: 100 });
    const body = deferred<string>();
    const call = watch(balancer.call(() => body.promise, { idempotent: true }));
    await clock.advance(2_000);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
    body.resolve("late");
    await settle();
    expect(held(balancer)).toBe(0);
  });

  test("an answer that would be repeated stands where there is no place for another attempt", async () => {
    const { balancer } = world(2, { limits: { maxConcurrent: 1 } });
    const { visits, run } = scripted({ a: () => 503, b: () => 200 });
    expect(await balancer.call(run, { idempotent: true, judge })).toBe(503);
    expect(visits).toEqual(["a"]);
    balancer.configure({ limits: { maxConcurrent: 2 } });
    expect(await balancer.call(run, { idempotent: true, judge })).toBe(200);
    expect(held(balancer)).toBe(0);
  });

  test("a retry waits behind those who came before it", async () => {
    const { balancer, clock } = world(1, { limits: { maxConcurrent: 1 } });
    const order: string[] = [];
    let failures = 0;
    const retried = balancer.call(
      async () => {
        order.push("retried");
        if (failures++ === 0) throw reset();
      },
      { idempotent: true },
    );
    const other = balancer.call(async () => void order.push("other"));
    await clock.advance(500);
    await Promise.all([retried, other]);
    expect(order).toEqual(["retried", "other", "retried"]);
  });
});

describe("limits are not set aside", () => {
  test("by panic", async () => {
    const { balancer } = world(2, { limits: { maxConcurrentPerBackend: 1 } });
    eject(balancer, "a");
    eject(balancer, "b");
    expect(balancer.snapshot().panic).toEqual([0]);
    expect([1, 2, 3].map(() => balancer.tryAcquire()?.backend.id).filter((id) => id !== undefined)).toHaveLength(2);
  });

  test("by a pin: it waits, fails or goes elsewhere, as its policy says", async () => {
    const { balancer, clock } = world(2, { limits: { maxConcurrentPerBackend: 1 } });
    const holder = balancer.tryAcquire({ pinned: "a" });
    expect(balancer.tryAcquire({ pinned: "a", pinPolicy: "wait" })).toBeUndefined();
    expect(await balancer.call(async ({ backend }) => backend.id, { pinned: "a" })).toBe("b");
    expect(await rejection(balancer.call(async () => 1, { pinned: "a", pinPolicy: "fail" }))).toMatchObject({
      code: "FAIRLEAD_ERR_LIMIT",
      limit: "backend-concurrency",
      message: "orders: backend a is at its limit of 1 request",
    });
    const waits = watch(balancer.call(async ({ backend }) => backend.id, { pinned: "a", pinPolicy: "wait" }));
    await clock.advance(5_000);
    expect(waits.state).toBe("pending");
    holder?.release();
    await settle();
    expect(waits.value).toBe("a");
  });

  test("for a backend that drains, warms up or is on probation", async () => {
    const { balancer, clock } = world(2, { limits: { maxConcurrentPerBackend: 1 } });
    const drained = watch(balancer.drain("a"));
    const pinned = { pinned: "a", pinPolicy: "wait" } as const;
    const lease = balancer.tryAcquire(pinned);
    expect(lease).toBeDefined();
    expect(balancer.tryAcquire(pinned)).toBeUndefined();
    lease?.release();
    await settle();
    expect(drained.state).toBe("fulfilled");
    balancer.set(named(3));
    await clock.advance(1_000);
    const ids = [1, 2, 3].map(() => balancer.tryAcquire()?.backend.id);
    expect(ids).toEqual(["b", "c", undefined]);
  });
});

describe("limits can be seen", () => {
  test("in explain: who is full, and that the upstream is", () => {
    const { balancer } = world(2, { limits: { maxConcurrentPerBackend: 1, maxConcurrent: 2 } });
    const lease = balancer.tryAcquire();
    const reasons = (): string[] => balancer.explain().backends.map(({ reason }) => reason);
    expect(reasons()).toEqual(["at its limit of 1 request", "admits it"]);
    expect(balancer.explain().choice).toBe("b");
    balancer.tryAcquire();
    const full = "the upstream is at its limit of 2 requests";
    expect(reasons()).toEqual([full, full]);
    expect(balancer.explain()).toMatchObject({ choice: null, backends: [{ admitted: false }, { admitted: false }] });
    expect(balancer.explain({ kind: "connection" }).choice).toBe("a");
    lease?.release();
    expect(balancer.explain().choice).toBe("a");
  });

  test("in a snapshot without any", () => {
    const { balancer } = world(1);
    expect(balancer.snapshot().limits).toEqual({
      requests: null,
      connections: null,
      rate: null,
      shed: {
        "upstream-concurrency": 0,
        "backend-concurrency": 0,
        "queue-size": 0,
        "queue-timeout": 0,
        rate: 0,
        "request-bytes": 0,
        "route-concurrency": 0,
        "route-rate": 0,
        "client-connections": 0,
      },
    });
  });
});

describe("limits are reconfigured", () => {
  test("at once, upwards: those who wait are served", async () => {
    const { balancer } = world(1, { limits: { maxConcurrent: 1 } });
    const calls = [longCall(balancer), longCall(balancer), longCall(balancer)];
    balancer.configure({ limits: { maxConcurrent: 3 } });
    await settle();
    expect(calls.map(({ visits }) => visits.length)).toEqual([1, 1, 1]);
  });

  test("downwards: nothing under way is ended, and nobody new comes until there is room", async () => {
    const { balancer } = world(1, { limits: { maxConcurrentPerBackend: 3 } });
    const leases = [1, 2, 3].map(() => balancer.tryAcquire());
    balancer.configure({ limits: { maxConcurrentPerBackend: 1 } });
    leases[0]?.release();
    leases[1]?.release();
    expect(balancer.tryAcquire()).toBeUndefined();
    leases[2]?.release();
    expect(balancer.tryAcquire()).toBeDefined();
  });

  test("one by one, and off", () => {
    const { balancer } = world(1, { limits: { maxConcurrent: 1, maxConcurrentPerBackend: 2 } });
    balancer.configure({ limits: { maxConcurrent: false } });
    expect(balancer.settings.limits).toMatchObject({ maxConcurrent: undefined, maxConcurrentPerBackend: 2 });
    balancer.configure({ limits: false });
    expect(balancer.settings.limits).toBeUndefined();
    expect(Array.from({ length: 5 }, () => balancer.tryAcquire() !== undefined)).not.toContain(false);
  });

  test.each<[unknown, string[]]>([
    [{ maxConcurrent: 0 }, ["limits.maxConcurrent"]],
    [{ maxConcurrent: 1.5, maxConnections: "3" }, ["limits.maxConcurrent", "limits.maxConnections"]],
    [{ maxConcurrentPerBackend: Number.NaN }, ["limits.maxConcurrentPerBackend"]],
    [{ adaptive: { name: "none" } }, ["limits.adaptive"]],
    [{ rate: 10 }, ["limits.rate"]],
    [{ rate: gradient2(), adaptive: rateLimit({ perSecond: 1 }) }, ["limits.adaptive", "limits.rate"]],
    [{ maxConcurent: 3 }, ["limits.maxConcurent"]],
    [true, ["limits"]],
  ])("but not to nonsense: %o", (limits, paths) => {
    const { balancer } = world(1, { limits: { maxConcurrent: 7 } });
    expect(() => balancer.configure({ limits: limits as LimitOptions })).toThrow(
      expect.objectContaining({ problems: paths.map((path) => expect.objectContaining({ path }) as unknown) }),
    );
    expect(balancer.settings.limits?.maxConcurrent).toBe(7);
  });

  test.each([0, -1, 2.5, "4"])("nor may a backend's own be %s", (maxConcurrent) => {
    expect(() => world([{ url: "http://a.test", maxConcurrent: maxConcurrent as number }])).toThrow(/maxConcurrent/);
  });
});

describe("shedding in masses", () => {
  test("builds no stack traces, and leaves the engine's setting alone", async () => {
    const { balancer } = world(1, { limits: { maxConcurrent: 1 }, ...NO_WAITING });
    longCall(balancer);
    const { stackTraceLimit } = Error;
    const error = (await rejection(balancer.call(async () => 1))) as Error;
    expect(error.stack).not.toContain("\n    at ");
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(new Error("other").stack).toContain("\n    at ");
  });

  test("lets nothing escape, and gives every place back", async () => {
    const { balancer, clock } = world(2, { limits: { maxConcurrent: 5 }, queue: { size: 10, timeoutMs: 50 } });
    let served = 0;
    let shed = 0;
    const caught = await escaped(async () => {
      const calls = Array.from({ length: 200 }, async () => {
        try {
          await balancer.call(() => new Promise<void>((resolve) => void clock.schedule(40, resolve)));
          served++;
        } catch (error) {
          expect(error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT" });
          shed++;
        }
      });
      await clock.advance(200);
      await Promise.all(calls);
    });
    expect(caught).toEqual([]);
    expect([served, shed, held(balancer), clock.pending]).toEqual([10, 190, 0, 0]);
    expect(balancer.snapshot().limits.shed).toMatchObject({ "queue-size": 185, "queue-timeout": 5 });
  });
});
