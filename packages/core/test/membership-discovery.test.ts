// A discovery and its supervisor: whatever the source says or does, the last good set stays in force.
import {
  type BackendSpec,
  createBalancer,
  type Discovery,
  type DiscoveryContext,
  type DiscoveryUpdate,
  first,
} from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { constantRandom, escaped, named, one, record, settle, watch, world } from "./support/world.ts";

/** A discovery that says what a test pushes. Each watch reads what is pushed while it is the current one. */
function source() {
  let waiting: ((update: DiscoveryUpdate | "end" | Error) => void) | undefined;
  const queue: (DiscoveryUpdate | "end" | Error)[] = [];
  const contexts: DiscoveryContext[] = [];
  let finished = 0;
  const discovery: Discovery = {
    name: "pushed",
    async *watch(context) {
      contexts.push(context);
      try {
        for (;;) {
          const next =
            queue.shift() ??
            (await new Promise<DiscoveryUpdate | "end" | Error>((resolve) => {
              waiting = resolve;
              context.signal.addEventListener("abort", () => resolve("end"));
            }));
          if (next === "end") return;
          if (next instanceof Error) throw next;
          yield next;
        }
      } finally {
        finished++;
      }
    },
  };
  const push = (update: DiscoveryUpdate | "end" | Error): Promise<void> => {
    const resolve = waiting;
    waiting = undefined;
    if (resolve === undefined) queue.push(update);
    else resolve(update);
    return settle();
  };
  return { discovery, push, contexts, finished: () => finished };
}

/** How bursts are waited out is another matter (membership-intake.test.ts). */
const AT_ONCE = { debounceMs: 0 };

function discovered(options: Parameters<typeof world>[1] = {}) {
  const it = source();
  const { balancer, clock } = world(undefined, { discovery: it.discovery, membership: AT_ONCE, ...options });
  const told = record(balancer, "discoveryUpdated", "discoveryFailed");
  return { ...it, balancer, clock, told };
}

const idsOf = (balancer: { readonly backends: readonly { readonly id: string }[] }): string[] =>
  balancer.backends.map(({ id }) => id);

/** Looks when told to. */
function onDemand() {
  let looks = 0;
  const { balancer, clock } = world(undefined, {
    membership: AT_ONCE,
    discovery: {
      name: "on demand",
      async *watch({ refreshes }) {
        yield { backends: named(1) };
        for await (const _ of refreshes) {
          looks++;
          yield { backends: named(1 + looks) };
        }
      },
    },
  });
  return { balancer, clock, looks: () => looks };
}

describe("before the first set", () => {
  test("calls and leases wait for it, longer than in any queue, and are then served", async () => {
    const { balancer, clock, push } = discovered();
    const ready = watch(balancer.ready());
    const call = watch(balancer.call(async ({ backend }) => backend.id));
    const lease = watch(balancer.acquire());
    await clock.advance(9_000);
    expect(balancer.snapshot()).toMatchObject({ state: "starting", backends: [], waiting: 2 });
    expect(balancer.tryAcquire()).toBeUndefined();
    await push({ backends: named(2) });
    expect(call.value).toBe("a");
    expect(lease.value?.backend.id).toBe("a");
    expect(ready.state).toBe("fulfilled");
    expect(balancer.snapshot().state).toBe("open");
    await balancer.ready();
  });

  test("errors do not end the wait; the deadline does", async () => {
    const { balancer, clock, push, told } = discovered();
    const call = watch(balancer.call(async () => 1, { deadlineMs: 2_000 }));
    await push({ error: new Error("no leader") });
    await clock.advance(1_999);
    expect(call.state).toBe("pending");
    await clock.advance(1);
    expect(call.state).toBe("rejected");
    expect(told.map(({ event }) => event)).toEqual(["discoveryFailed"]);
  });

  test("a set given by hand serves until the first update", async () => {
    const { balancer, push } = discovered();
    balancer.set([{ id: "seed", url: "http://seed.test" }]);
    await balancer.ready();
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("seed");
    await push({ backends: named(1) });
    expect(idsOf(balancer)).toEqual(["a"]);
  });
});

