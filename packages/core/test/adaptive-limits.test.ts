// Limits that follow latency, driven by the verdicts of real calls.
import { type AdaptiveLimit, type ConcurrencyLimit, gradient2, leastRequest } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { constantRandom, held, one, settle, world } from "./support/world.ts";

type Sample = readonly [latencyMs: number, inFlight: number, dropped: boolean];

/** An adaptive limit that a test sets by hand, and that notes what it is told. */
function manual(scope: "backend" | "upstream", first = 2) {
  const made: (ConcurrencyLimit & { limit: number; samples: Sample[] })[] = [];
  const provider: AdaptiveLimit = {
    name: "manual",
    scope,
    createLimit: () => {
      const limit = {
        limit: first,
        samples: [] as Sample[],
        sample: (...sample: Sample) => void limit.samples.push(sample),
      };
      made.push(limit);
      return limit;
    },
  };
  return { provider, made };
}

describe("an adaptive limit per backend", () => {
  test("is told the latency of each request, what was under way when it began, and whether it went well", async () => {
    const { provider, made } = manual("backend", 5);
    const { balancer, clock } = world(2, { limits: { adaptive: provider } });
    const leases = [1, 2, 3, 4, 5].map(() => balancer.tryAcquire());
    const outcomes = ["success", "failure", "overload", "unreached", "ignored"] as const;
    for (const [index, outcome] of outcomes.entries()) {
      await clock.advance(10);
      leases[index]?.settle({ outcome });
    }
    expect(made[0]?.samples).toEqual([
      [10, 1, false],
      [20, 2, true],
      [30, 3, true],
      [40, 4, true],
    ]);
    expect(made[1]?.samples).toEqual([]);
  });

  test("is told nothing of connections, nor of what nobody measured", async () => {
    const { provider, made } = manual("backend");
    const { balancer, clock } = world(1, { limits: { adaptive: provider } });
    const socket = balancer.tryAcquire({ kind: "connection" });
    await clock.advance(5);
    socket?.settle({ outcome: "success" });
    balancer.tryAcquire()?.settle({ outcome: "success" });
    balancer.observe("a", { outcome: "failure" });
    expect(made[0]?.samples).toEqual([]);
  });

  test("holds with each sample anew: who waits is served when it rises", async () => {
    const { provider, made } = manual("backend", 1);
    const { balancer, clock } = world(1, { limits: { adaptive: provider } });
    const lease = balancer.tryAcquire();
    const waiting = [balancer.acquire(), balancer.acquire()];
    await clock.advance(10);
    if (made[0] !== undefined) made[0].limit = 3.9;
    lease?.settle({ outcome: "success" });
    await Promise.all(waiting);
    expect([one(balancer, "a").requestLimit, held(balancer)]).toEqual([3, 3]);
    expect(balancer.tryAcquire()).toBeUndefined();
  });

  test("and nobody new comes when it falls to what is under way", async () => {
    const { provider, made } = manual("backend", 5);
    const { balancer, clock } = world(1, { limits: { adaptive: provider } });
    const leases = [balancer.tryAcquire(), balancer.tryAcquire()];
    await clock.advance(10);
    if (made[0] !== undefined) made[0].limit = 2;
    leases[0]?.settle({ outcome: "success" });
    expect(balancer.tryAcquire()).toBeUndefined();
    leases[0]?.release();
    expect(balancer.tryAcquire()).toBeDefined();
  });

  test("gives way to a lower fixed one", () => {
    const { provider } = manual("backend", 5);
    const { balancer } = world(1, { limits: { adaptive: provider, maxConcurrentPerBackend: 2 } });
    expect(one(balancer, "a").requestLimit).toBe(2);
    balancer.configure({ limits: { maxConcurrentPerBackend: 9 } });
    expect(one(balancer, "a").requestLimit).toBe(5);
  });

  test("keeps what it has learnt when other options change, and ends when it is replaced", async () => {
    const { provider, made } = manual("backend");
    const { balancer } = world(1, { limits: { adaptive: provider } });
    balancer.configure({ limits: { maxConcurrent: 100 }, queue: { size: 3 } });
    expect(made).toHaveLength(1);
    balancer.configure({ limits: { adaptive: gradient2({ initial: 50 }) } });
    expect(one(balancer, "a").requestLimit).toBe(50);
    balancer.configure({ limits: { adaptive: false } });
    expect(one(balancer, "a").requestLimit).toBeNull();
  });

  test.each([
    [
      "throws when made",
      {
        createLimit: () => {
          throw new Error("broken");
        },
      },
      null,
    ],
    ["has no number", { createLimit: () => ({ limit: Number.NaN, sample: () => {} }) }, null],
    [
      "throws at a sample",
      {
        createLimit: () => ({
          limit: 3,
          sample: () => {
            throw new Error("broken");
          },
        }),
      },
      3,
    ],
  ] as const)("that %s does no harm", async (_, broken, limit) => {
    const provider: AdaptiveLimit = { name: "broken", scope: "backend", ...broken };
    const { balancer, clock } = world(1, { limits: { adaptive: provider } });
    expect(
      await balancer.call(async () => {
        await clock.advance(5);
        return "served";
      }),
    ).toBe("served");
    expect(one(balancer, "a").requestLimit).toBe(limit);
    expect(balancer.snapshot().calls.callbackFailures).toBe(1);
  });
});

