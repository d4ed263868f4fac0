/** Something that happens at a moment of virtual time. It may be queued again and again, but only once at a time. */
export abstract class SimulationEvent {
  /** When it happens, milliseconds; set by the queue, as are the two below. */
  dueMs = 0;
  order = 0;
  /** Where it is in the heap; −1: not queued. */
  place = -1;

  abstract happen(): void;
}

/** A binary heap of what happens next; at the same moment, first come first served. */
export class EventQueue {
  readonly #heap: SimulationEvent[] = [];
  #added = 0;

  /** When the next event happens; `Infinity` if there is none. */
  get nextMs(): number {
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  add(event: SimulationEvent, dueMs: number): void {
    event.dueMs = dueMs;
    event.order = this.#added++;
    this.#heap.push(event);
    this.#rise(event, this.#heap.length - 1);
  }

  take(): SimulationEvent | undefined {
    const next = this.#heap[0];
    if (next !== undefined) this.remove(next);
    return next;
  }

  /** Does nothing if it is not queued. */
  remove(event: SimulationEvent): void {
    const { place } = event;
    if (place < 0) return;
    event.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === event) return;
    if (isBefore(last, event)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  #rise(event: SimulationEvent, from: number): void {
    const heap = this.#heap;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      // Every place below the length is taken; so it is in `#sink`.
      const parent = heap[above] as SimulationEvent;
      if (!isBefore(event, parent)) break;
      heap[place] = parent;
      parent.place = place;
      place = above;
    }
    heap[place] = event;
    event.place = place;
  }

  #sink(event: SimulationEvent, from: number): void {
    const heap = this.#heap;
    const size = heap.length;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= size) break;
      if (below + 1 < size && isBefore(heap[below + 1] as SimulationEvent, heap[below] as SimulationEvent)) below++;
      const child = heap[below] as SimulationEvent;
      if (!isBefore(child, event)) break;
      heap[place] = child;
      child.place = place;
      place = below;
    }
    heap[place] = event;
    event.place = place;
  }
}

function isBefore(a: SimulationEvent, b: SimulationEvent): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
