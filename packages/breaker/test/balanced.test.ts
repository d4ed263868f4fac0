import { createBalancer, type Outcome } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { circuitBreaker } from "../src/index.ts";
import { type BalancedWorld, balancedWorld, deferred, rejection, settle } from "./support.ts";

/** A lease on one backend that ends with this outcome at once; says whether there was one. */
function lease({ balancer }: BalancedWorld, backend: string, outcome: Outcome, route?: string): boolean {
  const labels = route === undefined ? undefined : { route };
  const held = balancer.tryAcquire({ pinned: backend, pinPolicy: "fail", labels });
  held?.settle({ outcome });
  held?.release();
  return held !== undefined;
}

const served = ({ balancer }: BalancedWorld, route = ""): Promise<string> =>
  balancer.call(async ({ backend }) => backend.id, { labels: { route } });

const states = ({ balancer }: BalancedWorld): (string | null)[] =>
  balancer.snapshot().backends.map(({ breaker }) => breaker);

describe("a breaker per backend", () => {
  test("takes a failing backend out, tries it after its time, and takes it back, all told by events", async () => {
    const world = balancedWorld({ consecutiveFailures: 3, resetTimeout: 1_000 });
    const { balancer, clock } = world;
    const seen: unknown[] = [];
    balancer.on("breakerOpened", (event) => seen.push(["opened", event]));
    balancer.on("breakerHalfOpened", ({ backend }) => seen.push(["half-opened", backend]));
    balancer.on("breakerClosed", ({ backend, reason }) => seen.push(["closed", backend, reason]));
    const openedAt = clock.wallNow();
    for (let call = 0; call < 3; call++) lease(world, "a", "failure");
    expect(states(world)).toEqual(["open", "closed"]);
    expect(await served(world)).toBe("b");
    expect(balancer.explain().backends[0]?.reason).toBe("breaker open");
    await clock.advance(1_000);
    expect(await served(world)).toBe("a");
    expect(states(world)).toEqual(["closed", "closed"]);
    expect(seen).toEqual([
      [
        "opened",
        { upstream: "orders", backend: "a", key: null, reason: "3 failures in a row", untilAt: openedAt + 1_000 },
      ],
      ["half-opened", "a"],
      ["closed", "a", "1 of 1 probes worked"],
    ]);
    expect(clock.pending).toBe(0);
  });

  test("counts failures and what never arrived; overload and aborts count for neither", () => {
    const world = balancedWorld({ volumeThreshold: 4 });
    for (const outcome of ["overload", "ignored", "overload", "ignored", "success", "failure", "unreached"] as const) {
      lease(world, "a", outcome);
    }
    expect(states(world)[0]).toBe("closed");
    lease(world, "a", "failure");
    expect(states(world)[0]).toBe("open");
    expect(world.breaker.snapshot()[0]).toMatchObject({ state: "open", inFlight: 0 });
  });

  test("a slow backend is taken out by its latency, and not by a standstill of this process", async () => {
    const world = balancedWorld({ volumeThreshold: 2, slowCalls: { aboveMs: 100 } }, ["a"]);
    const { balancer, clock } = world;
    const take = async (ms: number, stallMs = 0): Promise<void> => {
      const done = deferred();
      const call = balancer.call(() => done.promise);
      await clock.advance(ms);
      clock.stall(stallMs);
      done.resolve();
      await call;
    };
    await take(50, 5_000);
    await take(50, 5_000);
    expect(states(world)).toEqual(["closed"]);
    await take(101);
    await take(101);
    await take(101);
    expect(world.breaker.snapshot()[0]).toMatchObject({ state: "open" });
  });

  test("one probe at a time; a hung one gives its place back after its time", async () => {
    const world = balancedWorld({ consecutiveFailures: 1, resetTimeout: 1_000, probes: { timeoutMs: 2_000 } }, ["a"]);
    const { balancer, clock } = world;
    lease(world, "a", "failure");
    await clock.advance(1_000);
    const hung = balancer.tryAcquire();
    expect(hung).toBeDefined();
    expect(balancer.tryAcquire()).toBeUndefined();
    await clock.advance(2_000);
    expect(await rejection(served(world))).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN" });
    await clock.advance(1_000);
    expect(await served(world)).toBe("a");
    hung?.settle({ outcome: "failure" });
    hung?.release();
    expect(states(world)).toEqual(["closed"]);
  });

  test("calls wait for the one probe of a half-open breaker, and follow when it works", async () => {
    const world = balancedWorld({ consecutiveFailures: 1, resetTimeout: 1_000 }, ["a"]);
    lease(world, "a", "failure");
    await world.clock.advance(1_000);
    const probe = world.balancer.tryAcquire();
    const waiting = served(world);
    await settle();
    probe?.settle({ outcome: "success" });
    expect(await waiting).toBe("a");
  });

  test("capacity: no more at once, others elsewhere, without opening", async () => {
    const world = balancedWorld({ capacity: 1 });
    const held = world.balancer.tryAcquire();
    expect(held?.backend.id).toBe("a");
    expect(await served(world)).toBe("b");
    expect(world.balancer.explain().backends[0]?.reason).toBe("breaker full");
    held?.settle({ outcome: "success" });
    expect(await served(world)).toBe("a");
    expect(states(world)).toEqual(["closed", "closed"]);
  });

  test("is asked by the pick only while it could refuse", () => {
    const world = balancedWorld({ consecutiveFailures: 1 });
    const breaker = world.breaker.create({
      upstream: "other",
      backend: "x",
      clock: world.clock,
      random: { next: () => 0.5 },
      changed: () => {},
      gateChanged: () => changes.push(breaker.passes),
      announce: () => {},
      callbackFailed: () => {},
    });
    const changes: unknown[] = [];
    expect(breaker.passes).toBe(true);
    breaker.report(breaker.enter(0, {}), { outcome: "failure" }, 0, 0);
    expect(changes).toEqual([false]);
  });
});

