import { describe, expect, it } from "vitest";
import { fakeView, scripted } from "../../test/fakes.ts";
import type { View } from "./strategy.ts";
import { type Places, Turns } from "./turns.ts";

const FREE = new Float64Array(100);

/** A call at `nowMs`: forced, or by credit among `allowed`. Returns the index. */
function call(turns: Turns, nowMs: number, costs: Float64Array = FREE, replayable = false): number {
  const forced = turns.begin({ replayable }, nowMs);
  const index = forced >= 0 ? forced : turns.mostDeserving(costs, 0);
  turns.take(index, nowMs);
  return index;
}

function start(view: View, places: Places = new WeakMap()): Turns {
  return new Turns({ ...view, random: scripted(0) }, places);
}

/** Costs that close `index`. */
function without(size: number, index: number): Float64Array {
  const costs = new Float64Array(size);
  costs[index] = 1;
  return costs;
}

describe("turns over one view", () => {
  it("share calls by weight, spread as smooth weighted round robin spreads them", () => {
    const turns = start(fakeView([5, 1, 1]));
    const order = Array.from({ length: 14 }, (_, index) => call(turns, index));
    expect(order.slice(0, 7)).toEqual(order.slice(7));
    expect(order.slice(0, 7).filter((index) => index === 0)).toHaveLength(5);
    // As in a a b a c a a: never more than four of the heavy one in a row.
    expect(order.join("")).not.toContain("00000");
  });

  it("begin at random credits below the weight, so that a fleet does not begin alike", () => {
    const view = fakeView([1, 1, 1]);
    const turns = new Turns({ ...view, random: scripted(0.2, 0.9, 0.5) }, new WeakMap());
    expect([0, 1, 2].map((index) => turns.credit(index))).toEqual([0.2, 0.9, 0.5]);
    expect([call(turns, 0), call(turns, 0), call(turns, 0)]).toEqual([1, 2, 0]);
  });

  it("give one left out (4 + n) turns of credit at the most", () => {
    const turns = start(fakeView([1, 1, 2]));
    for (let i = 0; i < 500; i++) call(turns, 0, without(3, 2));
    // One look per n calls: it may have gained n since.
    expect(turns.credit(2)).toBeLessThanOrEqual((4 + 3 + 3) * 2);
    expect(turns.credit(2)).toBeGreaterThanOrEqual((4 + 3) * 2);
  });

  it("let one in favour run up a debt of four rounds at the most", () => {
    const turns = start(fakeView([1, 1]));
    for (let i = 0; i < 500; i++) call(turns, 0, without(2, 1));
    expect(turns.credit(0)).toBeGreaterThanOrEqual(-8);
    expect(turns.credit(0)).toBeLessThanOrEqual(-6);
  });

  it.each([
    { weights: [1, 2, 1], shares: [1 / 3, 2 / 3, 0] },
    { weights: [1, 1, 4, 1], shares: [1 / 6, 1 / 6, 4 / 6, 0] },
    { weights: [1, 4, 100], shares: [1 / 5, 4 / 5, 0] },
    { weights: [1, 1, 1, 1], shares: [1 / 3, 1 / 3, 1 / 3, 0] },
  ])("share calls by weight among $weights while the last is left out", ({ weights, shares }) => {
    const turns = start(fakeView(weights));
    const closed = without(weights.length, weights.length - 1);
    const counts = weights.map(() => 0);
    for (let i = 0; i < 60_000; i++) counts[call(turns, 0, closed)]!++;
    for (const [index, share] of shares.entries()) expect(counts[index]! / 60_000).toBeCloseTo(share, 2);
    // What one was left out of is made up for, and then the others have their turns again.
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const after = Array.from({ length: 20 * total }, () => call(turns, 0));
    expect(new Set(after).size).toBe(weights.length);
  });

  it("choose nobody above the limit of cost", () => {
    const turns = start(fakeView([1, 1]));
    turns.begin({}, 0);
    expect(turns.mostDeserving(Float64Array.of(3, 3), 2)).toBe(-1);
    expect(turns.mostDeserving(Float64Array.of(3, 2), 2)).toBe(1);
  });
});

