// The set of backends, and what an operator does with it: who is added, kept with their history, and let go.
import {
  createBalancer,
  createRandom,
  FairleadError,
  first,
  leastRequest,
  type ReconfigurableOptions,
  random,
  roundRobin,
  type Strategy,
} from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import {
  deferred,
  eject,
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

const idsOf = (balancer: { readonly backends: readonly { readonly id: string }[] }): string[] =>
  balancer.backends.map(({ id }) => id);

/** Everything that is known of a backend from its past. */
const historyOf = (...args: Parameters<typeof one>): unknown => {
  const { attempts, successes, failures, overloads, ejections, ewmaMs, p50Ms, p99Ms, health, ejectedUntilAt } = one(
    ...args,
  );
  return { attempts, successes, failures, overloads, ejections, ewmaMs, p50Ms, p99Ms, health, ejectedUntilAt };
};

/** Two backends with a past: a is slow and ejected, b is fine. */
async function experienced() {
  const made = world(2);
  const { balancer, clock } = made;
  for (const id of ["a", "b"]) {
    const call = balancer.call(
      async () => {
        clock.advanceSync(id === "a" ? 80 : 10);
      },
      { pinned: id },
    );
    await call;
  }
  balancer.observe("b", { outcome: "overload" });
  eject(balancer, "a");
  await clock.advance(20);
  return made;
}

/** Paths of all problems, with what was probably meant. */
function problemsOf(options: unknown): string[] {
  try {
    createBalancer(options as Parameters<typeof createBalancer>[0]);
  } catch (error) {
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_CONFIG" });
    return (error as FairleadError).problems.map(({ path, didYouMean }) =>
      didYouMean === undefined ? path : `${path} → ${didYouMean}`,
    );
  }
  throw new Error("nothing was wrong");
}

describe("a new set", () => {
  test("adds, keeps and removes, in the order given", () => {
    const { balancer } = world(3);
    const told = record(balancer, "backendAdded", "backendUpdated", "backendRemoved");
    balancer.set([{ id: "d", url: "http://d.test" }, "http://e.test:81", ...named(2).toReversed()]);
    expect(idsOf(balancer)).toEqual(["d", "e.test:81", "b", "a"]);
    expect(told.map(({ event, record: entry }) => [event, entry.backend])).toEqual([
      ["backendAdded", "d"],
      ["backendAdded", "e.test:81"],
      ["backendRemoved", "c"],
    ]);
    expect(balancer.tryAcquire()?.backend.id).toBe("d");
  });

  test("keeps the history of those that stay, by id, also when everything else about them changes", async () => {
    const { balancer } = await experienced();
    const before = { a: historyOf(balancer, "a"), b: historyOf(balancer, "b") };
    expect(before.a).toMatchObject({ successes: 1, failures: 5, ejections: 1, health: "ejected" });
    balancer.set([
      { id: "b", url: "http://elsewhere.test:9000/api", weight: 7, priority: 1, zone: "z", labels: { x: "1" } },
      { id: "a", url: "http://a.test" },
      { id: "new", url: "http://new.test" },
    ]);
    expect({ a: historyOf(balancer, "a"), b: historyOf(balancer, "b") }).toEqual(before);
    expect(one(balancer, "b")).toMatchObject({ url: "http://elsewhere.test:9000/api", weight: 7, priority: 1 });
    expect(historyOf(balancer, "new")).toMatchObject({ attempts: 0, ewmaMs: 0, health: "healthy" });
  });

  test("the same one again changes and announces nothing", () => {
    const { balancer } = world(3);
    const told = record(balancer, "backendAdded", "backendUpdated", "backendRemoved");
    const before = balancer.snapshot();
    balancer.set(named(3));
    expect(balancer.snapshot()).toEqual(before);
    expect(told).toEqual([]);
  });

  test("is taken whole or not at all, and every problem is named", () => {
    const { balancer } = world(2);
    const before = balancer.snapshot();
    let error: unknown;
    try {
      balancer.set([
        { id: "x", url: "http://x.test" },
        { id: "y", url: "ftp://y.test" },
        { id: "x", url: "http://x2.test" },
        { id: "z", url: "http://z.test", weight: 0 },
        { id: "w", url: "http://w.test", wieght: 2 } as { url: string },
      ]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_CONFIG" });
    expect((error as FairleadError).problems.map(({ path }) => path)).toEqual([
      "backends[1].url",
      "backends[3].weight",
      "backends[4].wieght",
      "backends[2].id",
    ]);
    expect((error as FairleadError).problems[2]?.didYouMean).toBe("weight");
    expect(balancer.snapshot()).toEqual(before);
  });

  test.each([undefined, null, "http://a.test", { url: "http://a.test" }])(
    "that is %o and no list is a clear error",
    (backends) => {
      const { balancer } = world(2);
      expect(() => balancer.set(backends as unknown as [])).toThrow(
        expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG" }),
      );
      expect(idsOf(balancer)).toEqual(["a", "b"]);
    },
  );

  test("reaches derived balancers, and can be given through one", () => {
    const { balancer } = world(1);
    const derived = balancer.derive({ strategy: roundRobin() });
    balancer.set(named(2));
    expect(idsOf(derived)).toEqual(["a", "b"]);
    derived.set(named(3));
    expect(idsOf(balancer)).toEqual(["a", "b", "c"]);
  });
});

describe("a removed backend", () => {
  test("finishes its calls, bodies and leases, takes no new ones, and is then removed", async () => {
    const { balancer, clock } = world(2);
    const told = record(balancer, "backendRemoved");
    const work = deferred<string>();
    const call = watch(balancer.call(() => work.promise, { pinned: "a" }));
    let release: () => void = nothing;
    await balancer.call(
      async (attempt) => {
        release = attempt.hold();
      },
      { pinned: "a" },
    );
    const lease = balancer.tryAcquire({ pinned: "a" });
    balancer.set(named(2).slice(1));
    expect(idsOf(balancer)).toEqual(["b"]);
    expect(one(balancer, "a")).toMatchObject({ state: "removed", requests: 3 });
    expect(balancer.tryAcquire()?.backend.id).toBe("b");
    expect(balancer.tryAcquire({ pinned: "a" })?.backend.id).toBe("b");
    expect(balancer.tryAcquire({ pinned: "a", pinPolicy: "fail" })).toBeUndefined();
    expect(balancer.explain().backends.find(({ id }) => id === "a")).toMatchObject({
      admitted: false,
      reason: "no longer in the set",
    });
    work.resolve("done");
    await clock.advance(0);
    expect(call.value).toBe("done");
    release();
    expect(told).toEqual([]);
    lease?.release();
    expect(told.map((entry) => entry.record)).toEqual([{ upstream: "orders", backend: "a" }]);
    expect(balancer.snapshot().backends.map(({ id }) => id)).toEqual(["b"]);
  });

  test("that fails while it leaves ejects nobody and breaks nothing", async () => {
    const { balancer } = world(2);
    const leases = Array.from({ length: 6 }, () => balancer.tryAcquire({ pinned: "a" }));
    balancer.set(named(2).slice(1));
    for (const lease of leases) {
      lease?.settle({ outcome: "failure" });
      lease?.release({ outcome: "failure" });
    }
    expect(balancer.snapshot().backends.map(({ id }) => id)).toEqual(["b"]);
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("b");
  });

  test("and added again while it drains keeps its history, and is the same one", async () => {
    const { balancer } = await experienced();
    const told = record(balancer, "backendAdded", "backendUpdated", "backendRemoved");
    const lease = balancer.tryAcquire({ pinned: "b" });
    const before = historyOf(balancer, "b");
    balancer.set(named(1));
    expect(balancer.backend("b")).toBeUndefined();
    balancer.set(named(2));
    expect(historyOf(balancer, "b")).toEqual(before);
    expect(balancer.backend("b")).toBe(lease?.backend);
    lease?.release();
    expect(one(balancer, "b").state).toBe("enabled");
    expect(told.map(({ event, record: entry }) => [event, entry.backend])).toEqual([["backendUpdated", "b"]]);
  });

  test("and added again after it was gone starts anew", async () => {
    const { balancer } = await experienced();
    balancer.set(named(2).slice(1));
    balancer.set(named(2));
    expect(historyOf(balancer, "a")).toMatchObject({ attempts: 0, failures: 0, ewmaMs: 0, health: "healthy" });
  });

  test("is forgotten: whoever kept it is not told the load of a backend that came after it", async () => {
    const { balancer, clock } = world(1);
    await balancer.call(async () => clock.advanceSync(40));
    const [kept] = balancer.backends;
    balancer.set([{ id: "later", url: "http://later.test" }]);
    await balancer.call(async () => clock.advanceSync(70));
    balancer.tryAcquire();
    balancer.tryAcquire({ kind: "connection" });
    expect(one(balancer, "later")).toMatchObject({ requests: 1, connections: 1, ewmaMs: 70 });
    expect([kept?.inFlight("request"), kept?.inFlight("connection")]).toEqual([0, 0]);
    expect(kept?.latency.read(clock.now())).not.toBeCloseTo(70, 0);
    expect(kept?.admits({}, clock.now())).toBe(false);
  });

  test("is not waited for by a drain that has nothing to wait for", async () => {
    const { balancer, clock } = world(2);
    const lease = balancer.tryAcquire({ pinned: "a" });
    const drained = watch(balancer.drain("a"));
    balancer.set(named(2).slice(1));
    await clock.advance(0);
    expect(drained.state).toBe("pending");
    lease?.release();
    await clock.advance(0);
    expect(drained.state).toBe("fulfilled");
    expect(clock.pending).toBe(0);
  });
});

describe("an operator", () => {
  test("disables and enables, which keeps history; enabling also ends an ejection", async () => {
    const { balancer } = await experienced();
    const before = historyOf(balancer, "b");
    balancer.disable("b");
    expect(one(balancer, "b").state).toBe("disabled");
    expect(balancer.tryAcquire({ pinned: "b", pinPolicy: "fail" })).toBeUndefined();
    balancer.enable("b");
    expect(historyOf(balancer, "b")).toEqual(before);
    expect(one(balancer, "b").state).toBe("enabled");

    expect(one(balancer, "a").health).toBe("ejected");
    balancer.enable("a");
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", ejectedUntilAt: null, failures: 5, ejections: 1 });
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
  });

  test("overrules the set until `enable`, also across new sets", () => {
    const { balancer } = world(2);
    balancer.disable("a");
    balancer.setWeight("b", 3);
    balancer.set([
      { id: "a", url: "http://a.test", weight: 9 },
      { id: "b", url: "http://b.test", weight: 9 },
    ]);
    expect(one(balancer, "a")).toMatchObject({ state: "disabled", weight: 9 });
    expect(one(balancer, "b").weight).toBe(3);
    balancer.enable("a");
    expect(one(balancer, "a").state).toBe("enabled");
  });

  test("enabling gives back what the specification says, draining or degraded", () => {
    const { balancer } = world([{ id: "a", url: "http://a.test", state: "degraded" }]);
    balancer.disable("a");
    balancer.enable("a");
    expect(one(balancer, "a").state).toBe("degraded");
  });

  test("sets weights, which move shares at once and keep history", async () => {
    const { balancer, clock } = world(2, { strategy: roundRobin(), random: createRandom(1) });
    await balancer.call(async () => clock.advanceSync(30), { pinned: "b" });
    const before = historyOf(balancer, "b");
    balancer.setWeight("b", 4);
    expect(historyOf(balancer, "b")).toEqual(before);
    const picks = Array.from({ length: 100 }, () => balancer.tryAcquire()?.backend.id);
    expect(picks.filter((id) => id === "b")).toHaveLength(80);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, "2" as unknown as number])(
    "setting the weight %s is an error, and changes nothing",
    (weight) => {
      const { balancer } = world(1);
      expect(() => balancer.setWeight("a", weight)).toThrow(expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG" }));
      expect(one(balancer, "a").weight).toBe(1);
    },
  );

  test.each(["enable", "disable", "drain", "setWeight"] as const)(
    "%s of a backend that does not exist is a clear error",
    async (method) => {
      const { balancer } = world(1);
      const act = (): unknown =>
        method === "setWeight" ? balancer.setWeight("nobody", 2) : balancer[method]("nobody");
      let error: unknown;
      try {
        await act();
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(FairleadError);
      expect(error).toMatchObject({ code: "FAIRLEAD_ERR_CONFIG", message: expect.stringContaining('"nobody"') });
    },
  );

  test("drain of a backend that does not exist rejects: it returns a promise in any case", () => {
    const { balancer } = world(1);
    let promise: Promise<void> | undefined;
    expect(() => {
      promise = balancer.drain("nobody");
    }).not.toThrow();
    return expect(promise).rejects.toMatchObject({ code: "FAIRLEAD_ERR_CONFIG" });
  });

  test("drains: resolves when the last lease is back, or at the deadline, and says which", async () => {
    const { balancer, clock } = world(3);
    const told = record(balancer, "backendDrained");
    await balancer.drain("c");
    const lease = balancer.tryAcquire({ pinned: "a" });
    balancer.tryAcquire({ pinned: "b", kind: "connection" });
    const drains = [watch(balancer.drain("a")), watch(balancer.drain("b", { deadlineMs: 200 }))];
    await clock.advance(199);
    expect(drains.map(({ state }) => state)).toEqual(["pending", "pending"]);
    await clock.advance(1);
    expect(drains.map(({ state }) => state)).toEqual(["pending", "fulfilled"]);
    lease?.release();
    await clock.advance(0);
    expect(drains.map(({ state }) => state)).toEqual(["fulfilled", "fulfilled"]);
    expect(told.map((entry) => [entry.record.backend, entry.record.complete])).toEqual([
      ["c", true],
      ["b", false],
      ["a", true],
    ]);
    expect(balancer.tryAcquire()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test("a drain waits thirty seconds unless told otherwise", async () => {
    const { balancer, clock } = world(1);
    balancer.tryAcquire();
    const drained = watch(balancer.drain("a"));
    await clock.advance(29_999);
    expect(drained.state).toBe("pending");
    await clock.advance(1);
    expect(drained.state).toBe("fulfilled");
  });

  test("a drain keeps history, and enabling brings the backend back as it was", async () => {
    const { balancer } = await experienced();
    const before = historyOf(balancer, "b");
    await balancer.drain("b");
    expect(one(balancer, "b").state).toBe("draining");
    balancer.enable("b");
    expect(historyOf(balancer, "b")).toEqual(before);
    expect(balancer.tryAcquire()?.backend.id).toBe("b");
  });
});

describe("configure", () => {
  test("changes options at once and keeps history", async () => {
    const { balancer, clock } = await experienced();
    const before = [historyOf(balancer, "a"), historyOf(balancer, "b")];
    balancer.configure({
      attemptTimeoutMs: 50,
      strategy: leastRequest(),
      ejection: { consecutiveFailures: 2 },
      panicThreshold: 10,
    });
    expect([historyOf(balancer, "a"), historyOf(balancer, "b")]).toEqual(before);
    expect(balancer.snapshot().strategy).toBe("leastRequest");
    expect(balancer.settings).toMatchObject({
      attemptTimeoutMs: 50,
      panicThreshold: 10,
      deadlineMs: 30_000,
      ejection: { consecutiveFailures: 2, baseMs: 5_000 },
    });
    const call = watch(balancer.call(() => new Promise(() => {})));
    await clock.advance(50);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
    balancer.observe("b", { outcome: "failure" });
    expect(one(balancer, "b").ejections).toBe(1);
  });

  test("applies to calls under way from their next step on", async () => {
    const { balancer, clock } = world(2);
    let attempts = 0;
    const call = watch(
      balancer.call(
        async () => {
          attempts++;
          throw reset();
        },
        { idempotent: true },
      ),
    );
    await clock.advance(1);
    balancer.configure({ strategy: roundRobin() });
    await clock.advance(1_000);
    expect(call.state).toBe("rejected");
    expect(attempts).toBe(3);
  });

  const wrong: [string, ReconfigurableOptions, string[]][] = [
    ["one of many", { attemptTimeoutMs: 77, deadlineMs: Number.NaN }, ["deadlineMs"]],
    [
      "all",
      { attemptTimeoutMs: 0, queue: { size: -1 }, panicThreshold: 101 },
      ["attemptTimeoutMs", "panicThreshold", "queue.size"],
    ],
    ["an unknown option", { attemptTimeotMs: 77 } as ReconfigurableOptions, ["attemptTimeotMs"]],
    ["one that can't change", { attemptTimeoutMs: 77, name: "x" } as ReconfigurableOptions, ["name"]],
    ["a nested one", { retry: { limit: 5, delayMs: -1 }, attemptTimeoutMs: 77 }, ["retry.delayMs"]],
    ["a limit below its base", { ejection: { baseMs: 10, maxMs: 5 }, attemptTimeoutMs: 77 }, ["ejection.maxMs"]],
  ];
  test.each(wrong)("with %s wrong changes nothing and names all problems", (_, patch, paths) => {
    const { balancer } = world(2);
    const told = record(balancer, "configured");
    const before = balancer.settings;
    let error: unknown;
    try {
      balancer.configure(patch);
    } catch (thrown) {
      error = thrown;
    }
    expect((error as FairleadError).code).toBe("FAIRLEAD_ERR_CONFIG");
    expect((error as FairleadError).problems.map(({ path }) => path).sort()).toEqual(paths);
    expect(balancer.settings).toEqual(before);
    expect(told).toEqual([]);
  });

  test("of what is shared reaches parent and derived alike; of what is one's own, only oneself", () => {
    const { balancer } = world(2);
    const derived = balancer.derive({ strategy: roundRobin(), attemptTimeoutMs: 1_111 });
    derived.configure({ panicThreshold: 20, deadlineMs: 2_222 });
    expect(balancer.settings).toMatchObject({ panicThreshold: 20, deadlineMs: 30_000, attemptTimeoutMs: 10_000 });
    expect(derived.settings).toMatchObject({ panicThreshold: 20, deadlineMs: 2_222, attemptTimeoutMs: 1_111 });
    balancer.configure({ panicThreshold: 30, attemptTimeoutMs: 3_333 });
    expect(derived.settings).toMatchObject({ panicThreshold: 30, attemptTimeoutMs: 1_111 });
    expect(derived.snapshot().strategy).toBe("roundRobin");
  });

  test("an empty patch is no change", () => {
    const { balancer } = world(1);
    const before = balancer.settings;
    balancer.configure({});
    expect(balancer.settings).toEqual(before);
  });
});

describe("derive", () => {
  test("shares members, history, health and weights; has its own strategy, retries and timeouts", async () => {
    const { balancer, clock } = await experienced();
    const derived = balancer.derive({ strategy: random(), retry: false, attemptTimeoutMs: 40 });
    expect(historyOf(derived, "a")).toEqual(historyOf(balancer, "a"));
    expect(derived.backends).toEqual(balancer.backends);
    expect(await derived.call(async ({ backend }) => backend.id)).toBe("b");
    derived.disable("b");
    expect(one(balancer, "b").state).toBe("disabled");
    derived.enable("b");
    const error = reset();
    expect(await rejection(derived.call(async () => Promise.reject(error), { idempotent: true }))).toBe(error);
    const slow = watch(derived.call(() => new Promise(() => {})));
    await clock.advance(40);
    expect(slow.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
    expect(one(balancer, "b").failures).toBe(2);
  });

  test("refuses what it cannot have of its own", () => {
    const { balancer } = world(1);
    expect(() => balancer.derive({ ejection: false } as object)).toThrow(
      expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG" }),
    );
  });

  test("has the name, origin and clock of its parent", () => {
    const { balancer, clock } = world(1, { origin: "https://orders.example" });
    const derived = balancer.derive({});
    expect([derived.name, derived.origin, derived.clock]).toEqual(["orders", "https://orders.example", clock]);
  });
});

describe("bad input to begin with", () => {
  test("is one error that names everything", () => {
    expect(
      problemsOf({
        name: "orders",
        backends: [
          "not a url",
          { url: "http://a.test", weight: 0 },
          { url: "http://b.test", weight: Number.NaN },
          { url: "http://c.test", weight: -1 },
          { url: "http://d.test" },
          { url: "http://d.test" },
          { url: "http://e.test", pirority: 1 },
        ],
        strateg: first(),
        deadlineMs: -5,
      }),
    ).toEqual([
      "strateg → strategy",
      "backends[0]",
      "backends[1].weight",
      "backends[2].weight",
      "backends[3].weight",
      "backends[6].pirority → priority",
      "backends[5].id",
      "deadlineMs",
    ]);
  });

  test.each([
    ["nothing", undefined, [""]],
    ["no backends", { name: "orders" }, ["backends"]],
    ["an empty list", { name: "orders", backends: [] }, ["backends"]],
    ["no name", { backends: named(1) }, ["name"]],
    ["both sources", { name: "orders", backends: named(1), discovery: { name: "x", watch: () => {} } }, ["discovery"]],
  ])("%s", (_, options, paths) => {
    expect(problemsOf(options)).toEqual(expect.arrayContaining(paths));
  });

  test("leaves no timer and no discovery behind", async () => {
    const clock = virtualClock();
    let watched = false;
    problemsOf({ name: "orders", clock, deadlineMs: 0, discovery: { name: "x", watch: () => (watched = true) } });
    await settle();
    expect(watched).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe("in-flight counts", () => {
  test("return to zero on every backend after sets, drains and states have come and gone under load", async () => {
    const { balancer, clock } = world(4, {
      strategy: leastRequest(),
      random: createRandom(8),
      ejection: { baseMs: 50 },
    });
    const calls: Promise<unknown>[] = [];
    for (let step = 0; step < 200; step++) {
      const work = deferred();
      calls.push(balancer.call(() => work.promise, { idempotent: step % 2 === 0 }).catch(() => undefined));
      clock.schedule(5 + (step % 7), () => (step % 5 === 0 ? work.reject(reset()) : work.resolve()));
      if (step % 20 === 3) balancer.set(named(4).slice(step % 3));
      if (step % 20 === 9) balancer.set(named(4));
      if (step % 30 === 5) balancer.disable("d");
      if (step % 30 === 15) balancer.enable("d");
      if (step % 40 === 8) balancer.drain("c", { deadlineMs: 3 }).catch(() => undefined);
      if (step % 40 === 28) balancer.enable("c");
      await clock.advance(2);
    }
    await clock.advance(5_000);
    await Promise.all(calls);
    expect(held(balancer)).toBe(0);
    expect(balancer.snapshot().backends.every(({ state }) => state !== "removed")).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe("the same set again", () => {
  test("changes nothing: no event, no new view", () => {
    const events: string[] = [];
    let views = 0;
    const counting: Strategy = {
      name: "counting",
      build: ({ backends }) => {
        views++;
        return { pick: () => backends[0] };
      },
    };
    const specs = named(3).map((spec) => ({ ...spec, labels: { rack: "1" } }));
    const { balancer } = world(specs, { strategy: counting });
    balancer.on("backendAdded", ({ backend }) => events.push(`added ${backend}`));
    balancer.on("backendUpdated", ({ backend }) => events.push(`updated ${backend}`));
    balancer.tryAcquire()?.release();
    balancer.set(specs.map((spec) => ({ ...spec, labels: { ...spec.labels } })));
    balancer.tryAcquire()?.release();
    expect([events, views]).toEqual([[], 1]);
    // Its order and its labels belong to it.
    balancer.set(specs.toReversed());
    expect(balancer.tryAcquire()?.backend.id).toBe("c");
    balancer.set(specs.map((spec) => ({ ...spec, labels: { rack: "2" } })));
    expect(balancer.tryAcquire()?.backend.labels).toEqual({ rack: "2" });
    expect([events, views]).toEqual([["updated a", "updated b", "updated c"], 3]);
  });
});
