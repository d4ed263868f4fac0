import { describe, expect, it } from "vitest";
import { fakeView, repeat } from "../../test/fakes.ts";
import type { Backend } from "../backend.ts";
import { createRandom } from "../random.ts";
import { randomSubset } from "./random-subset.ts";

const fleet = (size: number): readonly Backend[] => fakeView(repeat(size, () => 1)).backends;
const idsOf = (backends: readonly Backend[]): string[] => backends.map(({ id }) => id);
const random = createRandom(1);
const chosenOf = (backends: readonly Backend[], seed: number): string[] =>
  idsOf(randomSubset({ size: 10, seed }).choose(backends, random)).sort();

describe("a subset of a fleet", () => {
  it("has its size, keeps the order of the set, and is all of a set that is no larger", () => {
    const backends = fleet(300);
    const chosen = randomSubset({ size: 20 }).choose(backends, random);
    expect(chosen).toHaveLength(20);
    expect(chosen).toEqual(backends.filter((backend) => chosen.includes(backend)));
    expect(randomSubset({ size: 300 }).choose(backends, random)).toBe(backends);
  });

  it("is the same for the same seed, whatever the order of the set", () => {
    const backends = fleet(100);
    expect(chosenOf(backends.toReversed(), 7)).toEqual(chosenOf(backends, 7));
    expect(chosenOf(backends, 8)).not.toEqual(chosenOf(backends, 7));
  });

  it("changes by one at most when one backend joins or leaves", () => {
    const backends = fleet(100);
    for (let seed = 0; seed < 20; seed++) {
      const subset = randomSubset({ size: 10, seed });
      const before = idsOf(subset.choose(backends, random));
      for (const left of backends) {
        const after = idsOf(
          subset.choose(
            backends.filter((backend) => backend !== left),
            random,
          ),
        );
        const changed = before.filter((id) => !after.includes(id));
        expect(changed).toEqual(before.includes(left.id) ? [left.id] : []);
      }
    }
  });

  it("gives every backend about as many processes", () => {
    const backends = fleet(50);
    const counts = new Map(backends.map(({ id }) => [id, 0]));
    for (let process = 0; process < 5_000; process++) {
      const chosen = randomSubset({ size: 5 }).choose(backends, createRandom(process));
      for (const { id } of chosen) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    // Binomial, n = 5,000 and p = 0.1: five standard deviations are 106.
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(106);
  });

  it("needs a size", () => {
    const wrong = { size: 0, seed: -1, sise: 2 } as { size: number };
    expect(() => randomSubset(wrong)).toThrow(/3 problems[^]*did you mean `size`/);
  });
});
