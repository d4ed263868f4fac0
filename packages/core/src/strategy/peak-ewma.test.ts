import { describe, expect, it } from "vitest";
import { fakeView, repeat, tally } from "../../test/fakes.ts";
import { peakEwma } from "./peak-ewma.ts";

/** A view whose backends have these latencies in milliseconds. */
function viewOf(latencies: readonly number[], weights: readonly number[] = latencies.map(() => 1)) {
  const view = fakeView(weights);
  for (const [index, ms] of latencies.entries()) view.backends[index]!.ewmaMs = ms;
  return view;
}

const shares = (counts: ReadonlyMap<string, number>): Record<string, number> => {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return Object.fromEntries([...counts].map(([id, count]) => [id, count / total]));
};

describe("a peak-EWMA picker up to 32 backends", () => {
  it("shares evenly among all within the spread of the lowest cost, and leaves the others out", () => {
    const picker = peakEwma().build(viewOf([10, 15, 20, 20.1, 500]));
    const counts = tally(3_000, () => picker.pick({}, 0));
    expect([...counts.keys()].sort()).toEqual(["b0", "b1", "b2"]);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThanOrEqual(5);
  });

  it("shares by weight among the fast", () => {
    const picker = peakEwma().build(viewOf([10, 10, 10], [1, 1, 0.5]));
    const { b0, b1, b2 } = shares(tally(5_000, () => picker.pick({}, 0)));
    expect(b0).toBeCloseTo(0.4, 2);
    expect(b1).toBeCloseTo(0.4, 2);
    expect(b2).toBeCloseTo(0.2, 2);
  });

  it("counts what is under way: cost = EWMA × (in-flight / normalised weight + 1)", () => {
    const view = viewOf([10, 10]);
    view.backends[0]!.requests = 2;
    const picker = peakEwma().build(view);
    // 30 against 10: outside the spread.
    expect([...tally(100, () => picker.pick({}, 0)).keys()]).toEqual(["b1"]);
    view.backends[0]!.requests = 1;
    expect(tally(100, () => picker.pick({}, 0)).size).toBe(2);
  });

  it("counts it less against a heavier backend", () => {
    const view = viewOf([10, 10], [3, 1]);
    view.backends[0]!.requests = 1;
    // Normalised weight 1.5: 10 · (1 / 1.5 + 1) = 16.7.
    expect(peakEwma().build(view).scores?.(0)).toEqual([expect.closeTo(16.667, 3), 10]);
    view.backends[0]!.requests = 2;
    const picker = peakEwma().build(view);
    // 23.3 against 10.
    expect([...tally(100, () => picker.pick({}, 0)).keys()]).toEqual(["b1"]);
  });

  it("is plain lowest cost with a spread of 1", () => {
    const picker = peakEwma({ spread: 1 }).build(viewOf([10, 10.1]));
    expect([...tally(100, () => picker.pick({}, 0)).keys()]).toEqual(["b0"]);
  });

  it("tries one without history at once, but one call at a time", () => {
    const view = viewOf([10, 10, 0]);
    const picker = peakEwma().build(view);
    expect(picker.pick({}, 0)?.id).toBe("b2");
    view.backends[2]!.requests = 1;
    expect(tally(100, () => picker.pick({}, 0)).has("b2")).toBe(false);
  });

  it("shares by what is under way while nobody has a history", () => {
    const view = viewOf([0, 0, 0]);
    const picker = peakEwma().build(view);
    for (let round = 0; round < 30; round++) {
      const picked = picker.pick({}, 0);
      view.backends.find((backend) => backend === picked)!.requests++;
    }
    expect(view.backends.map(({ requests }) => requests)).toEqual([10, 10, 10]);
  });

  it("passes over the closed and the tried, and lowers the bar to those that are left", () => {
    const view = viewOf([10, 10, 900, 1_000]);
    view.backends[0]!.open = false;
    const picker = peakEwma().build(view);
    const tried = new Set([view.backends[1]!]);
    expect([...tally(100, () => picker.pick({ tried }, 0)).keys()].sort()).toEqual(["b2", "b3"]);
    expect(picker.pick({ tried: new Set(view.backends) }, 0)).toBeUndefined();
  });

  it("keeps its answer under the largest scaled latencies there can be", () => {
    const picker = peakEwma().build(viewOf([1e220, 3e220, 0]));
    expect(picker.pick({}, 0)?.id).toBe("b2");
  });

  it("peeks at what it picks next, without a turn taken", () => {
    const picker = peakEwma().build(viewOf([10, 11, 12], [5, 1, 1]));
    for (let turn = 0; turn < 20; turn++) {
      const peeked = [picker.peek?.({}, 0), picker.peek?.({}, 0)];
      const picked = picker.pick({}, 0);
      expect(peeked).toEqual([picked, picked]);
    }
  });

  it("takes one left out for 30 s and 100·n calls once, then leaves it out again", () => {
    const picker = peakEwma().build(viewOf([10, 10, 10_000]));
    const times = repeat(2_000, (index) => index).filter((turn) => picker.pick({}, turn * 1_000)?.id === "b2");
    expect(times.length).toBeGreaterThan(4);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    for (const gap of gaps) expect(gap >= 300 && gap <= 303).toBe(true);
  });

  it("goes on where it was when the view changes", () => {
    const strategy = peakEwma();
    const view = viewOf([10, 10, 10]);
    const counts = tally(3_000, () => strategy.build({ ...view }).pick({}, 0));
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThanOrEqual(5);
  });
});

describe("a peak-EWMA picker above 32 backends", () => {
  it("takes the first of a sample of 8 within the spread: the slow are left out", () => {
    const picker = peakEwma().build(viewOf([...repeat(70, () => 10), ...repeat(30, () => 100)]));
    const counts = tally(50_000, () => picker.pick({}, 0));
    const slow = [...counts].filter(([id]) => Number(id.slice(1)) >= 70).reduce((sum, [, count]) => sum + count, 0);
    // All eight slow: 0.3⁸ = 0.007 %.
    expect(slow / 50_000).toBeLessThan(0.001);
    for (const [id, count] of counts) if (Number(id.slice(1)) < 70) expect(Math.abs(count - 714)).toBeLessThan(160);
  });

  it("shares by weight among the fast", () => {
    const weights = repeat(40, (index) => (index < 20 ? 1 : 3));
    const picker = peakEwma().build(
      viewOf(
        repeat(40, () => 10),
        weights,
      ),
    );
    const counts = tally(40_000, () => picker.pick({}, 0));
    const heavy = [...counts].filter(([id]) => Number(id.slice(1)) >= 20).reduce((sum, [, count]) => sum + count, 0);
    expect(heavy / 40_000).toBeCloseTo(0.75, 1);
  });

  it("finds the only open one even if the sample misses it", () => {
    const view = viewOf(repeat(300, () => 10));
    for (const backend of view.backends.slice(1)) backend.open = false;
    expect(Object.fromEntries(tally(100, () => peakEwma().build(view).pick({}, 0)))).toEqual({ b0: 100 });
  });
});

describe("a peak-EWMA picker of connections", () => {
  it("takes the fewest open per weight and does not look at latency", () => {
    const view = fakeView([1, 1], { kind: "connection" });
    view.backends[0]!.connections = 3;
    view.backends[1]!.ewmaMs = 10_000;
    view.backends[1]!.requests = 100;
    expect(peakEwma().build(view).pick({ kind: "connection" }, 0)?.id).toBe("b1");
  });
});
