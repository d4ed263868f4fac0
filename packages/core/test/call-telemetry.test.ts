// What can be seen: snapshots, explanations, sections and events, and that looking changes nothing.
import {
  type Balancer,
  type BalancerEvents,
  createRandom,
  fallbackWith,
  type Json,
  leastRequest,
  peakEwma,
  random,
  roundRobin,
  type Strategy,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import {
  eject,
  escaped,
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

/** A balancer with something of everything. */
async function lively(strategy?: Strategy) {
  const made = world(
    [
      { id: "a", url: "http://a.test", labels: { tier: "1" } },
      { id: "b", url: "http://b.test", weight: 2, zone: "z" },
      { id: "c", url: "http://c.test", priority: 1 },
      { id: "d", url: "http://d.test", state: "draining" },
      { id: "e", url: "http://e.test" },
      { id: "f", url: "http://f.test" },
    ],
    {
      random: createRandom(9),
      ...(strategy === undefined ? {} : { strategy }),
      breaker: {
        name: "open for e",
        create: ({ backend }) => ({
          state: backend === "e" ? "open" : "closed",
          admits: () => backend !== "e",
          enter: () => 0,
          report: () => {},
          [Symbol.dispose]: () => {},
        }),
      },
    },
  );
  const { balancer, clock } = made;
  await balancer.call(async () => clock.advanceSync(12));
  await rejection(balancer.call(async () => Promise.reject(reset())));
  eject(balancer, "b");
  balancer.observe("f", { outcome: "overload", status: 503, retryAfterMs: 7_000 });
  balancer.tryAcquire({ kind: "connection" });
  balancer.tryAcquire();
  return made;
}

const requests = [
  undefined,
  {},
  { kind: "connection" },
  { pinned: "a" },
  { pinned: "d" },
  { pinned: "nobody", pinPolicy: "fail" },
  { hashKey: "user-1", replayable: true },
] as const;

describe("snapshot and explain", () => {
  test.each([
    ["first", undefined],
    ["peakEwma", peakEwma()],
    ["leastRequest", leastRequest()],
    ["roundRobin", roundRobin()],
    ["random", random()],
  ] as const)("%s: survive JSON unchanged", async (_, strategy) => {
    const { balancer, clock } = await lively(strategy);
    balancer.extend({ name: "extra", snapshot: () => ({ depth: [1, null, "x"] }), explain: () => true });
    for (const ms of [0, 10, 5_000, 86_400_000]) {
      await clock.advance(ms);
      const snapshot = balancer.snapshot();
      expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
      for (const request of requests) {
        const explanation = balancer.explain(request);
        expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
      }
    }
  });

  test("say of each backend how it is", async () => {
    const { balancer, clock } = await lively();
    const { backends, ...rest } = balancer.snapshot();
    const now = clock.wallNow();
    expect(backends.map(({ id, state, health, breaker }) => [id, state, health, breaker])).toEqual([
      ["a", "enabled", "healthy", "closed"],
      ["b", "enabled", "ejected", "closed"],
      ["c", "enabled", "healthy", "closed"],
      ["d", "draining", "healthy", "closed"],
      ["e", "enabled", "healthy", "open"],
      ["f", "enabled", "paused", "closed"],
    ]);
    expect(backends[1]).toMatchObject({ weight: 2, ejections: 1, failures: 5, ejectedUntilAt: expect.any(Number) });
    expect(backends[5]).toMatchObject({ overloads: 1, pausedUntilAt: now + 7_000 });
    expect(backends[0]).toMatchObject({ successes: 1, failures: 1, requests: 1, connections: 1, attempts: 4 });
    expect(backends[0]?.p50Ms).toBeGreaterThanOrEqual(12);
    expect(backends[0]?.p50Ms).toBeLessThanOrEqual(12 * 1.125);
    expect(rest).toMatchObject({
      name: "orders",
      origin: "http://orders",
      at: now,
      state: "open",
      strategy: "first",
      waiting: 0,
      calls: { calls: 2, succeeded: 1, failed: 1 },
      discovery: { name: "fixed" },
      sections: {},
    });
  });

  test("explain gives a reason for each backend", async () => {
    const { balancer } = await lively();
    const explanation = balancer.explain({ tried: new Set(balancer.backends.filter(({ id }) => id === "c")) });
    expect(Object.fromEntries(explanation.backends.map(({ id, reason }) => [id, reason]))).toEqual({
      a: "admits it",
      b: expect.stringMatching(/^ejected for another \d+\.\d s$/),
      c: "already tried",
      d: "draining",
      e: "breaker open",
      f: "asked not to be called for another 7.0 s",
    });
    expect(explanation.backends.filter(({ admitted }) => admitted).map(({ id }) => id)).toEqual(["a"]);
    expect(balancer.explain().choice).toBe("a");
    expect(balancer.explain({ pinned: "d" }).choice).toBe("d");
  });

  test.each([
    ["peakEwma", () => peakEwma()],
    ["roundRobin", () => roundRobin()],
  ] as [string, () => Strategy][])("%s: explain names whom the next call then gets", async (_, strategy) => {
    const { balancer, clock } = world(5, { strategy: strategy(), random: createRandom(21) });
    for (let call = 0; call < 200; call++) {
      const { choice } = balancer.explain();
      await balancer.call(async ({ backend }) => {
        expect(backend.id).toBe(choice);
        clock.advanceSync(backend.id === "c" ? 30 : 10);
      });
    }
  });

  test.each([
    ["peakEwma", () => peakEwma()],
    ["leastRequest", () => leastRequest()],
    ["roundRobin", () => roundRobin()],
    ["random", () => random()],
  ] as [string, () => Strategy][])(
    "%s: asking changes nothing: the same calls go the same ways",
    async (_, strategy) => {
      const picks = async (look: (balancer: Balancer) => void): Promise<string[]> => {
        const { balancer, clock } = world(5, { strategy: strategy(), random: createRandom(33) });
        const ways: string[] = [];
        for (let call = 0; call < 300; call++) {
          look(balancer);
          await balancer.call(async ({ backend }) => {
            ways.push(backend.id);
            clock.advanceSync(3 + (backend.id.charCodeAt(0) % 4));
          });
          if (call === 100) eject(balancer, "b");
        }
        return ways;
      };
      const untouched = await picks(() => {});
      const watched = await picks((balancer) => {
        for (const request of [undefined, {}, { pinned: "a" }, { hashKey: "k" }, { replayable: true }])
          balancer.explain(request);
        balancer.snapshot();
      });
      expect(watched).toEqual(untouched);
    },
  );

  test("asking counts as no call, takes no lease, no probe and no budget", async () => {
    const { balancer, clock } = world(1);
    eject(balancer, "a");
    await clock.advance(5_000);
    const before = balancer.snapshot();
    for (let look = 0; look < 10; look++) balancer.explain({ replayable: true });
    expect(balancer.snapshot()).toEqual(before);
    expect(balancer.explain({ replayable: true }).choice).toBe("a");
    expect(balancer.tryAcquire({ replayable: true })?.backend.id).toBe("a");
  });

  test("explain knows whom a call would get also in the moment after an ejection", () => {
    const { balancer } = world(1);
    balancer.tryAcquire()?.release();
    eject(balancer, "a");
    const { choice } = balancer.explain();
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
    expect(choice).toBe("a");
  });

  test("a derived balancer speaks of its own strategy and queue, and of the same backends", async () => {
    const { balancer } = await lively();
    const derived = balancer.derive({ strategy: roundRobin() });
    expect(derived.snapshot()).toEqual({ ...balancer.snapshot(), strategy: "roundRobin" });
  });
});

function broken(): Json {
  throw new Error("broken section");
}

describe("sections", () => {
  test("appear under their names until removed", () => {
    const { balancer } = world(1);
    const remove = balancer.extend({
      name: "breaker",
      snapshot: () => 1,
      explain: (request) => request.hashKey ?? "none",
    });
    balancer.extend({ name: "quiet" });
    expect(balancer.snapshot().sections).toEqual({ breaker: 1 });
    expect(balancer.explain({ hashKey: "k" }).sections).toEqual({ breaker: "k" });
    expect(balancer.derive({}).snapshot().sections).toEqual({ breaker: 1 });
    remove();
    remove();
    expect(balancer.snapshot().sections).toEqual({});
  });

  test("of one name: the newer wins, and the removal of the older does not take it away", () => {
    const { balancer } = world(1);
    const removeOld = balancer.extend({ name: "x", snapshot: () => "old" });
    balancer.extend({ name: "x", snapshot: () => "new" });
    removeOld();
    expect(balancer.snapshot().sections).toEqual({ x: "new" });
  });

  test("that throw, now or later, are left out and announced; the others are there", async () => {
    const { balancer } = world(1);
    const failures = record(balancer, "callbackFailed");
    balancer.extend({ name: "broken", snapshot: broken, explain: broken });
    balancer.extend({ name: "good", snapshot: () => "here", explain: () => "here" });
    expect(balancer.snapshot().sections).toEqual({ good: "here" });
    expect(balancer.explain().sections).toEqual({ good: "here" });
    expect(failures.map((entry) => entry.record.where)).toEqual(["section broken", "section broken"]);
  });

  test("that answer with a promise are no JSON: left out, and what the promise rejects with does not escape", async () => {
    const { balancer } = world(1);
    const late = (async () => Promise.reject(new Error("late"))) as unknown as () => Json;
    balancer.extend({ name: "late", snapshot: late });
    const leaked = await escaped(async () => {
      const snapshot = balancer.snapshot();
      expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    });
    expect(leaked).toEqual([]);
  });
});

describe("events", () => {
  test("tell the story of a call that needed three attempts", async () => {
    const { balancer, clock } = world(3);
    const told = record(balancer, "attemptRetried");
    const { run } = scripted<string>({
      a: () => Promise.reject(refused()),
      b: () => Promise.reject(reset()),
      c: () => "served",
    });
    const call = watch(balancer.call(run, { idempotent: true }));
    await clock.advance(100);
    expect(call.value).toBe("served");
    expect(told.map((entry) => entry.record)).toEqual([
      {
        upstream: "orders",
        attempt: { backend: "a", outcome: "unreached", errorCode: "ECONNREFUSED", ms: 0, sent: false },
        delayMs: 0,
      },
      {
        upstream: "orders",
        attempt: { backend: "b", outcome: "failure", errorCode: "UND_ERR_SOCKET", ms: 0, sent: true },
        delayMs: 12.5,
      },
    ]);
  });

  test("tell of members, states, options and the end, each with the upstream's name", async () => {
    const { balancer, clock } = world(2);
    const names = [
      "backendAdded",
      "backendUpdated",
      "backendRemoved",
      "backendStateChanged",
      "backendDrained",
      "configured",
      "closed",
    ] as const satisfies (keyof BalancerEvents)[];
    const told = record(balancer, ...names);
    balancer.set([
      { id: "a", url: "http://a.test", weight: 5 },
      { id: "z", url: "http://z.test" },
    ]);
    balancer.disable("a");
    balancer.enable("a");
    await balancer.drain("z");
    balancer.configure({ attemptTimeoutMs: 5 });
    await balancer.close();
    expect(told).toEqual([
      { event: "backendUpdated", record: { upstream: "orders", backend: "a" } },
      { event: "backendAdded", record: { upstream: "orders", backend: "z" } },
      { event: "backendRemoved", record: { upstream: "orders", backend: "b" } },
      { event: "backendStateChanged", record: { upstream: "orders", backend: "a", state: "disabled" } },
      { event: "backendStateChanged", record: { upstream: "orders", backend: "a", state: "enabled" } },
      { event: "backendStateChanged", record: { upstream: "orders", backend: "z", state: "draining" } },
      { event: "backendDrained", record: { upstream: "orders", backend: "z", complete: true } },
      { event: "configured", record: { upstream: "orders" } },
      { event: "closed", record: { upstream: "orders" } },
    ]);
    expect(clock.pending).toBe(0);
  });

  test("reach listeners of parent and derived alike, until they are removed", async () => {
    const { balancer } = world(1);
    const derived = balancer.derive({});
    const heard: string[] = [];
    const offs = [
      balancer.on("configured", () => heard.push("parent")),
      derived.on("configured", () => heard.push("derived")),
    ];
    balancer.configure({});
    derived.configure({});
    offs[0]?.();
    offs[0]?.();
    balancer.configure({});
    expect(heard).toEqual(["parent", "derived", "parent", "derived", "derived"]);
    expect(offs).toHaveLength(2);
  });

  test("a listener that calls back into the balancer finds it in order", async () => {
    const { balancer } = world(2);
    balancer.on("backendEjected", ({ backend }) => {
      balancer.enable(backend);
      expect(one(balancer, backend).health).toBe("healthy");
    });
    const failures = record(balancer, "callbackFailed");
    eject(balancer, "a");
    expect(one(balancer, "a")).toMatchObject({ ejections: 1, health: "healthy" });
    await settle();
    expect(failures).toEqual([]);
  });
});

test("every call ends in one of the counters", async () => {
  const { balancer } = world(1, {
    ejection: false,
    retry: false,
    classify: ({ value }) => (value === "mine" ? "ignored" : undefined),
  });
  const fallback = fallbackWith(() => "instead");
  await balancer.call(async () => "good");
  await balancer.call(async () => "mine");
  await rejection(balancer.call(async () => Promise.reject(reset())));
  await balancer.call(async (): Promise<string> => Promise.reject(reset()), { fallback });
  await rejection(balancer.call(async () => "never", { signal: AbortSignal.abort() }));
  const { calls, succeeded, failed, aborted, ignored, fallbacks } = balancer.snapshot().calls;
  expect({ calls, succeeded, failed, aborted, ignored, fallbacks }).toEqual({
    calls: 5,
    succeeded: 1,
    failed: 1,
    aborted: 1,
    ignored: 1,
    fallbacks: 1,
  });
});
