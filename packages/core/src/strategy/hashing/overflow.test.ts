import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FakeView, fakeView, repeat, tally } from "../../../test/fakes.ts";
import { createRandom } from "../../random.ts";
import { maglev } from "./maglev.ts";
import { Overflow } from "./overflow.ts";
import { rendezvous } from "./rendezvous.ts";
import { ringHash } from "./ring-hash.ts";

/** The most a backend may have under way once it has taken the next call. */
function bounds(weights: readonly number[], total: number, factor: number): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  const slots = Math.ceil((total + 1) * factor - 1e-9);
  return weights.map((weight) => Math.max(Math.ceil((slots * weight) / sum - 1e-9), 1));
}

/** Substitutes for so many random hashes, by index. */
function substitutes(view: FakeView, times: number, factor?: number): Map<string, number> {
  const overflow = new Overflow(view, factor);
  const random = createRandom(3);
  const hash = new Uint32Array(2);
  return tally(times, () => {
    hash[0] = random.next() * 2 ** 32;
    hash[1] = random.next() * 2 ** 32;
    return view.backends[overflow.substitute(hash, {}, 0)];
  });
}

describe("substitutes for a closed owner", () => {
  it("share its keys evenly, rather than one neighbour having them all", () => {
    const view = fakeView(repeat(10, () => 1));
    view.backends[4]!.open = false;
    const counts = substitutes(view, 18_000);
    expect(counts.size).toBe(9);
    // 2,000 each, standard deviation 42.
    for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });

  it("get no more of its keys than their weight says, however light", () => {
    const view = fakeView([100, 100, 100, 1]);
    view.backends[0]!.open = false;
    const counts = substitutes(view, 20_000);
    expect((counts.get("b3") ?? 0) / 20_000).toBeLessThan(0.01);
    expect(Math.abs((counts.get("b1") ?? 0) / (counts.get("b2") ?? 1) - 1)).toBeLessThan(0.1);
  });

  it("are found among the light when the heavy ones are closed", () => {
    const view = fakeView([1_000_000, 1, 1]);
    view.backends[0]!.open = false;
    const counts = substitutes(view, 2_000);
    expect(counts.get("nobody")).toBeUndefined();
    expect(Math.abs((counts.get("b1") ?? 0) / 2_000 - 0.5)).toBeLessThan(0.1);
  });

  it("are found if there is but one, however many are closed", () => {
    const view = fakeView(repeat(200, () => 1));
    for (const backend of view.backends) backend.open = false;
    view.backends[137]!.open = true;
    expect(substitutes(view, 500)).toEqual(new Map([["b137", 500]]));
  });

  it("are the same for the same hash, whatever was asked in between", () => {
    const view = fakeView(repeat(20, () => 1));
    const overflow = new Overflow(view, undefined);
    const ask = (low: number): number => overflow.substitute(Uint32Array.of(low, 9), {}, 0);
    const first = repeat(300, ask);
    for (const backend of view.backends) backend.open = false;
    repeat(300, ask);
    for (const backend of view.backends) backend.open = true;
    expect(repeat(300, ask)).toEqual(first);
    expect(new Set(first).size).toBe(20);
  });
});