describe("a backend left out", () => {
  const SIZE = 4;
  /** Leaves index 3 out for so many calls at this pace; returns the call and time at which it was taken all the same. */
  function forcedAt(paceMs: number, calls: number, replayable = false): { call: number; nowMs: number } | undefined {
    const view = fakeView([1, 1, 1, 1]);
    const turns = start(view);
    let nowMs = 0;
    for (let count = 0; count < SIZE; count++) call(turns, nowMs);
    for (let count = 1; count <= calls; count++) {
      nowMs += paceMs;
      if (call(turns, nowMs, without(SIZE, 3), replayable) === 3) return { call: count, nowMs };
    }
    return undefined;
  }

  it("is taken after 100·n calls, and within 101·n, once 30 s are over as well", () => {
    const forced = forcedAt(1_000, 1_000);
    expect(forced?.call).toBeGreaterThanOrEqual(100 * SIZE - SIZE);
    expect(forced?.call).toBeLessThanOrEqual(101 * SIZE);
  });

  it("is taken up to n calls earlier by a call that could be repeated elsewhere", () => {
    const plain = forcedAt(1_000, 1_000)?.call ?? 0;
    const replayable = forcedAt(1_000, 1_000, true)?.call ?? 0;
    expect(plain - replayable).toBe(SIZE);
  });

  it("is not before 30 s, however many calls there are", () => {
    const forced = forcedAt(10, 4_000);
    expect(forced?.nowMs).toBeGreaterThanOrEqual(30_000);
    expect(forced?.nowMs).toBeLessThanOrEqual(30_000 + 10 * SIZE);
  });

  it("is left alone while it admits nothing, and taken when it does", () => {
    const view = fakeView([1, 1]);
    const turns = start(view);
    for (let count = 0; count < 2; count++) call(turns, 0);
    view.backends[1]!.open = false;
    for (let count = 0; count < 1_000; count++) expect(call(turns, count * 1_000, without(2, 1))).toBe(0);
    view.backends[1]!.open = true;
    const next = [call(turns, 1e6, without(2, 1)), call(turns, 1e6, without(2, 1))];
    expect(next).toContain(1);
  });
});

describe("turns over a view after another", () => {
  it("carry credit over, backend by backend, whatever the order", () => {
    const places: Places = new WeakMap();
    const view = fakeView([1, 1, 1]);
    const before = start(view, places);
    for (let i = 0; i < 10; i++) call(before, 0, without(3, 1));
    const credits = [0, 1, 2].map((index) => before.credit(index));
    const reversed = { ...view, backends: view.backends.toReversed() };
    const after = start(reversed, places);
    expect([2, 1, 0].map((index) => after.credit(index))).toEqual(credits);
  });

  it("remember since when a backend has been left out", () => {
    const places: Places = new WeakMap();
    const view = fakeView([1, 1]);
    let turns = start(view, places);
    let calls = 0;
    for (let count = 0; count < 2; count++) call(turns, 0);
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 50; count++, calls++) call(turns, 1_000 * calls, without(2, 1));
      turns = start(view, places);
    }
    let forced = false;
    for (let count = 0; count < 52; count++, calls++) forced ||= call(turns, 1_000 * calls, without(2, 1)) === 1;
    expect(forced).toBe(true);
  });

  it.each([1, 2, 3, 5])("find those left out also when the view changes every %d calls", (callsPerView) => {
    const SIZE = 10;
    const places: Places = new WeakMap();
    const view = fakeView(Array.from({ length: SIZE }, () => 1));
    let turns = start(view, places);
    for (let count = 0; count < SIZE; count++) call(turns, 0);
    const left = SIZE - 1;
    let calls = 0;
    let forced = false;
    while (calls < 101 * SIZE && !forced) {
      turns = start(view, places);
      for (let count = 0; count < callsPerView; count++, calls++)
        forced ||= call(turns, 1_000 * calls, without(SIZE, left)) === left;
    }
    expect(forced).toBe(true);
  });
});
