/** Something that is due at a time, monotonic milliseconds. */
export interface Due {
  readonly dueMs: number;
}

/** What is due when: a binary heap, earliest first. An item's time must not change while it is inside. */
export class DueTimes<T extends Due> {
  readonly #items: T[] = [];

  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as T;
      if (above.dueMs <= item.dueMs) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** The earliest item, if it is due at `nowMs`. */
  take(nowMs: number): T | undefined {
    const items = this.#items;
    const [first] = items;
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const last = items.pop() as T;
    if (items.length > 0) this.#sinkFromTop(last);
    return first;
  }

  #sinkFromTop(item: T): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      // Both are in bounds.
      if (child + 1 < items.length && (items[child + 1] as T).dueMs < (items[child] as T).dueMs) child++;
      const below = items[child] as T;
      if (below.dueMs >= item.dueMs) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }
}
