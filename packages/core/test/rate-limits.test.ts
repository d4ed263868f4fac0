// How fast calls may begin: buckets in this process, a store for a fleet, and what holds while it is out of order.
import { type PickRequest, type RateLimitOptions, type RateStore, rateLimit } from "@fairlead/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  abortListeners,
  deferred,
  escaped,
  held,
  record,
  refused,
  rejection,
  reset,
  scripted,
  settle,
  watch,
  world,
} from "./support/world.ts";

function limited(options: RateLimitOptions, more: Parameters<typeof world>[1] = {}) {
  return world(2, { limits: { rate: rateLimit(options) }, ...more });
}

const key = ({ hashKey }: PickRequest): string | undefined => hashKey;

const served = async (): Promise<string> => "served";

describe("a rate limit that refuses", () => {
  test("lets the burst in, turns the rest away at once, and says when to come again", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 3 });
    const shed = record(balancer, "callShed");
    expect(await Promise.all([1, 2, 3].map(() => balancer.call(served)))).toEqual(["served", "served", "served"]);
    expect(await rejection(balancer.call(served))).toMatchObject({
      code: "FAIRLEAD_ERR_LIMIT",
      limit: "rate",
      retryAfterMs: 100,
      message: "orders: calls come too fast, the next may in 100 ms",
    });
    expect(shed.map(({ record: { limit } }) => limit)).toEqual(["rate"]);
    expect(balancer.snapshot()).toMatchObject({
      calls: { calls: 4, succeeded: 3, failed: 1 },
      limits: { shed: { rate: 1 }, rate: { waiting: 0, keys: 1, storeFailures: 0, storeIsOut: false } },
    });
    await clock.advance(100);
    expect(await balancer.call(served)).toBe("served");
    expect(clock.pending).toBe(0);
  });

  test("has a burst of one second's calls, and of at least one", async () => {
    for (const [perSecond, burst] of [
      [10, 10],
      [0.1, 1],
    ] as const) {
      const { balancer } = limited({ perSecond });
      for (let index = 0; index < burst; index++) await balancer.call(served);
      expect(await rejection(balancer.call(served))).toMatchObject({ limit: "rate" });
    }
  });

  test("asks for no backend: nothing is picked for a call that is turned away", async () => {
    const { balancer } = limited({ perSecond: 1, burst: 1 });
    await balancer.call(served);
    await rejection(balancer.call(served));
    expect(balancer.snapshot().backends.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(1);
  });

  test("counts calls, not their repeats", async () => {
    const { balancer, clock } = limited({ perSecond: 1, burst: 1 });
    const { visits, run } = scripted({
      a: () => {
        throw visits.length === 1 ? refused() : reset();
      },
      b: () => "served",
    });
    const call = watch(balancer.call(run, { idempotent: true }));
    await clock.advance(900);
    expect([call.value, visits]).toEqual(["served", ["a", "b"]]);
  });

  test("is shared with derived balancers", async () => {
    const { balancer } = limited({ perSecond: 1, burst: 1 });
    await balancer.derive({}).call(served);
    expect(await rejection(balancer.call(served))).toMatchObject({ limit: "rate" });
  });

  test("holds for leases by hand; a token whose lease was not to be had is given back", async () => {
    const { balancer } = limited({ perSecond: 1, burst: 2 }, { limits: undefined });
    balancer.configure({ limits: { maxConcurrent: 1, rate: rateLimit({ perSecond: 1, burst: 2 }) } });
    const lease = balancer.tryAcquire();
    for (let index = 0; index < 5; index++) expect(balancer.tryAcquire()).toBeUndefined();
    lease?.release();
    expect(balancer.tryAcquire()).toBeDefined();
    expect(await rejection(balancer.acquire())).toMatchObject({ limit: "rate" });
  });

  test("by key: each has its own rate, and a call without one is not limited", async () => {
    const { balancer } = limited({ perSecond: 1, burst: 1, key });
    expect(await balancer.call(served, { hashKey: "a" })).toBe("served");
    expect(await balancer.call(served, { hashKey: "b" })).toBe("served");
    expect(await rejection(balancer.call(served, { hashKey: "a" }))).toMatchObject({
      message: 'orders: calls of "a" come too fast, the next may in 1000 ms',
    });
    for (let index = 0; index < 10; index++) expect(await balancer.call(served)).toBe("served");
    expect(balancer.snapshot().limits.rate?.keys).toBe(2);
  });

  test.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["is no text", () => 7],
    [
      "is a promise that rejects",
      async () => {
        throw new Error("broken");
      },
    ],
  ])("with a key that %s limits nothing", async (_, broken) => {
    const { balancer } = limited({ perSecond: 1, burst: 1, key: broken as () => string });
    const caught = await escaped(async () => {
      for (let index = 0; index < 3; index++) expect(await balancer.call(served)).toBe("served");
    });
    expect(caught).toEqual([]);
    expect(balancer.snapshot().calls.callbackFailures).toBe(3);
  });

  test("takes no token for a caller who has left already", async () => {
    const { balancer } = limited({ perSecond: 1, burst: 1 });
    await rejection(balancer.call(served, { signal: AbortSignal.abort(new Error("left")) }));
    expect(await balancer.call(served)).toBe("served");
  });
});

