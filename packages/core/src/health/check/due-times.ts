/** Something that is due at a time, monotonic milliseconds. */
export interface Due {
  readonly dueMs: number;
}

/**
 * What is due when, rounded up to whole ticks: lists by tick, and a heap of the ticks that have one. What ten thousand items
 * cost is a list each to be put into; the heap stays as small as the longest interval is in ticks.
 */
export class DueTimes<T extends Due> {
  readonly #tickMs: number;
  readonly #byTick = new Map<number, T[]>();
  /** Earliest on top. */
  readonly #ticks: number[] = [];

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** When something is due next; `Infinity` if nothing ever is. */
  get nextMs(): number {
    return (this.#ticks[0] ?? Number.POSITIVE_INFINITY) * this.#tickMs;
  }

  add(item: T): void {
    const tick = Math.ceil(item.dueMs / this.#tickMs);
    const items = this.#byTick.get(tick);
    if (items !== undefined) items.push(item);
    else {
      this.#byTick.set(tick, [item]);
      this.#raise(tick);
    }
  }

  /** One item of the earliest tick, if that has come at `nowMs`. */
  take(nowMs: number): T | undefined {
    const [tick] = this.#ticks;
    if (tick === undefined || tick * this.#tickMs > nowMs) return undefined;
    const items = this.#byTick.get(tick);
    const item = items?.pop();
    if (items?.length === 0) {
      this.#byTick.delete(tick);
      const last = this.#ticks.pop();
      if (last !== undefined && this.#ticks.length > 0) this.#sink(last);
    }
    return item;
  }

  #raise(tick: number): void {
    const ticks = this.#ticks;
    let at = ticks.push(tick) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = ticks[parent] as number;
      if (above <= tick) break;
      ticks[at] = above;
      at = parent;
    }
    ticks[at] = tick;
  }

  /** Puts one in the place of the top. */
  #sink(tick: number): void {
    const ticks = this.#ticks;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= ticks.length) break;
      // Both are in bounds.
      if (child + 1 < ticks.length && (ticks[child + 1] as number) < (ticks[child] as number)) child++;
      const below = ticks[child] as number;
      if (below >= tick) break;
      ticks[at] = below;
      at = child;
    }
    ticks[at] = tick;
  }
}
