import { WHOLE } from "./portion.ts";

/**
 * Deals turns out by shares: after n turns each of k has had its share of them to within 1 − 1 / (2k − 2) of one turn.
 *
 * Whose debt is great enough may be next, and of those the one that must have had its turn soonest.
 *
 * Source: R. Tijdeman, The chairman assignment problem, Discrete Mathematics 32 (1980).
 */
export class Turns {
  readonly #parts: readonly number[];
  /** Turns that each is short of, in parts. */
  readonly #debts: number[];
  /** 2k − 2. */
  readonly #slack: number;

  /** @param parts at least two, > 0; together `WHOLE` */
  constructor(parts: readonly number[]) {
    this.#parts = parts;
    this.#debts = parts.map(() => 0);
    this.#slack = 2 * parts.length - 2;
  }

  next(): number {
    let chosen = 0;
    let soonest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#parts.length; index++) {
      const parts = this.#parts[index] as number;
      const debt = (this.#debts[index] as number) + parts;
      this.#debts[index] = debt;
      if (debt * this.#slack < WHOLE) continue;
      const mustIn = (WHOLE * (this.#slack - 1) - debt * this.#slack) / parts;
      if (mustIn >= soonest) continue;
      soonest = mustIn;
      chosen = index;
    }
    this.#debts[chosen] = (this.#debts[chosen] as number) - WHOLE;
    return chosen;
  }
}