describe("a rate limit that delays", () => {
  test("lets one in per token, in order, and nobody overtakes", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, delay: true });
    const begun: [number, number][] = [];
    const calls = [0, 1, 2, 3].map((index) => balancer.call(async () => void begun.push([index, clock.now()])));
    await clock.advance(250);
    calls.push(balancer.call(async () => void begun.push([4, clock.now()])));
    expect(balancer.snapshot().limits.rate?.waiting).toBe(2);
    await clock.advance(1_000);
    await Promise.all(calls);
    expect(begun).toEqual([
      [0, 0],
      [1, 100],
      [2, 200],
      [3, 300],
      [4, 400],
    ]);
    expect(clock.pending).toBe(0);
  });

  test("gives a token to who waits for it, though a newcomer asks first", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, delay: true });
    const order: string[] = [];
    const enter = (name: string) => balancer.call(async () => void order.push(name));
    const calls: Promise<unknown>[] = [];
    // At the very time of the next token, before anybody has been told of it.
    clock.schedule(100, () => void calls.push(enter("newcomer")));
    calls.push(enter("first"), enter("waits"));
    await clock.advance(300);
    await Promise.all(calls);
    expect(order).toEqual(["first", "waits", "newcomer"]);
  });

  test("keeps nobody who would wait longer than the queue allows", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, delay: true }, { queue: { timeoutMs: 250 } });
    const calls = Array.from({ length: 5 }, () => watch(balancer.call(served)));
    await settle();
    expect(calls.map(({ state }) => state)).toEqual(["fulfilled", "pending", "pending", "rejected", "rejected"]);
    expect(calls[4]?.error).toMatchObject({ limit: "rate", retryAfterMs: 300 });
    await clock.advance(200);
    expect(calls.map(({ state }) => state).slice(0, 3)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
  });

  test("nor longer than its deadline, nor more than may wait", async () => {
    const { balancer } = limited({ perSecond: 10, burst: 1, delay: true }, { queue: { size: 1 } });
    await balancer.call(served);
    expect(await rejection(balancer.call(served, { deadlineMs: 50 }))).toMatchObject({ limit: "rate" });
    expect(await rejection(balancer.acquire({}, { deadlineMs: 50 }))).toMatchObject({ limit: "rate" });
    const waits = watch(balancer.call(served));
    expect(await rejection(balancer.call(served))).toMatchObject({ limit: "rate" });
    expect(waits.state).toBe("pending");
  });

  test("counts the wait into the call's deadline", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, delay: true });
    await balancer.call(served);
    const call = watch(balancer.call(() => new Promise(() => {}), { deadlineMs: 150 }));
    await clock.advance(149);
    expect(call.state).toBe("pending");
    await clock.advance(2);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
  });

  test("lets a caller leave, whose turn goes to the next", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, delay: true });
    await balancer.call(served);
    const controller = new AbortController();
    const left = watch(balancer.call(served, { signal: controller.signal }));
    const next = watch(balancer.call(served));
    controller.abort(new Error("enough"));
    await settle();
    expect([left.error, abortListeners(controller.signal)]).toEqual([new Error("enough"), 0]);
    await clock.advance(100);
    expect(next.state).toBe("fulfilled");
    expect(balancer.snapshot().calls).toMatchObject({ calls: 3, succeeded: 2, aborted: 1, failed: 0 });
    expect(clock.pending).toBe(0);
  });

  test("waits by key, and forgets the lines that are over", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, delay: true, key });
    const calls = ["a", "a", "b", "b"].map((hashKey) => watch(balancer.call(served, { hashKey })));
    await settle();
    expect(calls.map(({ state }) => state)).toEqual(["fulfilled", "pending", "fulfilled", "pending"]);
    await clock.advance(100);
    expect(calls.map(({ state }) => state)).not.toContain("pending");
  });

  test("tells those who wait when the balancer closes, and lets a closed derived one begin nothing", async () => {
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, delay: true });
    await balancer.call(served);
    const derived = balancer.derive({});
    const [first, second] = [watch(derived.call(served)), watch(balancer.call(served))];
    await derived.close();
    await clock.advance(100);
    expect(first.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    await balancer.close();
    await settle();
    expect(second.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    expect(clock.pending).toBe(0);
  });

  test("lets those who wait go on when it is replaced", async () => {
    const { balancer, clock } = limited({ perSecond: 1, burst: 1, delay: true }, { queue: { timeoutMs: 10_000 } });
    await balancer.call(served);
    const waits = watch(balancer.call(served));
    balancer.configure({ limits: { rate: rateLimit({ perSecond: 5, burst: 1 }) } });
    await settle();
    expect([waits.state, clock.pending]).toEqual(["fulfilled", 0]);
    await balancer.call(served);
    expect(await rejection(balancer.call(served))).toMatchObject({ retryAfterMs: 200 });
    balancer.configure({ limits: { rate: false } });
    expect(balancer.snapshot().limits.rate).toBeNull();
    expect(await balancer.call(served)).toBe("served");
  });

  test("never lets more begin than burst + rate × time, whoever comes and leaves", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.record({ waitMs: fc.nat(80), leaveMs: fc.option(fc.nat(200), { nil: undefined }) }), {
          minLength: 1,
          maxLength: 60,
        }),
        async (perSecond, burst, arrivals) => {
          const { balancer, clock } = limited({ perSecond, burst, delay: true });
          const begun: number[] = [];
          const calls: Promise<unknown>[] = [];
          for (const { waitMs, leaveMs } of arrivals) {
            await clock.advance(waitMs);
            const controller = new AbortController();
            if (leaveMs !== undefined) clock.schedule(leaveMs, () => controller.abort());
            calls.push(
              balancer.call(async () => void begun.push(clock.now()), { signal: controller.signal }).catch(() => {}),
            );
          }
          await clock.advance(2_000);
          await Promise.all(calls);
          for (let from = 0; from < begun.length; from++)
            for (let to = from; to < begun.length; to++) {
              const spanMs = (begun[to] ?? 0) - (begun[from] ?? 0);
              expect(to - from + 1).toBeLessThanOrEqual(burst + (spanMs * perSecond) / 1_000 + 1e-6);
            }
          expect([held(balancer), clock.pending, balancer.snapshot().limits.rate?.waiting]).toEqual([0, 0, 0]);
        },
      ),
      { seed: 11, numRuns: 100 },
    );
  });
});

