import { describe, expect, it } from "vitest";
import { below, createRandom } from "./random.ts";

const take = (count: number, seed?: number): number[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

describe("a seeded generator", () => {
  it("repeats itself for the same seed and differs for another", () => {
    expect(take(50, 42)).toEqual(take(50, 42));
    expect(take(50, 42)).not.toEqual(take(50, 43));
  });

  it("tells seeds apart above 32 bits", () => {
    expect(take(5, 1)).not.toEqual(take(5, 2 ** 32 + 1));
  });

  it("takes 0 and negative seeds for what they are", () => {
    expect(take(5, 0)).toEqual(take(5, 0));
    expect(take(5, -7)).toEqual(take(5, -7));
    expect(take(5, 0)).not.toEqual(take(5, -7));
  });

  it("stays in [0, 1), evenly over ten tenths", () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (const value of take(100_000, 5)) {
      expect(value >= 0 && value < 1).toBe(true);
      const tenth = Math.floor(value * 10);
      counts[tenth] = (counts[tenth] ?? 0) + 1;
    }
    // χ² with 9 degrees of freedom: 27.9 is the 0.1 % quantile.
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(27.9);
  });

  it("does not correlate one number with the next", () => {
    const values = take(100_000, 6);
    const products = values.slice(1).map((value, index) => (value - 0.5) * ((values[index] ?? 0) - 0.5));
    const correlation = (12 * products.reduce((sum, product) => sum + product, 0)) / products.length;
    // Standard deviation 1 / √100,000 = 0.003.
    expect(Math.abs(correlation)).toBeLessThan(0.013);
  });
});

describe("a generator without a seed", () => {
  it("differs from every other", () => {
    expect(take(5)).not.toEqual(take(5));
  });
});

describe("below", () => {
  it("gives whole numbers from 0 up to the limit, exclusive", () => {
    const random = createRandom(1);
    const seen = new Set(Array.from({ length: 1_000 }, () => below(random, 3)));
    expect(seen).toEqual(new Set([0, 1, 2]));
    expect(below({ next: () => 0.999_999_999 }, 3)).toBe(2);
  });
});
