// How complete sets are taken in: bursts are waited out, emptiness must be confirmed, the same set again is nothing.
import { type BackendSpec, type BalancerEvents, type BalancerOptions, createBalancer, first } from "@fairlead/core";
import { type VirtualClock, virtualClock } from "@fairlead/core/testing";
import { afterEach, describe, expect, test } from "vitest";
import { constantRandom, eject, named, nothing, one, settle } from "./support/world.ts";

const open: { close(options?: { drainMs?: number }): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((balancer) => balancer.close({ drainMs: 0 }))));

/** A balancer that follows a source which a test speaks for. */
function follow(options: Partial<BalancerOptions> = {}) {
  const clock = virtualClock();
  const answers: (readonly BackendSpec[])[] = [];
  let wake = nothing;
  let asked = 0;
  const balancer = createBalancer({
    name: "orders",
    strategy: first(),
    random: constantRandom(0.5),
    clock,
    discovery: {
      name: "spoken for",
      async *watch({ signal, refreshes }) {
        const count = async (): Promise<void> => {
          for await (const _ of refreshes) asked++;
        };
        count().catch(nothing);
        signal.addEventListener("abort", () => wake());
        while (!signal.aborted) {
          for (const backends of answers.splice(0)) yield { backends };
          await new Promise<void>((resolve) => (wake = resolve));
        }
      },
    },
    ...options,
  });
  open.push(balancer);
  const say = (backends: readonly BackendSpec[]): Promise<void> => {
    answers.push(backends);
    wake();
    return settle();
  };
  const told: string[] = [];
  balancer.on("discoveryUpdated", ({ backends }) => told.push(`${clock.now()}: ${backends}`));
  const emptied: Parameters<BalancerEvents["discoveryEmptied"]>[0][] = [];
  balancer.on("discoveryEmptied", (event) => emptied.push(event));
  const ids = (): string => balancer.backends.map(({ id }) => id).join("");
  return { balancer, clock, say, told, emptied, ids, asked: () => asked };
}

function everyForm(): BackendSpec[] {
  return [
    { url: "http://a.test", labels: { version: "1" }, tls: { serverName: "a", ca: ["x"] } },
    { url: "http://b.test/", id: "b", weight: 2, zone: "z", priority: 0, state: "enabled" },
  ];
}

async function advance(clock: VirtualClock, ms: number): Promise<void> {
  await clock.advance(ms);
  await settle();
}

describe("a burst of sets", () => {
  test("is taken in as one, 50 ms after its last", async () => {
    const { clock, say, told, ids } = follow();
    await say(named(1));
    expect(told).toEqual(["0: 1"]);
    for (const count of [2, 3, 4]) {
      await say(named(count));
      await advance(clock, 40);
    }
    expect(ids()).toBe("a");
    await advance(clock, 10);
    expect(told).toEqual(["0: 1", "130: 4"]);
    expect(ids()).toBe("abcd");
  });

  test("that goes on and on is taken in every 250 ms", async () => {
    const { clock, say, told } = follow();
    await say(named(1));
    for (let round = 0; round < 20; round++) {
      await say(named(2 + (round % 3)));
      await advance(clock, 40);
    }
    expect(told.map((line) => Number.parseInt(line, 10))).toEqual([0, 250, 530, 810].slice(0, told.length));
    expect(told.length).toBeGreaterThanOrEqual(3);
  });

  test("is not waited out by a pool of which nobody works", async () => {
    const { balancer, say, ids } = follow({ panicThreshold: 0 });
    await say(named(1));
    eject(balancer, "a");
    await say(named(2));
    expect(ids()).toBe("ab");
  });

  test("has the times of the options, changed on the way", async () => {
    const { balancer, clock, say, ids } = follow({ membership: { debounceMs: 500, debounceLimitMs: 5_000 } });
    await say(named(1));
    await say(named(2));
    await advance(clock, 499);
    expect(ids()).toBe("a");
    await advance(clock, 1);
    expect(ids()).toBe("ab");
    balancer.configure({ membership: { debounceMs: 0 } });
    await say(named(3));
    expect(ids()).toBe("abc");
  });

  test("leaves no timer behind at the close", async () => {
    const { balancer, clock, say } = follow();
    await say(named(1));
    await say(named(2));
    await say([]);
    await say([]);
    expect(clock.pending).toBeGreaterThan(0);
    await balancer.close({ drainMs: 0 });
    expect(clock.pending).toBe(0);
  });
});

