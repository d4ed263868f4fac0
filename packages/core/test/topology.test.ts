// Priorities, zones, subsets and panic through a whole balancer.
import {
  type Backend,
  type BackendSpec,
  type Balancer,
  type BalancerOptions,
  createRandom,
  type KeyHash,
  labelSubsets,
  maglev,
  type PickRequest,
  randomSubset,
  reportedLoad,
  roundRobin,
  type Strategy,
  type Subsetting,
  zoneAware,
  zoneWeights,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { eject, rejection, type World, world } from "./support/world.ts";

/** Backends a, b, c… as the specifications say, by turns unless said otherwise, and nobody warms up. */
function over(specs: readonly Partial<BackendSpec>[], options: Partial<BalancerOptions> = {}): World {
  const backends = specs.map((spec, index) => ({
    url: "http://10.0.0.1",
    id: String.fromCharCode(97 + index),
    ...spec,
  }));
  return world(backends, { strategy: roundRobin(), random: createRandom(1), slowStart: false, ...options });
}

/** Who takes each of `count` calls, counted by id. */
function spread(balancer: Balancer, count: number, request?: (index: number) => PickRequest): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < count; index++) {
    using lease = balancer.tryAcquire(request?.(index));
    const id = lease?.backend.id ?? "nobody";
    counts[id] = (counts[id] ?? 0) + 1;
    lease?.settle({ outcome: "success", latencyMs: 10 });
  }
  return counts;
}

/** Views follow verdicts on health this late. */
const COALESCED_MS = 10;

const sumOf = (counts: Record<string, number>, ids: string): number =>
  ids.split("").reduce((sum, id) => sum + (counts[id] ?? 0), 0);

const canary = (): PickRequest => ({ labels: { version: "2" } });

const fleet = (): Partial<BackendSpec>[] =>
  Array.from({ length: 100 }, (_, index) => ({ id: `b${index}`, priority: index < 80 ? 0 : 1 }));

/** One of three works. */
function closed(): Balancer {
  const { balancer } = over([{}, {}, {}], { panicMode: "fail-closed" });
  for (const id of ["a", "b"]) eject(balancer, id);
  return balancer;
}

describe("failback", () => {
  const LEVELS = [{}, {}, { priority: 1 }, { priority: 1 }];

  /** The first priority is ejected for 5 s (± 20 %), and proves itself as soon as it may. */
  async function recover(options: Partial<BalancerOptions>) {
    const { balancer, clock } = over(LEVELS, { panicThreshold: 0, ...options });
    for (const id of ["a", "b"]) eject(balancer, id);
    expect(sumOf(spread(balancer, 10), "cd")).toBe(10);
    await clock.advance(6_000);
    for (const id of ["a", "b"]) {
      using lease = balancer.tryAcquire({ pinned: id });
      lease?.settle({ outcome: "success" });
    }
    return { balancer, clock };
  }

  test("is immediate by default", async () => {
    const { balancer } = await recover({});
    expect(sumOf(spread(balancer, 10), "ab")).toBe(10);
  });

  test("waits until the priority has been well for the time, and is seen by explain", async () => {
    const { balancer, clock } = await recover({ failback: { stableMs: 10_000 } });
    expect(sumOf(spread(balancer, 10), "cd")).toBe(10);
    expect(balancer.explain().backends[0]).toMatchObject({ id: "a", reason: "priority 0 stands by" });
    await clock.advance(9_999);
    expect(sumOf(spread(balancer, 10), "cd")).toBe(10);
    await clock.advance(1);
    expect(sumOf(spread(balancer, 10), "ab")).toBe(10);
  });

  test("does not wait while the other priority fails", async () => {
    const { balancer } = await recover({ failback: { stableMs: 10_000 } });
    for (const id of ["c", "d"]) eject(balancer, id);
    expect(sumOf(spread(balancer, 10), "ab")).toBe(10);
  });

  test("can be changed while calls are under way", async () => {
    const { balancer } = await recover({ failback: { stableMs: 10_000 } });
    balancer.configure({ failback: "immediate" });
    expect(sumOf(spread(balancer, 10), "ab")).toBe(10);
  });
});

