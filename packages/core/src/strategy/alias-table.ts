import type { Random } from "../random.ts";

/**
 * Draws indexes in proportion to weights in constant time, with one random number per draw.
 *
 * Source: Walker 1977, in Vose's construction (IEEE TSE 17(9), 1991).
 */
export class AliasTable {
  readonly #threshold: Float64Array;
  readonly #alias: Uint32Array;
  readonly #size: number;
  /** All weights are equal: the draw needs no table. */
  readonly #even: boolean;

  constructor(weights: readonly number[]) {
    const size = weights.length;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#size = size;
    this.#even = weights.every((weight) => weight === weights[0]);
    this.#threshold = new Float64Array(size).fill(1);
    this.#alias = new Uint32Array(size);
    const scaled = Float64Array.from(weights, (weight) => (weight / total) * size);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < size; i++) ((scaled[i] ?? 0) < 1 ? small : large).push(i);
    for (let low = small.pop(), high = large.pop(); low !== undefined && high !== undefined; ) {
      this.#threshold[low] = scaled[low] ?? 0;
      this.#alias[low] = high;
      const left = (scaled[high] ?? 0) + (scaled[low] ?? 0) - 1;
      scaled[high] = left;
      low = small.pop();
      if (left < 1) {
        low = pushBack(small, low, high);
        high = large.pop();
      }
    }
  }

  draw(random: Random): number {
    const position = random.next() * this.#size;
    const index = Math.floor(position);
    if (this.#even) return index;
    return position - index < (this.#threshold[index] as number) ? index : (this.#alias[index] as number);
  }
}

/** `high` has become small: it is next, and what was next waits. */
function pushBack(small: number[], low: number | undefined, high: number): number {
  if (low !== undefined) small.push(low);
  return high;
}
