import { createRandom } from "@fairlead/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HashKeys } from "./hash-keys.ts";
import type { Keys } from "./scenario.ts";

/** The keys that these random numbers draw. */
function drawn(keys: Keys, numbers: readonly number[]): string[] {
  const rest = [...numbers];
  const hashKeys = new HashKeys(keys, { next: () => rest.shift() ?? Number.NaN });
  return numbers.map(() => hashKeys.next());
}

function countDraws(keys: Keys, draws: number): Map<string, number> {
  const hashKeys = new HashKeys(keys, createRandom(7));
  const counts = new Map<string, number>();
  for (let draw = 0; draw < draws; draw++) {
    const key = hashKeys.next();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

describe("a hash key", () => {
  it("is one of all with the same chance, unless they are skewed", () => {
    expect(drawn({ count: 4 }, [0, 0.2499, 0.25, 0.4999, 0.5, 0.75, 0.9999])).toEqual([
      "key-1",
      "key-1",
      "key-2",
      "key-2",
      "key-3",
      "key-4",
      "key-4",
    ]);
  });

  it("is less frequent by its rank to the power of the skew", () => {
    // 1, 1/2 and 1/3 are 6, 3 and 2 of 11; 1, 1/4 and 1/9 are 36, 9 and 4 of 49.
    const boundaries = [5.99 / 11, 6.01 / 11, 8.99 / 11, 9.01 / 11];
    expect(drawn({ count: 3, skew: 1 }, boundaries)).toEqual(["key-1", "key-2", "key-2", "key-3"]);
    const squares = [35.9 / 49, 36.1 / 49, 44.9 / 49, 45.1 / 49];
    expect(drawn({ count: 3, skew: 2 }, squares)).toEqual(["key-1", "key-2", "key-2", "key-3"]);
  });

  it("comes as often as its chance says", () => {
    const draws = 200_000;
    const counts = countDraws({ count: 10_000, skew: 1 }, draws);
    // The sum of 1/k up to 10,000.
    const harmonic = 9.787606;
    for (const rank of [1, 2, 10, 100]) {
      const expected = draws / harmonic / rank;
      expect(Math.abs((counts.get(`key-${rank}`) ?? 0) - expected)).toBeLessThan(4 * Math.sqrt(expected));
    }
  });

  it("is always one of those that there are", () => {
    const count = fc.integer({ min: 1, max: 2_000 });
    const skew = fc.double({ min: 0, max: 10, noNaN: true });
    const number = fc.oneof(
      fc.constantFrom(0, 1 - 2 ** -32),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    );
    fc.assert(
      fc.property(count, skew, number, (keys, exponent, random) => {
        const [key = ""] = drawn({ count: keys, skew: exponent }, [random]);
        const rank = Number(key.replace("key-", ""));
        expect(Number.isInteger(rank) && rank >= 1 && rank <= keys, key).toBe(true);
      }),
    );
  });
});
