import type { Backend } from "../backend.ts";
import type { PickRequest, View } from "./strategy.ts";

/** Nobody stays without a call for longer than this *and* `CALLS_PER_BACKEND` calls per backend. */
const LEFT_OUT_MS = 30_000;
/**
 * A shorter rule would put slow backends into the tail of callers with a low rate. Detection takes up to one more call
 * per backend, so that after 101·n calls everybody has had one (the liveness bound).
 */
const CALLS_PER_BACKEND = 100;
/** A backend in favour may be this many of the others' turns ahead, in units of all weights together. */
const LARGEST_DEBT = 4;

/** Where the turns of a backend are kept: in the newest view it was part of. */
interface Place {
  turns: Turns;
  index: number;
}

/** What a strategy remembers of backends from one view to the next. */
export type Places = WeakMap<Backend, Place>;

/**
 * Who had how many turns, over one view: for sharing calls by weight with a bounded credit for those left out, and for
 * finding those left out for long.
 *
 * With every call each backend gains its weight in credit, up to `(4 + n) · weight`; a turn costs the sum of all weights. Where
 * others are left out for so long that those in favour are in debt, it costs the sum of the weights of these alone: then
 * they keep their proportions among themselves.
 *
 * Kept as debts against the number of calls, so that a call touches only the backend it picks.
 */
export class Turns {
  /** Calls over this view. */
  #calls = 0;
  #cursor = 0;
  readonly #backends: readonly Backend[];
  readonly #weights: Float64Array;
  readonly #debts: Float64Array;
  readonly #pickedAtMs: Float64Array;
  readonly #pickedAtCall: Float64Array;
  readonly #total: number;
  /** The least credit there is, but for what rounds itself off. */
  readonly #least: number;
  /** What the turn costs that is being given. In an array, because a number in a field may be allocated anew. */
  readonly #price = new Float64Array(1);
  /** Most credit, in turns' worth of weight. */
  readonly #most: number;

  constructor({ backends, weights, random }: View, places: Places) {
    const size = backends.length;
    this.#backends = backends;
    this.#weights = new Float64Array(weights);
    let total = 0;
    for (const weight of weights) total += weight;
    this.#total = total;
    this.#least = -LARGEST_DEBT * total;
    this.#most = 4 + size;
    this.#debts = new Float64Array(size);
    // NaN: never picked, and not yet seen at a known time.
    this.#pickedAtMs = new Float64Array(size).fill(Number.NaN);
    this.#pickedAtCall = new Float64Array(size);
    for (let index = 0; index < size; index++) {
      const backend = backends[index] as Backend;
      const place = places.get(backend);
      if (place === undefined) {
        this.#debts[index] = -random.next() * (weights[index] ?? 1);
        places.set(backend, { turns: this, index });
      } else {
        this.#carryOver(index, place);
        place.turns = this;
        place.index = index;
      }
    }
  }

  #carryOver(index: number, { turns, index: before }: Place): void {
    // The search for those left out goes on where it was.
    this.#cursor = turns.#cursor % this.#debts.length;
    this.#debts[index] = -turns.credit(before);
    this.#pickedAtMs[index] = turns.#pickedAtMs[before] ?? Number.NaN;
    this.#pickedAtCall[index] = (turns.#pickedAtCall[before] ?? 0) - turns.#calls;
  }

  /** What a backend has coming. */
  credit(index: number): number {
    return this.#calls * (this.#weights[index] ?? 0) - (this.#debts[index] ?? 0);
  }

  /** Among those that cost no more than `limit`, the one with the most credit, now or `ahead` calls from now. */
  mostDeserving(costs: Float64Array, limit: number, ahead = 0): number {
    const calls = this.#calls + ahead;
    const weights = this.#weights;
    const debts = this.#debts;
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < debts.length; i++) {
      const credit = calls * (weights[i] as number) - (debts[i] as number);
      if (credit > most && (costs[i] as number) <= limit) {
        most = credit;
        best = i;
      }
    }
    if (ahead === 0 && most - this.#total < this.#least) this.#price[0] = this.#weightWithin(costs, limit);
    return best;
  }

  #weightWithin(costs: Float64Array, limit: number): number {
    let sum = 0;
    for (let i = 0; i < costs.length; i++) if ((costs[i] as number) <= limit) sum += this.#weights[i] as number;
    return sum;
  }

  /** A call begins: the index of a backend that has been left out for so long that it must have it, or −1. */
  begin(request: PickRequest, nowMs: number): number {
    const calls = ++this.#calls;
    this.#price[0] = this.#total;
    const index = this.#cursor;
    const size = this.#debts.length;
    this.#cursor = index + 1 === size ? 0 : index + 1;
    this.#limitCredit(index);
    const pickedAtMs = this.#pickedAtMs[index] ?? 0;
    if (nowMs - pickedAtMs < LEFT_OUT_MS) return -1;
    if (Number.isNaN(pickedAtMs)) {
      this.#pickedAtMs[index] = nowMs;
      return -1;
    }
    // A call that may be repeated elsewhere is the better probe: it may come one round of looks earlier.
    const rounds = request.replayable === true ? CALLS_PER_BACKEND - 1 : CALLS_PER_BACKEND;
    if (calls - (this.#pickedAtCall[index] ?? 0) < rounds * size) return -1;
    return this.#backends[index]?.admits(request, nowMs) === true ? index : -1;
  }

  /** One backend per call is held to the most credit there is, so that everybody is once in n calls. */
  #limitCredit(index: number): void {
    const least = (this.#calls - this.#most) * (this.#weights[index] ?? 0);
    if ((this.#debts[index] ?? 0) < least) this.#debts[index] = least;
  }

  /** The call goes to this backend. */
  take(index: number, nowMs: number): void {
    this.#pickedAtMs[index] = nowMs;
    this.#pickedAtCall[index] = this.#calls;
    const credit = this.credit(index);
    const price = this.#price[0] as number;
    const left = price === this.#total ? Math.max(credit - price, Math.min(credit, this.#least)) : credit - price;
    this.#debts[index] = this.#calls * (this.#weights[index] ?? 0) - left;
  }
}
