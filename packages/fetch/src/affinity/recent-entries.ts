/**
 * A map that keeps the entries used last, at most `size`. It has two generations: what is used moves to the young one, and
 * when that has half of the entries the old one is forgotten. So an entry in frequent use costs one look, and no writing.
 */
export class RecentEntries<V> {
  readonly #half: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** @param size whole, ≥ 2 */
  constructor(size: number) {
    this.#half = Math.floor(size / 2);
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
