// The end of a balancer: in which order, what is waited for, what is aborted, and that nothing stays behind.
import { type Balancer, createBalancer, type Discovery, first } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import {
  deferred,
  eject,
  escaped,
  held,
  named,
  nothing,
  one,
  record,
  rejection,
  reset,
  settle,
  watch,
  world,
} from "./support/world.ts";

const CLOSED = { code: "FAIRLEAD_ERR_CLOSED" };
const never = (): Promise<never> => new Promise(() => {});

/** A balancer whose discovery never answers. */
function silent() {
  const clock = virtualClock();
  let aborted = false;
  const balancer = createBalancer({
    name: "orders",
    clock,
    discovery: {
      name: "silent",
      // oxlint-disable-next-line eslint/require-yield -- it never answers
      async *watch({ signal }) {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        await never();
      },
    },
  });
  return { clock, balancer, isAborted: () => aborted };
}

describe("a balancer without work", () => {
  test("closes at once and leaves no timer", async () => {
    const { balancer, clock } = world(3);
    await balancer.close();
    expect(clock.pending).toBe(0);
    expect(clock.now()).toBe(0);
    expect(balancer.snapshot().state).toBe("closed");
  });

  test("closes by `await using`, too", async () => {
    const clock = virtualClock();
    const seen: Balancer[] = [];
    {
      await using balancer = createBalancer({ name: "orders", backends: named(1), clock });
      seen.push(balancer);
      await balancer.call(async () => 1);
    }
    expect(seen[0]?.snapshot().state).toBe("closed");
  });

  test("refuses everything that needs it open, with one kind of error; looking still works", async () => {
    const { balancer } = world(1);
    await balancer.close();
    expect(await rejection(balancer.call(async () => 1))).toMatchObject(CLOSED);
    expect(await rejection(balancer.acquire())).toMatchObject(CLOSED);
    expect(await rejection(balancer.ready())).toMatchObject(CLOSED);
    expect(balancer.tryAcquire()).toBeUndefined();
    for (const ask of [() => balancer.set(named(2)), () => balancer.configure({}), () => balancer.derive({})])
      expect(ask).toThrow(expect.objectContaining(CLOSED));
    expect(JSON.parse(JSON.stringify(balancer.snapshot()))).toEqual(balancer.snapshot());
    expect(balancer.explain().backends).toHaveLength(1);
    balancer.observe("a", { outcome: "success" });
    balancer.refresh();
  });

  test("refuses from the moment of the call, not from its end", async () => {
    const { balancer, clock } = world(1);
    const lease = balancer.tryAcquire();
    const closed = watch(balancer.close());
    expect(balancer.snapshot().state).toBe("closing");
    expect(await rejection(balancer.call(async () => 1))).toMatchObject(CLOSED);
    expect(balancer.tryAcquire()).toBeUndefined();
    await clock.advance(0);
    expect(closed.state).toBe("pending");
    lease?.release();
    await clock.advance(0);
    expect(closed.state).toBe("fulfilled");
  });

  test("closing again is the same closing", async () => {
    const { balancer, clock } = world(1);
    const told = record(balancer, "closed");
    let closes = 0;
    balancer.attach({ close: () => void closes++ });
    balancer.tryAcquire();
    const both = [
      watch(balancer.close({ drainMs: 100 })),
      watch(balancer.close({ drainMs: 0 })),
      watch(Promise.resolve(balancer[Symbol.asyncDispose]())),
    ];
    await clock.advance(99);
    expect(both.map(({ state }) => state)).toEqual(["pending", "pending", "pending"]);
    await clock.advance(1);
    expect(both.map(({ state }) => state)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    await balancer.close();
    expect(closes).toBe(1);
    expect(told).toHaveLength(1);
  });
});

describe("the order of closing", () => {
  test("refuse and fail waiters, ask sockets to end, wait for leases, abort, free pools, end discovery, dispose of breakers", async () => {
    const order: string[] = [];
    const clock = virtualClock();
    const discovery: Discovery = {
      name: "fixed",
      async *watch({ signal }) {
        signal.addEventListener("abort", () => order.push("discovery aborted"));
        yield { backends: named(2) };
        await never();
      },
    };
    const balancer = createBalancer({
      name: "orders",
      discovery,
      clock,
      strategy: first(),
      breaker: {
        name: "recording",
        create: ({ backend }) => ({
          state: "closed",
          // b is shut: calls pinned to it wait.
          admits: () => backend !== "b",
          enter: () => 0,
          report: () => {},
          [Symbol.dispose]: () => void order.push(`breaker of ${backend} disposed of`),
        }),
      },
    });
    await clock.advance(0);
    balancer.on("closed", () => order.push("closed is announced"));
    balancer.attach({
      drain: () => void order.push("attachment asked to drain"),
      close: () => {
        const left = balancer.snapshot().backends.reduce((sum, { requests }) => sum + requests, 0);
        order.push(`attachment closed, with ${left} leases held`);
      },
    });
    const finishing = deferred();
    const note = async (promise: Promise<unknown>, done: string, failed: string): Promise<void> => {
      order.push(await promise.then(() => done).catch(() => failed));
    };
    const ends = [
      note(
        balancer.call(() => finishing.promise),
        "call finished",
        "call lost",
      ),
      note(
        balancer.call((attempt) => {
          attempt.onAbort(() => order.push("call aborted"));
          return never();
        }),
        "call finished",
        "aborted call failed",
      ),
      note(
        balancer.call(async () => 1, { pinned: "b", pinPolicy: "wait" }),
        "waiter served",
        "waiter failed",
      ),
    ];
    const closed = balancer.close({ drainMs: 1_000 }).then(() => order.push("close resolved"));
    await clock.advance(500);
    finishing.resolve();
    await clock.advance(500);
    await Promise.all([closed, ...ends]);
    expect(order).toEqual([
      "attachment asked to drain",
      "waiter failed",
      "call finished",
      "call aborted",
      "attachment closed, with 0 leases held",
      "aborted call failed",
      "discovery aborted",
      "breaker of a disposed of",
      "breaker of b disposed of",
      "closed is announced",
      "close resolved",
    ]);
    expect(clock.pending).toBe(0);
  });

  test("an idle one reaches its discovery within a tick", async () => {
    let signal: AbortSignal | undefined;
    const clock = virtualClock();
    const balancer = createBalancer({
      name: "orders",
      clock,
      discovery: {
        name: "fixed",
        async *watch(context) {
          signal = context.signal;
          yield { backends: named(1) };
          await never();
        },
      },
    });
    await clock.advance(0);
    const closed = balancer.close();
    await settle();
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toMatchObject(CLOSED);
    await closed;
  });

  test("retries are stopped first: what fails while leases are waited for is not repeated", async () => {
    const { balancer, clock } = world(2);
    const failing = deferred<never>();
    const call = watch(balancer.call(() => failing.promise, { idempotent: true }));
    balancer.tryAcquire();
    const closed = balancer.close({ drainMs: 1_000 });
    await clock.advance(100);
    failing.reject(reset());
    await clock.advance(100);
    expect(call.state).toBe("rejected");
    expect(balancer.snapshot().backends.map(({ attempts }) => attempts)).toEqual([2, 0]);
    await clock.advance(800);
    await closed;
  });
});

describe("calls under way", () => {
  test("finish within the time for them, and close then waits no longer", async () => {
    const { balancer, clock } = world(1);
    const work = deferred<string>();
    const call = watch(balancer.call(() => work.promise));
    const closed = watch(balancer.close());
    await clock.advance(9_999);
    expect(closed.state).toBe("pending");
    work.resolve("done");
    await clock.advance(0);
    expect(call.value).toBe("done");
    expect(closed.state).toBe("fulfilled");
    expect(clock.now()).toBe(9_999);
    expect(clock.pending).toBe(0);
  });

  test.each([
    [undefined, 10_000],
    [250, 250],
    [0, 0],
  ])("with drainMs %s are aborted after %i ms, with the closing's error", async (drainMs, expectedMs) => {
    const { balancer, clock } = world(1, { attemptTimeoutMs: false });
    let signal: AbortSignal | undefined;
    const call = watch(
      balancer.call((attempt) => {
        signal = attempt.signal;
        return never();
      }),
    );
    const closed = watch(balancer.close({ drainMs }));
    if (expectedMs > 0) {
      await clock.advance(expectedMs - 1);
      expect([call.state, closed.state]).toEqual(["pending", "pending"]);
      await clock.advance(1);
    } else await clock.advance(0);
    expect(call.error).toMatchObject(CLOSED);
    expect(signal?.reason).toBe(call.error);
    expect(closed.state).toBe("fulfilled");
    expect(held(balancer)).toBe(0);
    expect(one(balancer, "a").failures).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("in the queue end with the closing's error, in a back-off with their own; none makes a further attempt", async () => {
    const { balancer, clock } = world(2);
    let attempts = 0;
    const backingOff = watch(
      balancer.call(
        async () => {
          attempts++;
          throw reset();
        },
        { idempotent: true },
      ),
    );
    await clock.advance(1);
    balancer.disable("b");
    const waiting = watch(balancer.call(async () => 1, { pinned: "b", pinPolicy: "wait" }));
    const acquiring = watch(balancer.acquire({ pinned: "b", pinPolicy: "wait" }));
    const closed = balancer.close();
    await clock.advance(1_000);
    await closed;
    expect(waiting.error).toMatchObject(CLOSED);
    expect(acquiring.error).toMatchObject(CLOSED);
    expect(backingOff.error).toMatchObject({ code: "UND_ERR_SOCKET" });
    expect(attempts).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test("in a back-off after a status get the value that they have", async () => {
    const { balancer, clock } = world(2);
    const discarded: unknown[] = [];
    const call = watch(
      balancer.call(async () => ({ status: 503 }), {
        idempotent: true,
        classify: () => ({ outcome: "failure", status: 503 }),
        discard: (value) => discarded.push(value),
      }),
    );
    await clock.advance(1);
    await balancer.close();
    await settle();
    expect(call.value).toEqual({ status: 503 });
    expect(discarded).toEqual([]);
    expect(held(balancer)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("held bodies are waited for, then aborted and their leases taken back", async () => {
    const { balancer, clock } = world(1);
    let release: () => void = nothing;
    const signal = await balancer.call(async (attempt) => {
      release = attempt.hold();
      return attempt.signal;
    });
    const closed = watch(balancer.close({ drainMs: 500 }));
    await clock.advance(499);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(signal.reason).toMatchObject(CLOSED);
    expect(closed.state).toBe("fulfilled");
    expect(held(balancer)).toBe(0);
    release();
  });

  test("attempts that timed out but never ended have their leases taken back", async () => {
    const { balancer, clock } = world(2);
    const call = watch(
      balancer.call(({ backend }) => (backend.id === "a" ? never() : Promise.resolve("served")), {
        idempotent: true,
        attemptTimeoutMs: 50,
      }),
    );
    await clock.advance(100);
    expect(call.value).toBe("served");
    expect(held(balancer)).toBe(1);
    const closed = balancer.close({ drainMs: 10 });
    await clock.advance(10);
    await closed;
    expect(held(balancer)).toBe(0);
  });

  test("leases by hand are waited for, then given back unsettled", async () => {
    const { balancer, clock } = world(1);
    const leases = [balancer.tryAcquire(), await balancer.acquire(), balancer.tryAcquire({ kind: "connection" })];
    leases[0]?.settle({ outcome: "success" });
    const closed = balancer.close({ drainMs: 500 });
    await clock.advance(500);
    await closed;
    expect(held(balancer)).toBe(0);
    expect(one(balancer, "a")).toMatchObject({ successes: 1, ignored: 2 });
    for (const lease of leases) lease?.release();
    expect(one(balancer, "a")).toMatchObject({ successes: 1, ignored: 2 });
  });

  test("all end, also when ending one of them ends others", async () => {
    const { balancer, clock } = world(3);
    const oldest = watch(balancer.call(never));
    const inBackOff = new AbortController();
    const middle = watch(
      balancer.call(async () => Promise.reject(reset()), {
        idempotent: true,
        signal: inBackOff.signal,
        retry: { delayMs: 5_000, backoffLimitMs: 5_000 },
      }),
    );
    const newest = watch(
      balancer.call((attempt) => {
        attempt.onAbort(() => inBackOff.abort(new Error("the group ends")));
        return never();
      }),
    );
    await clock.advance(1);
    const closed = watch(balancer.close({ drainMs: 10 }));
    await clock.advance(10);
    expect(closed.state).toBe("fulfilled");
    expect([oldest.state, middle.state, newest.state]).toEqual(["rejected", "rejected", "rejected"]);
    expect(held(balancer)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("all end, also when an abort listener of one throws", async () => {
    const { balancer, clock } = world(1);
    const others = [watch(balancer.call(never))];
    watch(
      balancer
        .call((attempt) => {
          attempt.onAbort(() => {
            throw new Error("broken abort");
          });
          return never();
        })
        .catch(() => undefined),
    );
    others.push(watch(balancer.call(never)));
    const leaked = await escaped(async () => {
      const closed = watch(balancer.close({ drainMs: 0 }));
      await clock.advance(0);
      expect(closed.state).toBe("fulfilled");
    });
    expect(leaked).toEqual([]);
    expect(others.map(({ error }) => error)).toEqual([
      expect.objectContaining(CLOSED),
      expect.objectContaining(CLOSED),
    ]);
    expect(held(balancer)).toBe(0);
  });
});

describe("what is attached", () => {
  test("that throws or rejects is announced, and holds nothing up", async () => {
    const { balancer, clock } = world(1);
    const failures = record(balancer, "callbackFailed");
    let closes = 0;
    balancer.attach({
      drain: () => {
        throw new Error("at once");
      },
      close: async () => Promise.reject(new Error("later")),
    });
    balancer.attach({
      drain: async () => Promise.reject(new Error("later")),
      close: () => {
        closes++;
        throw new Error("at once");
      },
    });
    balancer.attach({ close: () => void closes++ });
    const leaked = await escaped(() => balancer.close());
    expect(closes).toBe(2);
    expect(failures.map((entry) => entry.record.where)).toEqual([
      "attachment drain",
      "attachment drain",
      "attachment close",
      "attachment close",
    ]);
    expect(leaked).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("whose drain never ends is given the time for leases and no more", async () => {
    const { balancer, clock } = world(1);
    balancer.attach({ drain: never, close: () => {} });
    const closed = watch(balancer.close({ drainMs: 300 }));
    await clock.advance(299);
    expect(closed.state).toBe("pending");
    await clock.advance(1);
    expect(closed.state).toBe("fulfilled");
  });

  test("and released before is left alone", async () => {
    const { balancer } = world(1);
    let closes = 0;
    const release = balancer.attach({ close: () => void closes++ });
    release();
    release();
    await balancer.close();
    expect(closes).toBe(0);
  });

  test("while leases are held is not closed yet", async () => {
    const { balancer, clock } = world(1);
    let heldAtClose = -1;
    balancer.attach({
      close: () => {
        heldAtClose = held(balancer);
      },
    });
    const lease = balancer.tryAcquire();
    const closed = balancer.close();
    await clock.advance(5_000);
    expect(heldAtClose).toBe(-1);
    lease?.release();
    await closed;
    expect(heldAtClose).toBe(0);
  });
});

describe("derived balancers", () => {
  test("closing one leaves its parent and its siblings at work", async () => {
    const { balancer } = world(1);
    const closing = balancer.derive({ strategy: first() });
    const sibling = balancer.derive({ strategy: first() });
    let closes = 0;
    balancer.attach({ close: () => void closes++ });
    await closing.close();
    expect(closing.snapshot().state).toBe("closed");
    expect(await rejection(closing.call(async () => 1))).toMatchObject(CLOSED);
    expect(await balancer.call(async () => 1)).toBe(1);
    expect(await sibling.call(async () => 2)).toBe(2);
    expect(closes).toBe(0);
    await balancer.close();
    expect(closes).toBe(1);
  });

  test("closing one fails those who wait in its queue, and only those", async () => {
    const { balancer, clock } = world(1);
    balancer.observe("a", { outcome: "overload", retryAfterMs: 500 });
    const derived = balancer.derive({});
    const waiting = [watch(balancer.call(async () => 1)), watch(derived.call(async () => 2))];
    await clock.advance(10);
    await derived.close();
    expect(waiting[1]?.error).toMatchObject(CLOSED);
    await clock.advance(600);
    expect(waiting[0]?.value).toBe(1);
  });

  test("closing the parent closes them, waiting for their calls and then aborting them", async () => {
    const { balancer, clock } = world(1);
    const derived = balancer.derive({}).derive({});
    const work = deferred<string>();
    const finishing = watch(derived.call(() => work.promise));
    const stuck = watch(derived.call(never));
    derived.tryAcquire();
    const closed = watch(balancer.close({ drainMs: 1_000 }));
    expect(await rejection(derived.call(async () => 1))).toMatchObject(CLOSED);
    await clock.advance(500);
    work.resolve("done");
    await clock.advance(499);
    expect(finishing.value).toBe("done");
    expect([stuck.state, closed.state]).toEqual(["pending", "pending"]);
    await clock.advance(1);
    expect(stuck.error).toMatchObject(CLOSED);
    expect(closed.state).toBe("fulfilled");
    expect(held(balancer)).toBe(0);
    expect(derived.snapshot().state).toBe("closed");
    expect(clock.pending).toBe(0);
    await derived.close();
  });
});

describe("during start-up, with a discovery that never answers", () => {
  test("calls, leases and ready wait, then fail with the closing's error; nothing is left", async () => {
    const { balancer, clock, isAborted } = silent();
    await clock.advance(0);
    expect(balancer.snapshot().state).toBe("starting");
    const derived = balancer.derive({});
    const waiting = [
      watch(balancer.ready()),
      watch(balancer.call(async () => 1)),
      watch(balancer.acquire()),
      watch(derived.ready()),
      watch(derived.call(async () => 1)),
    ];
    await clock.advance(5_000);
    expect(waiting.map(({ state }) => state)).toEqual(["pending", "pending", "pending", "pending", "pending"]);
    const closed = watch(balancer.close());
    await clock.advance(0);
    expect(waiting.map(({ error }) => error)).toEqual(waiting.map(() => expect.objectContaining(CLOSED)));
    expect(closed.state).toBe("fulfilled");
    expect(isAborted()).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("ready gives up after ten seconds, or with its signal's reason", async () => {
    const { balancer, clock } = silent();
    const reason = new Error("not waiting");
    const controller = new AbortController();
    const waits = [
      watch(balancer.ready()),
      watch(balancer.ready({ timeoutMs: 100 })),
      watch(balancer.ready({ signal: controller.signal })),
      watch(balancer.ready({ signal: AbortSignal.abort(reason) })),
    ];
    await clock.advance(100);
    controller.abort(reason);
    await clock.advance(0);
    expect(waits.map(({ state }) => state)).toEqual(["pending", "rejected", "rejected", "rejected"]);
    expect(waits[1]?.error).toMatchObject({ code: "FAIRLEAD_ERR_DISCOVERY" });
    expect([waits[2]?.error, waits[3]?.error]).toEqual([reason, reason]);
    await clock.advance(9_900);
    expect(waits[0]?.error).toMatchObject({ code: "FAIRLEAD_ERR_DISCOVERY" });
    expect(clock.pending).toBe(0);
  });

  test("right after it was made, before the watch has begun", async () => {
    const { balancer, clock, isAborted } = silent();
    await balancer.close();
    await settle();
    expect(isAborted()).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("while a watch that failed waits for its restart", async () => {
    const clock = virtualClock();
    let watches = 0;
    const balancer = createBalancer({
      name: "orders",
      clock,
      discovery: {
        name: "broken",
        watch: () => {
          watches++;
          throw new Error("no server");
        },
      },
    });
    await clock.advance(0);
    expect(clock.pending).toBe(1);
    await balancer.close();
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(watches).toBe(1);
  });
});

describe("timers", () => {
  test("none is left, whatever was under way", async () => {
    const { balancer, clock } = world(3, { attemptTimeoutMs: 5_000 });
    const work = [
      watch(balancer.call(never)),
      watch(balancer.call(async () => Promise.reject(reset()), { idempotent: true })),
      watch(balancer.call(async (attempt) => void attempt.hold())),
      watch(balancer.acquire({ pinned: "nobody", pinPolicy: "wait" })),
      watch(balancer.drain("b", { deadlineMs: 60_000 })),
    ];
    balancer.tryAcquire({ pinned: "c" });
    const draining = watch(balancer.drain("c", { deadlineMs: 60_000 }));
    eject(balancer, "a");
    balancer.observe("b", { outcome: "overload", retryAfterMs: 30_000 });
    await clock.advance(1);
    expect(clock.pending).toBeGreaterThan(0);
    const closed = balancer.close({ drainMs: 20 });
    await clock.advance(20);
    await closed;
    expect(clock.pending).toBe(0);
    expect(draining.state).toBe("fulfilled");
    expect(work.every(({ state }) => state !== "pending")).toBe(true);
    expect(held(balancer)).toBe(0);
  });
});