describe("overprovisioning", () => {
  test("decides when the next priority helps", () => {
    const specs = [{}, {}, {}, {}, { priority: 1 }];
    const { balancer } = over(specs);
    eject(balancer, "a");
    expect(sumOf(spread(balancer, 100), "e")).toBe(0);
    const { balancer: strict } = over(specs, { overprovisioning: 1 });
    eject(strict, "a");
    const helped = sumOf(spread(strict, 10_000), "e");
    // Binomial, n = 10,000 and p = 0.25: five standard deviations are 217.
    expect(Math.abs(helped - 2_500)).toBeLessThan(217);
  });
});

describe("panic with fail-closed", () => {
  test("refuses calls at once, saying why, though one backend works", async () => {
    const balancer = closed();
    expect(balancer.tryAcquire()).toBeUndefined();
    const error = await rejection(balancer.call(async () => {}));
    expect(error).toMatchObject({
      code: "FAIRLEAD_ERR_NO_BACKEND",
      message: "orders: too few backends are healthy, and panicMode is fail-closed",
    });
    expect(balancer.explain().backends.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("ejected"),
      expect.stringContaining("ejected"),
      "refused: too few of its priority are healthy",
    ]);
    expect(balancer.snapshot().panic).toEqual([0]);
  });

  test("takes calls again when enough are back", () => {
    const balancer = closed();
    balancer.enable("a");
    expect(sumOf(spread(balancer, 10), "ac")).toBe(10);
  });

  test("refuses the share of one priority and no more", () => {
    const specs = [{}, {}, {}, {}, { priority: 1 }, { priority: 1 }, { priority: 1 }];
    const { balancer } = over(specs, { panicMode: "fail-closed" });
    for (const id of ["a", "b", "c", "e", "f"]) eject(balancer, id);
    // 140 · 1 / 4 = 35 and 140 · 1 / 3 = 46: both are in panic, everything is refused.
    expect(spread(balancer, 10)).toEqual({ nobody: 10 });
    balancer.enable("e");
    // 35 and 93: together enough, no panic.
    expect(spread(balancer, 100)["nobody"]).toBeUndefined();
    balancer.disable("e");
    balancer.disable("f");
    balancer.disable("g");
    expect(spread(balancer, 10)).toEqual({ nobody: 10 });
  });
});

