/** Quantiles of numbers that are still coming in. */
export class Quantiles {
  readonly #values: number[] = [];
  #sorted = true;

  add(value: number): void {
    this.#values.push(value);
    this.#sorted = false;
  }

  get count(): number {
    return this.#values.length;
  }

  /** The smallest number that is at least as large as this share of them; 0 if there are none. */
  at(share: number): number {
    if (!this.#sorted) this.#values.sort((a, b) => a - b);
    this.#sorted = true;
    return this.#values[Math.max(0, Math.ceil(share * this.#values.length) - 1)] ?? 0;
  }
}
