import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { repeat } from "../../test/fakes.ts";
import { exactSchedule } from "./schedule.ts";

const names = (weights: readonly number[]): string =>
  [...(exactSchedule(weights) ?? [])].map((index) => "abcdefgh"[index]).join("");

describe("the exact schedule", () => {
  it("is nginx's to the letter: a5 b1 c1 is aabacaa", () => {
    expect(names([5, 1, 1])).toBe("aabacaa");
  });

  it.each([
    [[1, 1, 1], "abc"],
    [[2, 1], "aba"],
    [[4, 2], "aba"],
    [[1, 1, 0.5], "abcab"],
    [[7], "a"],
    [[0.1, 0.3], "bbab"],
  ])("of %j is %s, in some order", (weights, expected) => {
    expect(names(weights).split("").sort()).toEqual(expected.split("").sort());
  });

  it("depends on the proportions of weights alone, however small they are", () => {
    for (const scale of [1, 1e-2, 1e-4, 1e-6, 1e6]) expect(names([9 * scale, scale])).toBe(names([9, 1]));
  });

  it("gives every backend as many slots as its weight says, never two too close", () => {
    const weight = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 2, maxLength: 40 }), (weights) => {
        const schedule = exactSchedule(weights) ?? new Uint32Array();
        const least = schedule.length / weights.reduce((sum, item) => sum + item, 0);
        for (const [index, item] of weights.entries()) {
          const slots = [...schedule.keys()].filter((slot) => schedule[slot] === index);
          expect(slots.length).toBeCloseTo(item * least, 9);
          const gaps = slots.map((slot, turn) => (slots[turn + 1] ?? (slots[0] ?? 0) + schedule.length) - slot);
          expect(Math.max(...gaps)).toBeLessThanOrEqual((2 * schedule.length) / slots.length + weights.length);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it.each([
    ["odd weights", [1, Math.PI]],
    ["a circle that is long for so few backends", [1_000, 1]],
    ["many backends of unequal weight", repeat(2_000, (index) => 1 + (index % 2))],
  ])("does not exist for %s", (_, weights) => {
    expect(exactSchedule(weights)).toBeUndefined();
  });

  it("exists for any number of equal weights", () => {
    expect([...(exactSchedule(repeat(10_000, () => 0.3)) ?? [])]).toEqual(repeat(10_000, (index) => index));
  });
});