describe("zone-aware calls", () => {
  const ZONES: readonly Partial<BackendSpec>[] = [
    ...["a", "a", "b", "b", "c", "c"].map((zone) => ({ zone })),
    { zone: "a", priority: 1 },
  ];

  test("stay at home, spill what home can't take, and leave it when nobody is there", () => {
    const { balancer, clock } = over(ZONES, { zones: zoneAware({ zone: "a", minBackends: 1 }), panicThreshold: 0 });
    expect(sumOf(spread(balancer, 100), "ab")).toBe(100);
    eject(balancer, "a");
    clock.advanceSync(COALESCED_MS);
    // Home has 1 of 5 backends and a third of the clients: 0.6 stay.
    const counts = spread(balancer, 10_000);
    // Binomial, p = 0.6: five standard deviations are 245.
    expect(Math.abs((counts["b"] ?? 0) - 6_000)).toBeLessThan(245);
    expect(sumOf(counts, "cdef")).toBe(10_000 - (counts["b"] ?? 0));
    eject(balancer, "b");
    expect(sumOf(spread(balancer, 100), "cdef")).toBe(100);
  });

  test("go to other zones when the gate at home is closed", () => {
    const { balancer } = over(ZONES, { zones: zoneAware({ zone: "a", minBackends: 1 }) });
    for (const id of ["a", "b"]) balancer.observe(id, { outcome: "overload", retryAfterMs: 1_000 });
    const counts = spread(balancer, 100);
    expect(sumOf(counts, "cdef")).toBe(100);
  });

  test("with a key go to the same zone and backend every time", () => {
    const { balancer } = over(ZONES, { zones: zoneWeights({ a: 1, b: 1, c: 2 }) });
    const zoneOf = new Map<string, string | undefined>();
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 500; key++) {
        using lease = balancer.tryAcquire({ hashKey: `key-${key}` });
        const before = zoneOf.get(`key-${key}`) ?? lease?.backend.zone;
        expect(lease?.backend.zone).toBe(before);
        zoneOf.set(`key-${key}`, before);
      }
    }
    const inC = [...zoneOf.values()].filter((zone) => zone === "c").length;
    // Binomial, n = 500 and p = 0.5: five standard deviations are 56.
    expect(Math.abs(inC - 250)).toBeLessThan(56);
  });

  test("are explained", () => {
    const { balancer } = over(ZONES, { zones: zoneAware({ zone: "b", minBackends: 1 }) });
    const { tiers, backends } = balancer.explain();
    expect(tiers.map(({ priority, zone, share, drawn }) => [priority, zone, share, drawn])).toEqual([
      [0, "b", 100, true],
      [0, "a", 0, false],
      [0, "c", 0, false],
      // Nobody of it is at home, and no other zone has more than its share.
      [1, null, 0, false],
    ]);
    expect(backends.map(({ reason }) => reason)).toEqual([
      "stands by: other zones take the calls before a",
      "stands by: other zones take the calls before a",
      "admits it",
      "admits it",
      "stands by: other zones take the calls before c",
      "stands by: other zones take the calls before c",
      "priority 1 stands by",
    ]);
  });

  test("are given up in panic, where any backend is better than none", () => {
    const { balancer } = over(ZONES.slice(0, 6), { zones: zoneAware({ zone: "a", minBackends: 1 }) });
    for (const id of ["a", "c", "d", "e"]) eject(balancer, id);
    expect(balancer.explain().tiers).toMatchObject([{ panic: true, zone: null, backends: 6 }]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no idea");
      },
    ],
    ["gives too few shares", () => [1]],
    ["gives negative shares", (zones: readonly unknown[]) => zones.map(() => -1)],
    ["gives nothing but zeros", (zones: readonly unknown[]) => zones.map(() => 0)],
    ["gives NaN", (zones: readonly unknown[]) => zones.map(() => Number.NaN)],
  ])("by a policy that %s are spread over everybody, and it is told", (_, shares) => {
    const { balancer } = over(ZONES, { zones: { name: "own", shares } });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    balancer.setWeight("a", 1);
    expect(sumOf(spread(balancer, 60), "abcdef")).toBe(60);
    expect(failures).toContain("zones");
  });
});