describe("by hand", () => {
  test("isolate: not even panic sets it aside, nor time, until it is closed, which wakes who waits", async () => {
    const { clock, breaker, balancer } = balancedWorld({}, ["a"]);
    const panicking = createBalancer({
      name: "panic",
      backends: [{ id: "a", url: "http://a.test" }],
      clock,
      breaker,
      panicThreshold: 100,
      ejection: { consecutiveFailures: 1 },
    });
    panicking.observe("a", { outcome: "failure" });
    expect(panicking.tryAcquire()).toBeDefined();
    breaker.isolate("panic", "a");
    await clock.advance(10 ** 7);
    expect(panicking.tryAcquire()).toBeUndefined();
    expect(breaker.snapshot().at(-1)).toMatchObject({ upstream: "panic", isolated: true, openUntilAt: null });
    const pinned = balancer.call(async () => "served", { pinned: "a", pinPolicy: "wait" });
    breaker.isolate("orders", "a");
    const waiting = balancer.call(async () => "waited", { pinned: "a", pinPolicy: "wait" });
    await settle();
    breaker.close("orders", "a");
    expect([await pinned, await waiting]).toEqual(["served", "waited"]);
  });

  test("open: as if it had tripped", async () => {
    const world = balancedWorld({ resetTimeout: 1_000 });
    world.breaker.open("orders", "a");
    expect(await served(world)).toBe("b");
    await world.clock.advance(1_000);
    expect(await served(world)).toBe("a");
  });

  test("what is not there can't be acted upon, and the error says how breakers are named", () => {
    const { breaker } = balancedWorld();
    for (const act of [
      () => breaker.open("orders"),
      () => breaker.close("orders", "z"),
      () => breaker.isolate("orders", "a", "key"),
      () => breaker.circuit("others", "a"),
    ]) {
      expect(act).toThrow(/there is no breaker \(.*\); one is named by upstream, backend/);
    }
  });

  test("configure: new rules at once, for those to come as well; states stay", async () => {
    const world = balancedWorld({ consecutiveFailures: 5, resetTimeout: 1_000 });
    const { breaker, balancer } = world;
    for (let call = 0; call < 3; call++) lease(world, "a", "failure");
    breaker.isolate("orders", "b");
    breaker.configure({ consecutiveFailures: 4 });
    lease(world, "a", "failure");
    balancer.set([
      { id: "a", url: "http://a.test" },
      { id: "b", url: "http://b.test" },
      { id: "c", url: "http://c.test" },
    ]);
    for (let call = 0; call < 4; call++) lease(world, "c", "failure");
    expect(states(world)).toEqual(["open", "open", "open"]);
    expect(breaker.snapshot().map(({ isolated }) => isolated)).toEqual([false, true, false]);
    breaker.configure({ enabled: false });
    expect(lease(world, "a", "failure")).toBe(true);
    expect(() => breaker.configure({ resetTimeout: -1, scope: "upstream" } as never)).toThrow(/2 problems/);
  });

  test("a breaker goes with its backend, and comes back closed", async () => {
    const world = balancedWorld({ consecutiveFailures: 1 });
    lease(world, "a", "failure");
    world.balancer.set([{ id: "b", url: "http://b.test" }]);
    expect(world.breaker.snapshot().map(({ backend }) => backend)).toEqual(["b"]);
    world.balancer.set([{ id: "a", url: "http://a.test" }]);
    expect(states(world)).toEqual(["closed"]);
  });
});