/** A store whose answers a test gives. */
function handStore() {
  const asked: { key: string; answer: ReturnType<typeof deferred<unknown>> }[] = [];
  const store: RateStore = {
    consume: (asking) => {
      const answer = deferred<unknown>();
      asked.push({ key: asking, answer });
      return answer.promise;
    },
  };
  return { store, asked };
}

const noToken = (msBeforeNext: number) => ({ msBeforeNext, remainingPoints: 0, consumedPoints: 9 });

describe("a rate limit with a store", () => {
  test("lets in whom the store lets in, and hands on when to come again", async () => {
    const { store, asked } = handStore();
    const { balancer, clock } = limited({ perSecond: 1, store });
    const calls = [watch(balancer.call(served)), watch(balancer.call(served))];
    expect(asked.map((question) => question.key)).toEqual(["orders", "orders"]);
    asked[0]?.answer.resolve({ remainingPoints: 0 });
    asked[1]?.answer.reject(noToken(432));
    await settle();
    expect(calls[0]?.value).toBe("served");
    expect(calls[1]?.error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "rate", retryAfterMs: 432 });
    expect([clock.pending, balancer.snapshot().limits.rate]).toEqual([
      0,
      { waiting: 0, keys: 0, storeFailures: 0, storeIsOut: false },
    ]);
  });

  test("that delays asks again when the store says, within the bounds of waiting", async () => {
    const { store, asked } = handStore();
    const { balancer, clock } = limited({ perSecond: 1, store, delay: true }, { queue: { timeoutMs: 500 } });
    const call = watch(balancer.call(served));
    asked[0]?.answer.reject(noToken(300));
    await clock.advance(299);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    asked[1]?.answer.reject(noToken(201));
    await settle();
    expect(call.error).toMatchObject({ limit: "rate", retryAfterMs: 201 });
    const second = watch(balancer.call(served));
    asked[2]?.answer.reject(noToken(100));
    await clock.advance(100);
    asked[3]?.answer.resolve({});
    await settle();
    expect([second.value, clock.pending]).toEqual(["served", 0]);
  });

  test("hears of a caller who leaves and of a close while it waits for the answer", async () => {
    const { store } = handStore();
    const { balancer, clock } = limited({ perSecond: 1, store, storeTimeoutMs: 5_000 });
    const controller = new AbortController();
    const left = watch(balancer.call(served, { signal: controller.signal }));
    const closed = watch(balancer.acquire());
    controller.abort(new Error("enough"));
    await settle();
    expect(left.error).toEqual(new Error("enough"));
    await balancer.close();
    await settle();
    expect(closed.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    await clock.advance(5_000);
    expect(clock.pending).toBe(0);
  });

  test("decides by the buckets of this process for tryAcquire, which can't wait", () => {
    const { store, asked } = handStore();
    const { balancer } = limited({ perSecond: 1, burst: 2, store });
    expect([1, 2, 3].map(() => balancer.tryAcquire() !== undefined)).toEqual([true, true, false]);
    expect(asked).toEqual([]);
  });
});

