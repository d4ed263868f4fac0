import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fakeView, repeat, scripted, tally } from "../../test/fakes.ts";
import { buildSchedule, roundRobin } from "./round-robin.ts";

const names = (schedule: Uint32Array): string => [...schedule].map((index) => "abcdefgh"[index]).join("");

describe("the schedule of round robin", () => {
  it("is nginx's to the letter: a5 b1 c1 is aabacaa", () => {
    expect(names(buildSchedule([5, 1, 1]))).toBe("aabacaa");
  });

  it.each([
    [[1, 1, 1], "abc"],
    [[2, 1], "aba"],
    [[4, 2], "aba"],
    [[1, 1, 0.5], "abcab"],
    [[7], "a"],
    [[0.1, 0.3], "bbab"],
  ])("of %j is %s", (weights, expected) => {
    const schedule = names(buildSchedule(weights));
    expect(schedule.length).toBe(expected.length);
    expect(schedule.split("").sort()).toEqual(expected.split("").sort());
  });

  it("depends on the proportions of weights alone, however small they are", () => {
    for (const scale of [1, 1e-2, 1e-4, 1e-6, 1e6]) expect(names(buildSchedule([9 * scale, scale])).length).toBe(10);
  });

  it("gives every backend its share to within a percentage point, and a turn at all", () => {
    const weight = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 60 }), (weights) => {
        const total = weights.reduce((sum, item) => sum + item, 0);
        const schedule = buildSchedule(weights);
        const counts = weights.map(() => 0);
        for (const index of schedule) counts[index] = (counts[index] ?? 0) + 1;
        for (const [index, count] of counts.entries()) {
          expect(count).toBeGreaterThan(0);
          expect(Math.abs(count / schedule.length - (weights[index] ?? 0) / total)).toBeLessThan(0.01);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("lets nobody wait for longer than 2·W + n turns", () => {
    const weight = fc.integer({ min: 1, max: 1_000 });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 2, maxLength: 40 }), (weights) => {
        const total = weights.reduce((sum, item) => sum + item, 0);
        const schedule = buildSchedule(weights);
        const last = weights.map(() => Number.NaN);
        const longest = weights.map(() => 0);
        for (let turn = 0; turn < 2 * schedule.length; turn++) {
          const index = schedule[turn % schedule.length] ?? 0;
          const gap = turn - (last[index] ?? Number.NaN);
          if (gap > (longest[index] ?? 0)) longest[index] = gap;
          last[index] = turn;
        }
        for (const [index, gap] of longest.entries())
          expect(gap).toBeLessThanOrEqual((2 * total) / (weights[index] ?? 1) + weights.length);
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it("stays small for many backends and odd weights", () => {
    const schedule = buildSchedule(repeat(500, (index) => 1 + index * 0.777));
    expect(schedule.length).toBeLessThan(500 * 20);
  });
});

const cycleOf = (weights: readonly number[], start: number): string => {
  const view = fakeView(weights);
  const picker = roundRobin().build({ ...view, random: scripted(start) });
  return repeat(7, () => "abc"[view.backends.indexOf(picker.pick({}, 0) as (typeof view.backends)[0])]).join("");
};

describe("a round robin picker", () => {
  it("goes round a5 b1 c1 as aabacaa, from a random place on", () => {
    expect(cycleOf([5, 1, 1], 0)).toBe("aabacaa");
    expect(cycleOf([5, 1, 1], 3 / 7)).toBe("acaaaab");
    expect(cycleOf([5, 1, 1], 0.999).repeat(2)).toContain("aabacaa");
  });

  it("leaves the others their proportions while one is closed", () => {
    const view = fakeView([3, 2, 1]);
    view.backends[0]!.open = false;
    const picker = roundRobin().build(view);
    const counts = tally(3_000, () => picker.pick({}, 0));
    expect(Object.fromEntries(counts)).toEqual({ b1: 2_000, b2: 1_000 });
  });

  it("passes over those tried before", () => {
    const view = fakeView([1, 1, 1]);
    const picker = roundRobin().build(view);
    const tried = new Set(view.backends.slice(0, 2));
    expect(picker.pick({ tried }, 0)?.id).toBe("b2");
    expect(picker.pick({ tried: new Set(view.backends) }, 0)).toBeUndefined();
  });

  it("says nobody when nobody admits, and goes on afterwards", () => {
    const view = fakeView([1, 1]);
    const picker = roundRobin().build(view);
    for (const backend of view.backends) backend.open = false;
    expect(picker.pick({}, 0)).toBeUndefined();
    for (const backend of view.backends) backend.open = true;
    expect(tally(10, () => picker.pick({}, 0)).get("b0")).toBe(5);
  });

  it("peeks at what it picks next, without a turn taken", () => {
    const picker = roundRobin().build(fakeView([5, 1, 1]));
    for (let turn = 0; turn < 14; turn++) {
      const peeked = [picker.peek?.({}, 0), picker.peek?.({}, 0)];
      const picked = picker.pick({}, 0);
      expect(peeked).toEqual([picked, picked]);
    }
  });
});