describe("bounded load", () => {
  const STRATEGIES = [{ strategy: ringHash }, { strategy: maglev }, { strategy: rendezvous }];

  it("is never exceeded by an assignment, for any weights, loads and factor", () => {
    const backend = fc.record({ weight: fc.double({ min: 0.01, max: 100, noNaN: true }), requests: fc.nat(50) });
    const scene = fc.record({
      backends: fc.array(backend, { minLength: 1, maxLength: 12 }),
      factor: fc.double({ min: 1, max: 3, noNaN: true }),
      hashKey: fc.string(),
    });
    fc.assert(
      fc.property(scene, ({ backends, factor, hashKey }) => {
        const weights = backends.map(({ weight }) => weight);
        const view = fakeView(weights);
        for (const [index, { requests }] of backends.entries()) view.backends[index]!.requests = requests;
        const limits = bounds(weights, view.loads.totalRequests, factor);
        for (const strategy of [maglev({ tableSize: 101, boundedLoad: factor }), rendezvous({ boundedLoad: factor })]) {
          const picked = strategy.build(view).pick({ hashKey }, 0);
          const index = view.backends.findIndex((candidate) => candidate === picked);
          expect(index).toBeGreaterThanOrEqual(0);
          expect(view.backends[index]!.requests + 1).toBeLessThanOrEqual(limits[index]!);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it.each(STRATEGIES)("holds all through a long run of calls that begin and end: $strategy.name", ({ strategy }) => {
    const view = fakeView([1, 2, 3, 4, 5]);
    const picker = strategy({ boundedLoad: 1.25 }).build(view);
    const random = createRandom(5);
    const running: FakeView["backends"][number][] = [];
    let moved = 0;
    const free = strategy().build(fakeView(view.weights));
    for (let turn = 0; turn < 5_000; turn++) {
      if (running.length > 0 && random.next() < 0.49) {
        const [done] = running.splice(Math.floor(random.next() * running.length), 1);
        done!.requests--;
        continue;
      }
      // Few keys, some of them hot.
      const hashKey = `user-${Math.floor(random.next() ** 3 * 40)}`;
      const limits = bounds(view.weights, view.loads.totalRequests, 1.25);
      const index = view.backends.findIndex((candidate) => candidate === picker.pick({ hashKey }, 0));
      const backend = view.backends[index]!;
      expect(backend.requests + 1).toBeLessThanOrEqual(limits[index]!);
      if (backend.id !== free.pick({ hashKey }, 0)?.id) moved++;
      backend.requests++;
      running.push(backend);
    }
    expect(running.length).toBeGreaterThan(50);
    expect(moved).toBeGreaterThan(0);
  });

  it("spreads a hot key over as many as its load needs, and others stay where they are", () => {
    const view = fakeView(repeat(10, () => 1));
    const picker = maglev({ boundedLoad: 1.5 }).build(view);
    for (let call = 0; call < 100; call++) {
      const backend = view.backends.find((candidate) => candidate === picker.pick({ hashKey: "hot" }, 0));
      backend!.requests++;
    }
    const loads = view.backends.map(({ requests }) => requests).sort((a, b) => b - a);
    // At most ⌈100 · 1.5 ÷ 10⌉ each, so on seven at least; the first of its order have most.
    expect(loads[0]).toBe(15);
    expect(loads.filter((load) => load > 0).length).toBeGreaterThanOrEqual(7);
    expect(loads.reduce((sum, load) => sum + load, 0)).toBe(100);
  });

  it("changes nothing while nobody has its fill", () => {
    const view = fakeView(repeat(10, () => 1));
    for (const backend of view.backends) backend.requests = 10;
    const free = maglev().build(view);
    const bounded = maglev({ boundedLoad: 1.25 }).build(view);
    for (let i = 0; i < 1_000; i++) {
      expect(bounded.pick({ hashKey: `k${i}` }, 0)).toBe(free.pick({ hashKey: `k${i}` }, 0));
    }
  });

  it("takes the least loaded for its bound when all who admit the call have their fill", () => {
    const view = fakeView([1, 1, 1, 1]);
    // The only one within its bound is closed.
    for (const [index, requests] of [0, 30, 20, 25].entries()) view.backends[index]!.requests = requests;
    view.backends[0]!.open = false;
    const picker = rendezvous({ boundedLoad: 1 }).build(view);
    expect(tally(100, (turn) => picker.pick({ hashKey: `k${turn}` }, 0))).toEqual(new Map([["b2", 100]]));
  });

  it("keeps to a bound of exactly the mean: at 1, calls go round until all have the same", () => {
    const view = fakeView(repeat(5, () => 1));
    const picker = ringHash({ boundedLoad: 1 }).build(view);
    for (let call = 0; call < 50; call++) {
      view.backends.find((candidate) => candidate === picker.pick({ hashKey: "hot" }, 0))!.requests++;
    }
    expect(view.backends.map(({ requests }) => requests)).toEqual([10, 10, 10, 10, 10]);
  });

  it("does not round a whole bound up", () => {
    // (9 + 1) × 1.1 is 11.000000000000002 in floating point: ⌈11 ÷ 11⌉ is 1, but ⌈12 ÷ 11⌉ would be 2.
    const view = fakeView([1, 10]);
    view.backends[0]!.requests = 1;
    view.backends[1]!.requests = 8;
    const overflow = new Overflow(view, 1.1);
    expect(overflow.takes(0, {}, 0)).toBe(false);
    expect(overflow.takes(1, {}, 0)).toBe(true);
  });

  it("counts the kind of the view: connections never fill up a backend for requests", () => {
    const view = fakeView([1, 1], { kind: "connection" });
    view.backends[0]!.requests = 100;
    view.backends[1]!.connections = 10;
    const picker = rendezvous({ boundedLoad: 1 }).build(view);
    expect(tally(50, (turn) => picker.pick({ hashKey: `k${turn}`, kind: "connection" }, 0))).toEqual(
      new Map([["b0", 50]]),
    );
  });
});