describe("a breaker for the whole upstream", () => {
  test("counts all backends together, refuses all of them, and tries with one call", async () => {
    const world = balancedWorld({ scope: "upstream", consecutiveFailures: 4, resetTimeout: 1_000 });
    const seen: unknown[] = [];
    world.balancer.on("breakerOpened", ({ backend }) => seen.push(backend));
    for (const id of ["a", "b", "a"]) lease(world, id, "failure");
    expect(await rejection(world.balancer.call(async () => Promise.reject(new Error("fails"))))).toMatchObject({
      message: "fails",
    });
    expect(states(world)).toEqual(["open", "open"]);
    expect(seen).toEqual([null]);
    expect(await rejection(served(world))).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN" });
    await world.clock.advance(1_000);
    const probe = world.balancer.tryAcquire();
    expect(world.balancer.tryAcquire()).toBeUndefined();
    probe?.settle({ outcome: "success" });
    probe?.release();
    expect(await served(world)).toBe("a");
    expect(world.breaker.snapshot()).toMatchObject([{ upstream: "orders", backend: null, key: null }]);
  });

  test("lives until its last backend is gone", () => {
    const world = balancedWorld({ scope: "upstream" });
    world.balancer.set([{ id: "c", url: "http://c.test" }]);
    world.breaker.isolate("orders");
    expect(states(world)).toEqual(["open"]);
    world.breaker.close("orders");
    expect(world.balancer.tryAcquire()?.backend.id).toBe("c");
  });
});

