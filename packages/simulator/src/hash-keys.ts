import type { Random } from "@fairlead/core";
import type { Keys } from "./scenario.ts";

/** Draws the hash key of each call: `key-1` is the most frequent, if not all are alike. */
export class HashKeys {
  readonly #random: Random;
  /** By key: its chance and those of all before it, added up, in units of the first one's. */
  readonly #sums: Float64Array;

  constructor({ count, skew = 0 }: Keys, random: Random) {
    this.#random = random;
    this.#sums = new Float64Array(count);
    let sum = 0;
    for (let rank = 1; rank <= count; rank++) {
      sum += chanceOf(rank, skew);
      this.#sums[rank - 1] = sum;
    }
  }

  next(): string {
    const drawn = this.#random.next() * (this.#sums.at(-1) ?? 0);
    let low = 0;
    let high = this.#sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sums[middle] as number) > drawn) high = middle;
      else low = middle + 1;
    }
    return `key-${low + 1}`;
  }
}

/**
 * Zipf's law: 1 / rank^skew. Engines may compute powers differently in the last bit, so the usual exponents do without.
 *
 * Source: Zipf, "Human Behavior and the Principle of Least Effort" (1949).
 */
function chanceOf(rank: number, skew: number): number {
  if (skew === 0) return 1;
  return 1 / (skew === 1 ? rank : rank ** skew);
}