describe("an empty answer", () => {
  test("changes nothing until three of them, over ten seconds, say the same", async () => {
    const { balancer, clock, say, ids, emptied } = follow();
    await say(named(2));
    for (let second = 0; second < 9; second++) {
      await say([]);
      await advance(clock, 1_000);
    }
    expect(ids()).toBe("ab");
    expect(balancer.snapshot().discovery).toMatchObject({ emptyAnswers: 9 });
    await advance(clock, 1_000);
    await say([]);
    expect(ids()).toBe("");
    expect(emptied.at(0)).toMatchObject({ inRow: 1, applied: false });
    expect(emptied.at(-1)).toMatchObject({ inRow: 10, applied: true, discovery: "spoken for" });
    expect(balancer.snapshot().discovery.emptyAnswers).toBe(0);
    await expect(balancer.call(async () => {})).rejects.toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
  });

  test("makes the balancer ask again, so that a source that only speaks of changes can confirm it", async () => {
    const { clock, say, asked } = follow();
    await say(named(2));
    await say([]);
    expect(asked()).toBe(0);
    await advance(clock, 5_000);
    expect(asked()).toBe(1);
    await say([]);
    await advance(clock, 5_000);
    expect(asked()).toBe(2);
  });

  test("followed by a set is forgotten", async () => {
    const { clock, say, ids, emptied, asked } = follow({ membership: { emptyReads: 2 } });
    await say(named(2));
    await say([]);
    await say(named(3));
    await advance(clock, 60_000);
    expect([ids(), asked()]).toEqual(["abc", 0]);
    await say([]);
    expect(emptied.map(({ inRow }) => inRow)).toEqual([1, 1]);
  });

  test("does not lose the set that was waiting for its time", async () => {
    const { say, ids } = follow();
    await say(named(1));
    await say(named(3));
    await say([]);
    expect(ids()).toBe("abc");
  });

  test.each([
    ["apply", ""],
    ["keep", "ab"],
  ] as const)("with `%s` leaves %j", async (emptyAnswer, left) => {
    const { clock, say, ids, emptied } = follow({ membership: { emptyAnswer, debounceMs: 0 } });
    await say(named(2));
    for (let count = 0; count < 5; count++) {
      await say([]);
      await advance(clock, 10_000);
    }
    expect(ids()).toBe(left);
    expect(emptied).toHaveLength(5);
  });

  test("of which nobody works is over as soon as somebody is there again", async () => {
    const { say, ids } = follow({ membership: { emptyAnswer: "apply" } });
    await say(named(2));
    await say([]);
    expect(ids()).toBe("");
    await say(named(1));
    expect(ids()).toBe("a");
  });
});

describe("the age of the discovered set", () => {
  test("is the time since the last usable answer, an unchanged one included, whatever the wall clock does", async () => {
    const { balancer, clock, say } = follow();
    expect(balancer.snapshot().discovery.ageMs).toBeNull();
    await say(named(2));
    await advance(clock, 7_000);
    clock.setWall(0);
    expect(balancer.snapshot().discovery).toMatchObject({ ageMs: 7_000, updatedAt: -7_000 });
    await say(named(2));
    expect(balancer.snapshot().discovery.ageMs).toBe(0);
  });
});

describe("a backend that joins", () => {
  test("warms up among those that were there before; all of a new set are taken as they are", async () => {
    const { balancer, clock, say } = follow({ membership: { debounceMs: 0 }, slowStart: { windowMs: 10_000 } });
    await say(named(2));
    const weights = (): (number | null)[] => balancer.explain().backends.map(({ weight }) => weight);
    expect(weights()).toEqual([1, 1]);
    await say(named(3));
    expect(weights()).toEqual([1, 1, 0.1]);
    await advance(clock, 5_000);
    expect(weights()).toEqual([1, 1, 0.5]);
    await advance(clock, 5_000);
    expect(weights()).toEqual([1, 1, 1]);
    await say(named(3).map(({ id, url }) => ({ id: `${id}2`, url })));
    expect(weights()).toEqual([1, 1, 1]);
  });

  test("is not ejected by checks that fail while it starts, but by calls that do", async () => {
    const { balancer, clock, say } = follow({ membership: { debounceMs: 0, graceMs: 5_000 } });
    await say(named(2));
    eject(balancer, "a");
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", failures: 0 });
    for (let count = 0; count < 5; count++) {
      using lease = balancer.tryAcquire({ pinned: "b" });
      lease?.settle({ outcome: "failure" });
    }
    expect(one(balancer, "b").health).toBe("ejected");
    await advance(clock, 5_000);
    eject(balancer, "a");
    expect(one(balancer, "a").health).not.toBe("healthy");
  });
});

describe("an unchanged set", () => {
  test("of fresh objects in any of the forms of a specification is recognised", async () => {
    const { balancer, say } = follow({ membership: { debounceMs: 0 } });
    await say(everyForm());
    const updated: string[] = [];
    balancer.on("backendUpdated", ({ backend }) => updated.push(backend));
    await say(everyForm());
    expect(updated).toEqual([]);
    await say([{ ...everyForm()[0]!, labels: { version: "2" } }, everyForm()[1]!]);
    await say([
      { ...everyForm()[0]!, labels: { version: "2" } },
      { ...everyForm()[1]!, weight: 3 },
    ]);
    expect(updated).toEqual(["a.test:80", "b"]);
    expect(balancer.backends.map(({ labels, weight }) => [labels["version"], weight])).toEqual([
      ["2", 1],
      [undefined, 3],
    ]);
  });

  test("whose objects were changed in place is another one", () => {
    const specs = [{ url: "http://a.test", labels: { version: "1" }, weight: 1 }];
    const balancer = createBalancer({ name: "orders", backends: specs, clock: virtualClock() });
    open.push(balancer);
    balancer.set(specs);
    specs[0]!.labels.version = "2";
    specs[0]!.weight = 5;
    balancer.set(specs);
    expect(balancer.backends[0]).toMatchObject({ weight: 5, labels: { version: "2" } });
  });

  test("with a key too many is refused, though all else was known", () => {
    const balancer = createBalancer({ name: "orders", backends: ["http://a.test"], clock: virtualClock() });
    open.push(balancer);
    balancer.set([{ url: "http://a.test" }]);
    expect(() => balancer.set([{ url: "http://a.test", wieght: 2 } as BackendSpec])).toThrow("did you mean `weight`");
    expect(() => balancer.set(["http://a.test", "http://a.test"])).toThrow("an id of its own");
    expect(balancer.backends).toHaveLength(1);
  });

  test("of 10,000 with one id says so once per double, all at once", () => {
    const balancer = createBalancer({ name: "orders", backends: ["http://a.test"], clock: virtualClock() });
    open.push(balancer);
    const specs = Array.from({ length: 10_000 }, () => ({ url: "http://b.test", id: "same" }));
    expect(() => balancer.set(specs)).toThrow("9999 problems");
    expect(balancer.backends.map(({ id }) => id)).toEqual(["a.test:80"]);
  });
});
