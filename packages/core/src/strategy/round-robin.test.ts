import { describe, expect, it } from "vitest";
import { type FakeView, fakeView, repeat, scripted, tally } from "../../test/fakes.ts";
import { roundRobin } from "./round-robin.ts";

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

  it("goes by deadlines where no exact schedule exists, to the shares that the weights say", () => {
    const weights = [1, Math.E, Math.PI];
    const picker = roundRobin().build(fakeView(weights));
    const counts = tally(10_000, () => picker.pick({}, 0));
    const total = 1 + Math.E + Math.PI;
    for (const [index, weight] of weights.entries())
      expect(Math.abs((counts.get(`b${index}`) ?? 0) - (10_000 * weight) / total)).toBeLessThanOrEqual(2);
  });
});

describe("a round robin strategy whose view changes", () => {
  it("goes on where it was over the same backends", () => {
    const strategy = roundRobin();
    const view = { ...fakeView([5, 1, 1]), random: scripted(0) };
    const ids = repeat(14, () => strategy.build(view).pick({}, 0)?.id).join("");
    expect(ids).toBe("b0b0b1b0b2b0b0".repeat(2));
  });

  it("keeps the places of priorities apart, which take their calls by turns", () => {
    const strategy = roundRobin();
    const tiers = [fakeView([1, 1]), fakeView([1, 1])];
    const counts = tally(400, (call) => {
      const view = tiers[call % 2] as FakeView;
      const picked = strategy.build(view).pick({}, 0);
      return { ...picked, id: `${call % 2}${picked?.id}` } as typeof picked;
    });
    expect([...counts.values()]).toEqual([100, 100, 100, 100]);
  });

  it("starves nobody and favours no place while circles of different lengths follow each other call by call", () => {
    const strategy = roundRobin();
    const long = fakeView([1, 1, 1, 1, 1]);
    const short = { ...long, backends: long.backends.slice(0, 3), weights: [1, 1, 1] };
    const odd = { ...long, weights: [1, 1, 1, 1, 1 / 7] };
    const picked = tally(30_000, (call) => strategy.build([long, short, odd][call % 3] ?? long).pick({}, 0));
    // b0 to b2: 1/5, 1/3 and 7/29 of a third of the calls each; b3: none of the second; b4: 1/29 of the third.
    const wanted = [7_747, 7_747, 7_747, 4_414, 2_345];
    for (const [index, count] of wanted.entries())
      expect(Math.abs((picked.get(`b${index}`) ?? 0) / count - 1)).toBeLessThan(0.1);
  });

  it("passes from a circle to deadlines and back without forgetting anybody", () => {
    const strategy = roundRobin();
    const even = fakeView(repeat(6, () => 1));
    const uneven = { ...even, weights: repeat(6, (index) => 1 + index * 0.0777) };
    const last = new Map<string, number>();
    for (let call = 0; call < 2_000; call++) {
      const id = strategy.build(call % 2 === 0 ? even : uneven).pick({}, 0)?.id ?? "";
      last.set(id, call);
      // W + n of each kind of view, of which every other call is one.
      if (call > 30)
        for (const index of even.backends.keys()) expect(call - (last.get(`b${index}`) ?? 0)).toBeLessThan(30);
    }
  });
});