describe("a store that is out of order", () => {
  const outages: [string, RateStore["consume"]][] = [
    ["rejects with an error", () => Promise.reject(new Error("connection lost"))],
    ["rejects with nothing", () => Promise.reject(undefined)],
    ["rejects with nonsense", () => Promise.reject({ msBeforeNext: "soon" })],
    [
      "throws",
      () => {
        throw new Error("no client");
      },
    ],
    ["never answers", () => new Promise(() => {})],
  ];

  test.each(outages)("because it %s: the buckets of this process take over", async (what, consume) => {
    const { balancer, clock } = limited({ perSecond: 1, burst: 2, store: { consume } });
    const failures = record(balancer, "callbackFailed");
    const caught = await escaped(async () => {
      const calls = [1, 2, 3].map(() => watch(balancer.call(served)));
      await clock.advance(100);
      expect(calls.map(({ state }) => state)).toEqual(["fulfilled", "fulfilled", "rejected"]);
      expect(calls[2]?.error).toMatchObject({ limit: "rate", retryAfterMs: expect.any(Number) as number });
    });
    expect(caught).toEqual([]);
    // One that fails at once is asked once.
    const asked = what === "throws" ? 1 : 3;
    expect(failures.map(({ record: { where } }) => where)).toEqual(Array.from({ length: asked }, () => "rate.store"));
    expect(balancer.snapshot().limits.rate).toMatchObject({ storeFailures: asked, storeIsOut: true });
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["allow", ["fulfilled", "fulfilled", "fulfilled"]],
    ["refuse", ["rejected", "rejected", "rejected"]],
  ] as const)("with onStoreFailure %s", async (onStoreFailure, states) => {
    const store = { consume: () => Promise.reject(new Error("connection lost")) };
    const { balancer } = limited({ perSecond: 1, burst: 1, store, onStoreFailure });
    const calls = [1, 2, 3].map(() => watch(balancer.call(served)));
    await settle();
    expect(calls.map(({ state }) => state)).toEqual(states);
    if (onStoreFailure === "refuse")
      expect(calls[0]?.error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "rate" });
  });

  test("costs one call a second its timeout, and serves again as soon as it answers", async () => {
    const { store, asked } = handStore();
    const { balancer, clock } = limited({ perSecond: 1_000, store, storeTimeoutMs: 100 });
    const first = watch(balancer.call(served));
    await clock.advance(99);
    expect(first.state).toBe("pending");
    await clock.advance(1);
    expect(first.state).toBe("fulfilled");
    for (let index = 0; index < 50; index++) expect(await balancer.call(served)).toBe("served");
    expect(asked).toHaveLength(1);
    await clock.advance(1_000);
    const [probe, other] = [watch(balancer.call(served)), watch(balancer.call(served))];
    await settle();
    expect([probe.state, other.state, asked.length]).toEqual(["pending", "fulfilled", 2]);
    asked[1]?.answer.resolve({});
    await settle();
    expect([probe.state, balancer.snapshot().limits.rate?.storeIsOut]).toEqual(["fulfilled", false]);
    watch(balancer.call(served));
    expect(asked).toHaveLength(3);
  });

  test("says nothing any more once it is late", async () => {
    const { store, asked } = handStore();
    const { balancer, clock } = limited({ perSecond: 1, burst: 1, store });
    const caught = await escaped(async () => {
      const call = watch(balancer.call(served));
      await clock.advance(100);
      expect(call.state).toBe("fulfilled");
      asked[0]?.answer.reject(new Error("far too late"));
      await settle();
    });
    expect(caught).toEqual([]);
    expect(balancer.snapshot().limits.rate?.storeFailures).toBe(1);
  });

  test("with delay: calls wait for tokens of this process", async () => {
    const store = { consume: () => Promise.reject(new Error("connection lost")) };
    const { balancer, clock } = limited({ perSecond: 10, burst: 1, store, delay: true });
    const calls = [1, 2, 3].map(() => watch(balancer.call(served)));
    await settle();
    expect(calls.map(({ state }) => state)).toEqual(["fulfilled", "pending", "pending"]);
    await clock.advance(200);
    expect(calls.map(({ state }) => state)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(clock.pending).toBe(0);
  });
});

describe("the options of a rate limit", () => {
  test.each<[unknown, string[]]>([
    [undefined, [""]],
    [{}, ["perSecond"]],
    [{ perSecond: 0 }, ["perSecond"]],
    [{ perSecond: 1, burst: 0.5, maxKeys: 0 }, ["burst", "maxKeys"]],
    [{ perSecond: 1, key: "hashKey" }, ["key"]],
    [{ perSecond: 1, delay: "yes" }, ["delay"]],
    [{ perSecond: 1, store: {} }, ["store"]],
    [{ perSecond: 1, onStoreFailure: "panic", storeTimeoutMs: 0 }, ["onStoreFailure", "storeTimeoutMs"]],
    [{ perSeconds: 1 }, ["perSeconds", "perSecond"]],
  ])("must make sense: %o", (options, paths) => {
    const problems = expect.arrayContaining(
      paths.map((path) => expect.objectContaining({ path }) as unknown),
    ) as unknown;
    expect(() => rateLimit(options as RateLimitOptions)).toThrow(
      expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG", problems }),
    );
  });
});