describe("subsets by label", () => {
  const VERSIONS: readonly Partial<BackendSpec>[] = [
    { labels: { version: "1", stage: "live" } },
    { labels: { version: "1", stage: "live" } },
    { labels: { version: "2", stage: "canary" } },
    {},
  ];
  const keys = ["version", "stage"];

  test("take the calls that ask for them; others go anywhere", () => {
    const { balancer } = over(VERSIONS, { subsets: labelSubsets({ keys }) });
    expect(spread(balancer, 100, () => ({ labels: { version: "2" } }))).toEqual({ c: 100 });
    expect(spread(balancer, 100, () => ({ labels: { stage: "live", version: "1" } }))).toEqual({ a: 50, b: 50 });
    expect(spread(balancer, 100)).toEqual({ a: 25, b: 25, c: 25, d: 25 });
    expect(spread(balancer, 100, () => ({ labels: { tenant: "7" } }))).toEqual({ a: 25, b: 25, c: 25, d: 25 });
  });

  test("bind pinned calls as well: a session of one subset is none of another", async () => {
    const { balancer } = over(VERSIONS, { subsets: labelSubsets({ keys }) });
    const two = { labels: { version: "2" } };
    expect(spread(balancer, 10, () => ({ ...two, pinned: "a" }))).toEqual({ c: 10 });
    expect(spread(balancer, 10, () => ({ ...two, pinned: "a", pinPolicy: "fail" }))).toEqual({ nobody: 10 });
    expect(await rejection(balancer.call(async () => {}, { ...two, pinned: "a", pinPolicy: "fail" }))).toMatchObject({
      code: "FAIRLEAD_ERR_NO_BACKEND",
    });
    expect(spread(balancer, 10, () => ({ ...two, pinned: "c", pinPolicy: "fail" }))).toEqual({ c: 10 });
    expect(spread(balancer, 10, () => ({ pinned: "a", pinPolicy: "fail" }))).toEqual({ a: 10 });
    const elsewhere = balancer.explain({ ...two, pinned: "a", pinPolicy: "fail" });
    expect([elsewhere.choice, elsewhere.backends[0]?.reason]).toEqual([
      null,
      "not in the subset that the labels of the call ask for, or not in that of this process",
    ]);
    const drained = balancer.drain("c");
    expect(spread(balancer, 10, () => ({ ...two, pinned: "c" }))).toEqual({ c: 10 });
    await drained;
  });

  test("do not matter unless labels were made to", () => {
    const { balancer } = over(VERSIONS);
    expect(Object.keys(spread(balancer, 100, () => ({ labels: { version: "2" } })))).toHaveLength(4);
  });

  test("that nobody belongs to fall back to anybody, to nobody, or to other labels", async () => {
    const nobody = { labels: { version: "3" } };
    const any = over(VERSIONS, { subsets: labelSubsets({ keys }) }).balancer;
    expect(Object.keys(spread(any, 100, () => nobody))).toHaveLength(4);
    const none = over(VERSIONS, { subsets: labelSubsets({ keys, fallback: "none" }) }).balancer;
    expect(spread(none, 3, () => nobody)).toEqual({ nobody: 3 });
    expect(await rejection(none.call(async () => {}, nobody))).toMatchObject({
      code: "FAIRLEAD_ERR_NO_BACKEND",
      message: "orders: no backend in play has the labels it asks for",
    });
    const stable = over(VERSIONS, { subsets: labelSubsets({ keys, fallback: { version: "1" } }) }).balancer;
    expect(spread(stable, 100, () => nobody)).toEqual({ a: 50, b: 50 });
  });

  test("have a panic of their own, and never lend a failed backend to others", () => {
    const { balancer, clock } = over(VERSIONS, { subsets: labelSubsets({ keys }) });
    eject(balancer, "c");
    clock.advanceSync(COALESCED_MS);
    expect(balancer.explain(canary()).tiers[0]?.panic).toBe(true);
    balancer.tryAcquire(canary())?.release();
    eject(balancer, "a");
    eject(balancer, "b");
    clock.advanceSync(COALESCED_MS);
    // Both versions are in panic; of all four, one is healthy: so is the whole.
    expect(balancer.explain().tiers[0]?.panic).toBe(true);
    balancer.enable("a");
    balancer.enable("b");
    expect(balancer.explain().tiers[0]?.panic).toBe(false);
    expect(spread(balancer, 90)["c"]).toBeUndefined();
    expect(balancer.explain(canary()).tiers[0]?.panic).toBe(true);
  });

  test("follow labels that change, and backends that come and go", () => {
    const { balancer } = over(VERSIONS, { subsets: labelSubsets({ keys }) });
    expect(spread(balancer, 4, canary)).toEqual({ c: 4 });
    const specs = balancer.backends.map(({ id, url, labels }) => ({ id, url, labels }));
    balancer.set(specs.map((spec) => (spec.id === "a" ? { ...spec, labels: { version: "2" } } : spec)));
    expect(spread(balancer, 4, canary)).toEqual({ a: 2, c: 2 });
    balancer.set(specs.filter(({ id }) => id !== "c"));
    expect(Object.keys(spread(balancer, 30, canary)).sort()).toEqual(["a", "b", "d"]);
  });

  test("keep a strategy's turns apart from those of other subsets", () => {
    const { balancer } = over(VERSIONS, { subsets: labelSubsets({ keys }) });
    const shared = { version: "1" };
    const counts = spread(balancer, 400, (index) => (index % 2 === 0 ? { labels: shared } : {}));
    expect(counts).toEqual({ a: 150, b: 150, c: 50, d: 50 });
  });

  test("are as many as there are backends to tell apart, not as many as calls ask for", () => {
    const { balancer } = over(VERSIONS, { subsets: labelSubsets({ keys }) });
    for (let index = 0; index < 10_000; index++) balancer.tryAcquire({ labels: { version: `${index}` } })?.release();
    expect(sumOf(spread(balancer, 100), "abcd")).toBe(100);
  });

  test("are explained", () => {
    const { balancer } = over(VERSIONS, { subsets: labelSubsets({ keys }) });
    const { choice, backends } = balancer.explain({ labels: { version: "2" } });
    expect(choice).toBe("c");
    expect(backends[0]).toMatchObject({ admitted: false, tier: null });
    expect(backends[0]?.reason).toContain("the labels of the call");
  });

  test("by rules that throw are no subsets", () => {
    const subsets = labelSubsets({ keys });
    const broken = {
      ...subsets,
      keyOf: () => {
        throw new Error("no idea");
      },
    };
    const { balancer } = over(VERSIONS, { subsets: broken });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    expect(
      sumOf(
        spread(balancer, 40, () => ({ labels: { version: "2" } })),
        "abcd",
      ),
    ).toBe(40);
    expect(failures).toContain("subsets");
  });

  test.each([
    [{ keys: [] }, "keys"],
    [{ keys: "version" }, "keys"],
    [{ keys, fallback: "some" }, "fallback"],
    [{ keys, fallback: { tenant: "1" } }, "labels of which at least one is among the keys (stage, version)"],
    [{ key: ["version"] }, "did you mean `keys`"],
  ])("refuse %j", (options, message) => {
    expect(() => labelSubsets(options as unknown as { keys: string[] })).toThrow(message);
  });
});