describe("updates", () => {
  test("replace the set and keep history by id; each is announced and dated", async () => {
    const { balancer, clock, push, told } = discovered();
    await push({ backends: named(2) });
    await balancer.call(async () => clock.advanceSync(25), { pinned: "b" });
    const before = one(balancer, "b");
    await push({ backends: named(3).slice(1) });
    expect(idsOf(balancer)).toEqual(["b", "c"]);
    expect(one(balancer, "b")).toEqual(before);
    expect(told.map(({ record: entry }) => entry)).toEqual([
      { upstream: "orders", discovery: "pushed", backends: 2 },
      { upstream: "orders", discovery: "pushed", backends: 2 },
    ]);
    expect(balancer.snapshot().discovery).toEqual({
      name: "pushed",
      updates: 2,
      errors: 0,
      lastError: null,
      updatedAt: clock.wallNow(),
      ageMs: 0,
      emptyAnswers: 0,
    });
  });

  test("an error keeps the last set, and the next update mends it", async () => {
    const { balancer, push, told } = discovered();
    await push({ backends: named(2) });
    const error = new Error("connection lost");
    await push({ error });
    expect(idsOf(balancer)).toEqual(["a", "b"]);
    expect(told.at(-1)).toEqual({
      event: "discoveryFailed",
      record: { upstream: "orders", discovery: "pushed", error },
    });
    expect(balancer.snapshot().discovery).toMatchObject({ updates: 1, errors: 1, lastError: "connection lost" });
    await push({ backends: named(3) });
    expect(idsOf(balancer)).toEqual(["a", "b", "c"]);
  });

  test("one invalid entry among many is left out, and said to be", async () => {
    const { balancer, push, told } = discovered();
    await push({
      backends: [
        ...named(2),
        { id: "x", url: "gopher://x.test" },
        { id: "y", url: "http://y.test", weight: -1 },
        { id: "a", url: "http://twin.test" },
        null as unknown as BackendSpec,
        { id: "z", url: "http://user:secret@z.test" },
        { id: "c", url: "http://c.test" },
      ],
    });
    expect(idsOf(balancer)).toEqual(["a", "b", "c"]);
    const failures = told
      .filter(({ event }) => event === "discoveryFailed")
      .map(({ record: entry }) => String((entry as { error: unknown }).error));
    expect(failures).toHaveLength(5);
    expect(failures[0]).toContain("backends[2].url");
    expect(JSON.stringify([failures, balancer.snapshot()])).not.toContain("secret");
  });

  test("all entries invalid: the last set stays", async () => {
    const { balancer, push } = discovered();
    await push({ backends: named(2) });
    await push({ backends: [{ url: "nonsense" }] });
    expect(idsOf(balancer)).toEqual(["a", "b"]);
  });

  test.each([undefined, null, 7, "backends", {}, { backends: undefined }, { backends: "a" }, { backends: {} }, []])(
    "that are %o keep the last set, and nothing escapes",
    async (nonsense) => {
      const { balancer, clock, push, told } = discovered();
      await push({ backends: named(2) });
      const leaked = await escaped(async () => {
        await push(nonsense as unknown as DiscoveryUpdate);
        await clock.advance(0);
      });
      expect(leaked).toEqual([]);
      expect(idsOf(balancer)).toEqual(["a", "b"]);
      expect(told.at(-1)?.event).toBe("discoveryFailed");
      // It goes on, restarted if need be.
      await clock.advance(60_000);
      await push({ backends: named(1) });
      expect(idsOf(balancer)).toEqual(["a"]);
    },
  );

  test("bring settings, which apply with them; wrong ones are refused whole, and the set still counts", async () => {
    const { balancer, push, told } = discovered();
    await push({ backends: named(1), settings: { attemptTimeoutMs: 1_234, panicThreshold: 5 } });
    expect(balancer.settings).toMatchObject({ attemptTimeoutMs: 1_234, panicThreshold: 5 });
    await push({
      backends: named(2),
      settings: { attemptTimeoutMs: 99, panicThreshold: 500 },
    });
    expect(balancer.settings).toMatchObject({ attemptTimeoutMs: 1_234, panicThreshold: 5 });
    expect(idsOf(balancer)).toEqual(["a", "b"]);
    expect(told.map(({ event }) => event)).toContain("discoveryFailed");
  });

  test("an operator's word outlives them", async () => {
    const { balancer, push } = discovered();
    await push({ backends: named(2) });
    balancer.disable("a");
    await push({ backends: named(2).map((spec) => ({ ...spec, weight: 2 })) });
    expect(one(balancer, "a")).toMatchObject({ state: "disabled", weight: 2 });
  });
});

