interface Entry<V> {
  readonly value: V;
  used: boolean;
}

/**
 * A map of at most `size` entries. When it is full, the oldest that was not asked for since it was last spared has to go:
 * least recently used, as far as one mark for each entry tells ("second chance"), so that a look writes nothing else.
 */
export class RecentEntries<V> {
  readonly #size: number;
  /** Next to be looked at first. */
  readonly #entries = new Map<string, Entry<V>>();

  /** @param size whole, ≥ 1 */
  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.used = true;
    return entry.value;
  }

  set(key: string, value: V): void {
    if (!this.#entries.delete(key) && this.#entries.size >= this.#size) this.#makeRoom();
    this.#entries.set(key, { value, used: false });
  }

  #makeRoom(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (!entry.used) return;
      entry.used = false;
      this.#entries.set(key, entry);
    }
  }
}