describe("a subset of a large fleet", () => {
  test("is all that this process calls, per priority, and stays the same while others fail", () => {
    const { balancer } = over(fleet(), { subsetting: randomSubset({ size: 10, seed: 3 }) });
    const used = Object.keys(spread(balancer, 1_000));
    expect(used).toHaveLength(10);
    expect(balancer.explain().tiers.map(({ backends }) => backends)).toEqual([10, 10]);
    const outside = balancer.explain().backends.find(({ tier }) => tier === null);
    expect(outside?.reason).toBe("not in the subset of this process");
    eject(balancer, used[0] ?? "");
    const left = Object.keys(spread(balancer, 1_000));
    expect(left.sort()).toEqual(used.slice(1).sort());
  });

  test("replaces who is out of play, and nobody else", () => {
    const { balancer } = over(fleet(), { subsetting: randomSubset({ size: 10, seed: 3 }) });
    const before = Object.keys(spread(balancer, 1_000)).sort();
    balancer.disable(before[4] ?? "");
    const after = Object.keys(spread(balancer, 1_000));
    expect(after).toHaveLength(10);
    expect(before.filter((id) => !after.includes(id))).toEqual([before[4]]);
  });

  test.each<[string, () => readonly Backend[]]>([
    ["chooses nobody", () => []],
    ["chooses strangers", () => over(fleet()).balancer.backends],
    ["answers nonsense", () => 7 as unknown as []],
    [
      "throws",
      () => {
        throw new Error("no idea");
      },
    ],
  ])("chosen by a rule that %s is the whole fleet", (_, choose) => {
    const { balancer } = over(fleet(), { subsetting: { name: "own", choose: choose as Subsetting["choose"] } });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    expect(Object.keys(spread(balancer, 1_000))).toHaveLength(80);
    expect(failures).toContain("subsetting");
  });
});

describe("a hash that throws", () => {
  test("leaves the choice of a tier to chance, and is told", () => {
    const hash: KeyHash = {
      name: "broken",
      digest: () => {
        throw new Error("no hash");
      },
    };
    const { balancer } = over([{}, { zone: "a" }, { priority: 1 }], {
      strategy: { ...roundRobin(), hash },
      zones: zoneWeights({ a: 1 }),
    });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    expect(
      sumOf(
        spread(balancer, 20, () => ({ hashKey: "k" })),
        "abc",
      ),
    ).toBe(20);
    expect(failures).toContain("strategy roundRobin");
    expect(balancer.explain({ hashKey: "k" }).tiers.length).toBeGreaterThan(1);
  });
});