describe("a watch that ends", () => {
  test.each([
    ["by itself", "end" as const],
    ["by throwing", new Error("socket closed")],
  ])("%s: the set stays, and it is started again after a back-off", async (_, ending) => {
    const { balancer, clock, push, contexts } = discovered();
    await push({ backends: named(2) });
    await push(ending);
    expect(idsOf(balancer)).toEqual(["a", "b"]);
    expect(contexts).toHaveLength(1);
    await clock.advance(124);
    expect(contexts).toHaveLength(1);
    await clock.advance(1);
    expect(contexts).toHaveLength(2);
    await push({ backends: named(3) });
    expect(idsOf(balancer)).toEqual(["a", "b", "c"]);
  });

  test("again and again waits longer, up to half a minute; a good update starts over", async () => {
    const clock = virtualClock();
    const starts: number[] = [];
    let good = false;
    const balancer = createBalancer({
      name: "orders",
      clock,
      strategy: first(),
      random: constantRandom(1 - Number.EPSILON),
      discovery: {
        name: "flaky",
        async *watch() {
          starts.push(clock.now());
          if (good) yield { backends: named(1) };
          throw new Error("down");
        },
      },
    });
    await clock.advance(300_000);
    const gaps = starts.slice(1).map((at, index) => Math.round(at - (starts[index] ?? 0)));
    expect(gaps.slice(0, 9)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    good = true;
    await clock.advance(30_000);
    const before = starts.length;
    await clock.advance(2_600);
    expect(starts.length - before).toBeGreaterThanOrEqual(9);
    await balancer.close();
    expect(clock.pending).toBe(0);
  });

  test("by throwing at once, or being no iterable at all, breaks nothing", async () => {
    for (const watchNothing of [
      () => {
        throw new Error("not even started");
      },
      () => undefined,
      () => 5,
      () => ({ [Symbol.asyncIterator]: () => ({}) }),
    ]) {
      const leaked = await escaped(async () => {
        const { balancer, clock } = world(undefined, {
          discovery: { name: "broken", watch: watchNothing as unknown as Discovery["watch"] },
        });
        const told = record(balancer, "discoveryFailed");
        await clock.advance(1_000);
        expect(told.length).toBeGreaterThan(0);
        balancer.set(named(1));
        expect(await balancer.call(async ({ backend }) => backend.id)).toBe("a");
        await balancer.close();
        expect(clock.pending).toBe(0);
      });
      expect(leaked).toEqual([]);
    }
  });
});

describe("refresh", () => {
  test("makes the discovery look again, from parent and derived alike", async () => {
    const { balancer, looks } = onDemand();
    await settle();
    balancer.refresh();
    await settle();
    expect(looks()).toBe(1);
    expect(idsOf(balancer)).toEqual(["a", "b"]);
    balancer.derive({}).derive({}).refresh();
    await settle();
    expect(looks()).toBe(2);
  });

  test("several at once are one; one before it listens is not lost", async () => {
    const { balancer, looks } = onDemand();
    balancer.refresh();
    balancer.refresh();
    await settle();
    expect(looks()).toBe(1);
    for (let ask = 0; ask < 5; ask++) balancer.refresh();
    await settle();
    expect(looks()).toBeGreaterThanOrEqual(2);
    expect(looks()).toBeLessThanOrEqual(3);
  });

  test("asked for while a failed watch waits for its restart is not lost either", async () => {
    let looks = 0;
    let watches = 0;
    const { balancer, clock } = world(undefined, {
      discovery: {
        name: "on demand",
        async *watch({ refreshes, signal }) {
          watches++;
          yield { backends: named(1) };
          if (watches === 1) {
            // Listens, and fails while it does.
            const asked = refreshes[Symbol.asyncIterator]().next();
            await Promise.race([
              asked,
              new Promise((_, reject) => clock.schedule(10, () => reject(new Error("lost")))),
            ]);
          }
          for await (const _ of refreshes) {
            if (signal.aborted) return;
            looks++;
          }
        },
      },
    });
    await clock.advance(11);
    expect(watches).toBe(1);
    balancer.refresh();
    await clock.advance(1_000);
    expect(watches).toBe(2);
    expect(looks).toBe(1);
    await balancer.close();
  });

  test("with a fixed set does nothing", () => {
    const { balancer } = world(1);
    balancer.refresh();
    expect(idsOf(balancer)).toEqual(["a"]);
  });
});

describe("at the close", () => {
  test("the watch is aborted within a tick, its iterator comes to its end, nothing is started again", async () => {
    const { balancer, clock, push, contexts, finished, told } = discovered();
    await push({ backends: named(1) });
    await balancer.close();
    await settle();
    expect(contexts[0]?.signal.aborted).toBe(true);
    expect(finished()).toBe(1);
    await clock.advance(120_000);
    expect(contexts).toHaveLength(1);
    expect(told.filter(({ event }) => event === "discoveryFailed")).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("those who listen for refreshes are let go", async () => {
    let ended = false;
    const { balancer } = world(undefined, {
      discovery: {
        name: "listening",
        async *watch({ refreshes }) {
          yield { backends: named(1) };
          for await (const _ of refreshes) yield { backends: named(1) };
          ended = true;
        },
      },
    });
    await settle();
    await balancer.close();
    await settle();
    expect(ended).toBe(true);
  });

  test("an update that comes while leases are waited for neither fails nor starts anything", async () => {
    const { balancer, clock, push, told } = discovered();
    await push({ backends: named(1) });
    const lease = balancer.tryAcquire();
    const closed = watch(balancer.close());
    await push({ backends: named(2), settings: { attemptTimeoutMs: 5 } });
    lease?.release();
    await clock.advance(0);
    expect(closed.state).toBe("fulfilled");
    expect(told.filter(({ event }) => event === "discoveryFailed")).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
