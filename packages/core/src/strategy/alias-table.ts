import type { Random } from "../random.ts";
import { isEven } from "./scan.ts";

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
    this.#size = size;
    this.#even = isEven(weights);
    this.#threshold = new Float64Array(this.#even ? 0 : size);
    this.#alias = new Uint32Array(this.#even ? 0 : size);
    if (!this.#even) this.#fill(weights);
  }

  #fill(weights: readonly number[]): void {
    const size = weights.length;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const scaled = new Float64Array(size);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < size; i++) {
      scaled[i] = ((weights[i] ?? 0) / total) * size;
      ((scaled[i] ?? 0) < 1 ? small : large).push(i);
    }
    this.#threshold.fill(1);
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