describe("options of the topology", () => {
  test("are refused all at once", () => {
    const wrong = {
      overprovisioning: 0.5,
      panicMode: "open",
      failback: "later",
      zones: "a",
      subsets: {},
      subsetting: 20,
      membership: { debounceMs: -1, emptyAnswer: "wait", emptyReads: 0, grace: 1 },
    };
    expect(() => over([{}], wrong as unknown as Partial<BalancerOptions>)).toThrow(/10 problems/);
  });

  test("can be switched off again", () => {
    const { balancer } = over([{ zone: "a" }, { zone: "b" }], { zones: zoneAware({ zone: "a", minBackends: 1 }) });
    expect(spread(balancer, 10)).toEqual({ a: 10 });
    balancer.configure({ zones: false });
    expect(spread(balancer, 10)).toEqual({ a: 5, b: 5 });
    balancer.configure({ subsets: labelSubsets({ keys: ["x"], fallback: "none" }) });
    expect(spread(balancer, 2, () => ({ labels: { x: "1" } }))).toEqual({ nobody: 2 });
    balancer.configure({ subsets: false });
    expect(spread(balancer, 2, () => ({ labels: { x: "1" } }))).toEqual({ a: 1, b: 1 });
  });
});

describe("the table of a strategy", () => {
  test("is judged in the snapshot, once it has been used", () => {
    const { balancer } = over([{}, {}, {}, { priority: 1 }], { strategy: maglev({ tableSize: 101 }) });
    expect(balancer.snapshot().tables).toEqual([]);
    balancer.tryAcquire({ hashKey: "a" })?.release();
    expect(balancer.snapshot().tables).toEqual([
      { priority: 0, zone: null, degraded: false, values: { size: 101, fewestEntries: 33, mostEntries: 34 } },
    ]);
  });

  test("has a gauge of its own making if the strategy is a user's, and none if that throws", () => {
    const gauges = { throws: false };
    const strategy: Strategy = {
      name: "own",
      build: ({ backends }) => ({
        pick: () => backends[0],
        table: () => {
          if (gauges.throws) throw new Error("no table");
          return { rows: backends.length };
        },
      }),
    };
    const { balancer } = over([{}, {}], { strategy });
    balancer.tryAcquire()?.release();
    expect(balancer.snapshot().tables.map(({ values }) => values)).toEqual([{ rows: 2 }]);
    gauges.throws = true;
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    expect(balancer.snapshot().tables).toEqual([]);
    expect(failures).toEqual(["strategy own"]);
  });
});

describe("a load report", () => {
  test("of garbage or of a megabyte is told and passed over, wherever it comes from", () => {
    const { balancer } = over([{}, {}], { strategy: reportedLoad() });
    const ignored: string[] = [];
    balancer.on("loadReportIgnored", ({ text }) => ignored.push(text));
    const texts = ["", "nonsense", "TEXT cpu_utilization=NaN", "JSON {", "x=".repeat(500_000)];
    for (const load of texts) {
      using lease = balancer.tryAcquire();
      lease?.settle({ outcome: "success", load });
    }
    expect(ignored).toEqual(texts.map((text) => text.slice(0, 100)));
    expect(balancer.backends.map(({ reported }) => reported)).toEqual([undefined, undefined]);
    expect(spread(balancer, 10)).toEqual({ a: 5, b: 5 });
  });

  test("that was read already, or that nobody asked for, is no event", () => {
    const { balancer, clock } = over([{}]);
    const ignored: unknown[] = [];
    balancer.on("loadReportIgnored", (event) => ignored.push(event));
    for (const load of ["TEXT cpu_utilization=0.5", { cpuUtilization: 0.25 }]) {
      clock.advanceSync(1);
      using lease = balancer.tryAcquire();
      lease?.settle({ outcome: "success", load });
    }
    expect(balancer.backends[0]?.reported).toEqual({ load: { cpuUtilization: 0.25 }, atMs: 2 });
    expect(ignored).toEqual([]);
  });
});