describe("an adaptive limit of the upstream", () => {
  test("is one for all backends, and counts what is under way on all", async () => {
    const { provider, made } = manual("upstream", 3);
    const { balancer, clock } = world(3, { limits: { adaptive: provider, maxConcurrentPerBackend: 1 } });
    const leases = [1, 2, 3].map(() => balancer.tryAcquire());
    await clock.advance(10);
    for (const lease of leases) lease?.settle({ outcome: "success" });
    expect(made).toHaveLength(1);
    expect(made[0]?.samples.map(([, inFlight]) => inFlight)).toEqual([1, 2, 3]);
    expect(balancer.snapshot().limits.requests).toBe(3);
    expect(one(balancer, "a").requestLimit).toBe(1);
  });
});

/** Backends with `workers` places and a queue of their own before them; 400 callers that never rest. */
async function underLoad(seconds: number, slowAfterMs: number) {
  const { balancer, clock } = world(2, {
    strategy: leastRequest(),
    random: constantRandom(0.3),
    queue: { size: 10_000, timeoutMs: 60_000 },
    attemptTimeoutMs: false,
    limits: { adaptive: gradient2() },
  });
  const workers = 30;
  const free = new Map<string, number[]>();
  /** When a request that comes now will be answered: first come, first served. */
  const serve = (id: string): number => {
    const times = free.get(id) ?? Array.from({ length: workers }, () => 0);
    free.set(id, times);
    const serviceMs = id === "a" && clock.now() >= slowAfterMs ? 100 : 20;
    const index = times.indexOf(Math.min(...times));
    const endMs = Math.max(clock.now(), times[index] ?? 0) + serviceMs;
    times[index] = endMs;
    return endMs - clock.now();
  };
  const load = { over: false };
  const caller = async (): Promise<void> => {
    while (!load.over) {
      await balancer
        .call(({ backend }) => new Promise<void>((resolve) => void clock.schedule(serve(backend.id), resolve)))
        .catch(() => {});
    }
  };
  const callers = Array.from({ length: 400 }, caller);
  const limits: [number, number][] = [];
  for (let tenth = 0; tenth < seconds * 10; tenth++) {
    await clock.advance(100);
    limits.push([one(balancer, "a").requestLimit ?? 0, one(balancer, "b").requestLimit ?? 0]);
  }
  load.over = true;
  await clock.advance(60_000);
  await Promise.all(callers);
  await settle();
  return { limits, balancer };
}

describe("gradient2 before modelled backends", () => {
  test("finds out what backends can take: neither limit stays at its start, nor at its maximum", {
    timeout: 30_000,
  }, async () => {
    const { limits, balancer } = await underLoad(10, Number.POSITIVE_INFINITY);
    const last = limits.slice(-20).flat();
    expect(Math.min(...last)).toBeGreaterThan(20);
    expect(Math.max(...last)).toBeLessThanOrEqual(200);
    expect(held(balancer)).toBe(0);
  });

  test("takes away from a backend that becomes slow, at once, and not from the other", {
    timeout: 30_000,
  }, async () => {
    const { limits } = await underLoad(6, 5_000);
    const [aBefore = 0, bBefore = 0] = limits[49] ?? [];
    const [aAfter = 0, bAfter = 0] = limits[55] ?? [];
    expect(aAfter).toBeLessThan(aBefore * 0.8);
    expect(bAfter).toBeGreaterThanOrEqual(bBefore * 0.8);
  });
});
