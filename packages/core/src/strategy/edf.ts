import type { Backend } from "../backend.ts";
import type { Picker, PickRequest, View } from "./strategy.ts";

/** So many closed backends in a row are passed over one by one; then it is quicker to look at everybody once. */
const MOST_PASSED_OVER = 32;
/** Of the heaviest backend's turns. Weights further apart (a million million times) are not told apart, to stay finite. */
const LONGEST_PERIOD = 2 ** 40;

/** Where the deadline of a backend is kept: in the newest view it was part of. */
interface Place {
  deadlines: Deadlines;
  index: number;
}

/** What a strategy remembers of deadlines from one view to the next. */
export type DeadlinePlaces = WeakMap<Backend, Place>;

/**
 * Turns by weight for any number of backends and any weights: everybody has a turn each 1/weight of a time that passes
 * by turns alone, and the earliest deadline is next. A pick takes O(log n).
 *
 * The turn of a closed backend is lost. Everybody else has theirs all the same: between two turns of an open backend,
 * each of the others has at most one more than its weight in relation says. So nobody waits for more than W + n turns,
 * W = sum of weights ÷ own weight.
 *
 * The first deadlines are drawn, so that a fleet of clients does not begin with the same backend; after a change of the
 * view everybody has the same part of their wait before them as before it.
 *
 * Sources: Envoy `edf_scheduler.h`; gRFC A58 (first deadlines).
 */
export class Deadlines implements Picker {
  readonly #backends: readonly Backend[];
  /** A binary heap of indexes: the earliest deadline is at its root. All indexes here are in bounds. */
  readonly #heap: Uint32Array;
  readonly #deadlines: Float64Array;
  readonly #periods: Float64Array;
  /** The latest deadline whose turn has come. In an array, because a number in a field may be allocated anew. */
  readonly #time = new Float64Array(1);

  constructor({ backends, weights, random }: View, places: DeadlinePlaces) {
    this.#backends = backends;
    this.#heap = Uint32Array.from(backends, (_, index) => index);
    this.#periods = new Float64Array(backends.length).fill(1);
    this.#deadlines = new Float64Array(backends.length);
    for (const [index, backend] of backends.entries()) {
      const place = places.get(backend);
      this.#deadlines[index] = place === undefined ? 1 - random.next() : place.deadlines.#wait(place.index);
      if (place === undefined) places.set(backend, { deadlines: this, index });
      else {
        place.deadlines = this;
        place.index = index;
      }
    }
    this.reweigh(weights);
  }

  /** Goes on with other weights, in the order of the view: each keeps the part of its wait that is left. */
  reweigh(weights: ArrayLike<number>): void {
    const size = this.#heap.length;
    let heaviest = 0;
    for (let index = 0; index < size; index++) heaviest = Math.max(heaviest, weights[index] as number);
    for (let index = 0; index < size; index++) {
      const wait = this.#wait(index);
      const period = Math.min(heaviest / (weights[index] as number), LONGEST_PERIOD);
      this.#periods[index] = period;
      this.#deadlines[index] = wait * period;
    }
    this.#time[0] = 0;
    for (let position = (size >> 1) - 1; position >= 0; position--) this.#siftDown(position);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    const most = Math.min(MOST_PASSED_OVER, this.#heap.length);
    for (let passed = 0; passed < most; passed++) {
      const backend = this.#backends[this.#heap[0] as number];
      this.#endTurn(0);
      if (backend?.admits(request, nowMs) === true) return backend;
    }
    const position = this.#earliest(request, nowMs);
    if (position < 0) return undefined;
    const backend = this.#backends[this.#heap[position] as number];
    this.#endTurn(position);
    return backend;
  }

  peek(request: PickRequest, nowMs: number): Backend | undefined {
    const position = this.#earliest(request, nowMs);
    return position < 0 ? undefined : this.#backends[this.#heap[position] as number];
  }

  /** The part of its period, 0…1, that a backend has yet to wait. */
  #wait(index: number): number {
    const left = ((this.#deadlines[index] as number) - (this.#time[0] as number)) / (this.#periods[index] as number);
    return Math.min(Math.max(left, 0), 1);
  }

  /** Where in the heap the earliest of those is who admit the request, or −1: the same that `pick` comes to. */
  #earliest(request: PickRequest, nowMs: number): number {
    let earliest = -1;
    for (let position = 0; position < this.#heap.length; position++) {
      if (earliest >= 0 && !this.#isBefore(position, earliest)) continue;
      if (this.#backends[this.#heap[position] as number]?.admits(request, nowMs) === true) earliest = position;
    }
    return earliest;
  }

  /** The backend at this place of the heap has had its turn, or lost it. */
  #endTurn(position: number): void {
    const index = this.#heap[position] as number;
    const time = Math.max(this.#time[0] as number, this.#deadlines[index] as number);
    this.#time[0] = time;
    this.#deadlines[index] = time + (this.#periods[index] as number);
    this.#siftDown(position);
  }

  /** Restores the order of the heap below a place whose deadline has become later. */
  #siftDown(from: number): void {
    const heap = this.#heap;
    const index = heap[from] as number;
    let position = from;
    for (let child = 2 * position + 1; child < heap.length; child = 2 * position + 1) {
      if (child + 1 < heap.length && this.#isBefore(child + 1, child)) child++;
      if (!this.#isEarlier(heap[child] as number, index)) break;
      heap[position] = heap[child] as number;
      position = child;
    }
    heap[position] = index;
  }

  #isBefore(position: number, other: number): boolean {
    return this.#isEarlier(this.#heap[position] as number, this.#heap[other] as number);
  }

  /** Equal deadlines come in the order of the view. */
  #isEarlier(index: number, other: number): boolean {
    const deadline = this.#deadlines[index] as number;
    const otherDeadline = this.#deadlines[other] as number;
    return deadline < otherDeadline || (deadline === otherDeadline && index < other);
  }
}