describe("breakers by key", () => {
  const byRoute = {
    key: (request: { labels?: Readonly<Record<string, string>> | undefined }) => request.labels?.["route"],
  };

  test("refuse one route of a backend; other routes, other backends and calls without a key go on", async () => {
    const world = balancedWorld({ scope: byRoute, consecutiveFailures: 2 });
    lease(world, "a", "failure", "search");
    lease(world, "a", "failure", "search");
    expect(await served(world, "search")).toBe("b");
    expect(await served(world, "cart")).toBe("a");
    expect(await world.balancer.call(async ({ backend }) => backend.id)).toBe("a");
    expect(states(world)).toEqual(["closed", "closed"]);
    const explain = (route: string) => world.balancer.explain({ labels: { route } }).backends[0]?.reason;
    expect([explain("search"), explain("cart")]).toEqual(["breaker open", "admits it"]);
    expect(world.breaker.snapshot()).toContainEqual(
      expect.objectContaining({ backend: "a", key: "search", state: "open" }),
    );
    lease(world, "b", "failure", "search");
    lease(world, "b", "failure", "search");
    expect(await rejection(served(world, "search"))).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN" });
  });

  test("of an upstream: one route of all backends", async () => {
    const world = balancedWorld({ scope: { ...byRoute, per: "upstream" }, consecutiveFailures: 2 });
    lease(world, "a", "failure", "search");
    lease(world, "b", "failure", "search");
    expect(await rejection(served(world, "search"))).toMatchObject({ code: "FAIRLEAD_ERR_CIRCUIT_OPEN" });
    expect(await served(world, "cart")).toBe("a");
    world.breaker.close("orders", undefined, "search");
    expect(await served(world, "search")).toBe("a");
  });

  test("an unknown route can be isolated before its first call", async () => {
    const world = balancedWorld({ scope: byRoute });
    world.breaker.isolate("orders", "a", "search");
    expect(await served(world, "search")).toBe("b");
  });

  test("are bounded: the least recently called goes, open ones last, and late reports on it change nothing", async () => {
    const world = balancedWorld({ scope: { ...byRoute, maxKeys: 3 }, consecutiveFailures: 1 }, ["a"]);
    const keys = (): (string | null)[] => world.breaker.snapshot().map(({ key }) => key);
    lease(world, "a", "failure", "open");
    const late = world.balancer.tryAcquire({ labels: { route: "late" } });
    lease(world, "a", "success", "two");
    lease(world, "a", "success", "three");
    expect(new Set(keys())).toEqual(new Set(["late", "open", "three"]));
    // Now every place is one that should stay: somebody has to go all the same.
    world.breaker.isolate("orders", "a", "three");
    for (let key = 0; key < 20; key++) lease(world, "a", "success", `more ${key}`);
    expect(keys()).toHaveLength(3);
    late?.settle({ outcome: "failure" });
    late?.release();
    for (const { state, inFlight, key } of world.breaker.snapshot()) {
      if (key?.startsWith("more") === true) expect([state, inFlight]).toEqual(["closed", 0]);
    }
  });

  test("keys from outside by the thousands stay within bounds", () => {
    const world = balancedWorld({ scope: { ...byRoute, maxKeys: 50 } }, ["a"]);
    for (let key = 0; key < 5_000; key++) expect(lease(world, "a", "failure", `${key}`)).toBe(true);
    expect(world.breaker.snapshot()).toHaveLength(50);
  });

  test("a key that throws costs no call", async () => {
    const world = balancedWorld({
      scope: {
        key: () => {
          throw new Error("bad key");
        },
      },
    });
    const failures: string[] = [];
    world.balancer.on("callbackFailed", ({ where }) => failures.push(where));
    expect(await served(world)).toBe("a");
    expect(failures).toContain("breaker.enter");
  });
});

describe("state of an earlier process", () => {
  test("openings go on for what is left of them, isolation stays, also by key", async () => {
    const before = balancedWorld({ consecutiveFailures: 1, resetTimeout: 10_000 });
    lease(before, "a", "failure");
    await before.clock.advance(4_000);
    before.breaker.isolate("orders", "b");
    const state = JSON.parse(JSON.stringify(before.breaker.snapshot()));
    const clock = virtualClock({ wallMs: before.clock.wallNow() + 1_000 });
    const after = balancedWorld({ consecutiveFailures: 1, resetTimeout: 10_000, state }, ["a", "b", "c"], clock);
    expect(states(after)).toEqual(["open", "open", "closed"]);
    await clock.advance(4_999);
    expect(await served(after)).toBe("c");
    await clock.advance(1);
    expect(await served(after)).toBe("a");
    await after.clock.advance(10 ** 6);
    expect(states(after)[1]).toBe("open");
  });

  test("by key: a route that was open is so before its first call", async () => {
    const scope = { key: ({ labels }: { labels?: Readonly<Record<string, string>> | undefined }) => labels?.["route"] };
    const before = balancedWorld({ scope, consecutiveFailures: 1 });
    lease(before, "a", "failure", "search");
    const after = balancedWorld({ scope, state: before.breaker.snapshot() });
    expect(await served(after, "search")).toBe("b");
  });

  test("nonsense is refused", () => {
    expect(() => circuitBreaker({ state: [{ upstream: 1 }] as never })).toThrow(
      /state: got a list of 1, expected a list of breakers/,
    );
    expect(() => circuitBreaker({ state: "open" as never })).toThrow(/state/);
  });
});
