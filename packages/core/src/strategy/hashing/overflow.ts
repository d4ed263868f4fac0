import { finish } from "../../hash/murmur3.ts";
import type { PickRequest, View } from "../strategy.ts";
import { sharesOf } from "./place-keys.ts";

/** Steps of the generator below: 2³² divided by the golden ratio, so that every state comes once. */
const STEP = 0x9e3779b9;
/** What rounding may have added to a product of shares that is whole in truth. */
const ROUNDING = 1e-9;

/**
 * Where a call goes whose owner does not take it, because its gate is closed, it has been tried, or it has its fill:
 * through the view in an order shuffled by the hash, so that a key has its own substitutes, always the same ones, and
 * the load of a closed backend does not all fall on one neighbour.
 *
 * With bounded load, a backend has its fill at max(1, ⌈⌈(total + 1) · c⌉ · w⌉) attempts under way, w being its share of
 * the weights and total what the balancer has under way. That bound holds for every assignment; Envoy, which looks only
 * whether a backend is above it already, exceeds it by one. Only if nobody who admits the call is within its bound, the
 * one with the least load for its bound gets it.
 *
 * Sources: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads" (arXiv 1608.01350); Chen, Coleman,
 * Shrivastava, "Revisiting Consistent Hashing with Bounded Loads" (arXiv 1908.08762); Envoy `thread_aware_lb_impl.cc`.
 */
export class Overflow {
  readonly #view: View;
  readonly #factor: number;
  readonly #shares: Float64Array;
  /** Weight over the heaviest: how likely a backend takes its turn among the substitutes. */
  readonly #chances: Float64Array;
  /** Scratch: 0, 1, 2, … between picks. */
  readonly #order: Uint32Array;
  /** Scratch: what each position was swapped with. */
  readonly #swaps: Uint32Array;

  /** @param boundedLoad c, ≥ 1; `undefined`: no bound */
  constructor(view: View, boundedLoad: number | undefined) {
    const { weights } = view;
    const size = weights.length;
    this.#view = view;
    this.#factor = boundedLoad ?? Number.POSITIVE_INFINITY;
    this.#shares = new Float64Array(sharesOf(weights));
    this.#chances = new Float64Array(size);
    this.#order = new Uint32Array(size);
    this.#swaps = new Uint32Array(size);
    const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    for (let index = 0; index < size; index++) {
      this.#chances[index] = (weights[index] ?? 0) / heaviest;
      this.#order[index] = index;
    }
  }

  /** Whether the backend at `index` takes the call, within its bound. */
  takes(index: number, request: PickRequest, nowMs: number): boolean {
    return this.#view.backends[index]?.admits(request, nowMs) === true && this.#fill(index) <= 1;
  }

  /** The index of who takes the call instead of its owner; −1 if nobody admits it. */
  substitute(hash: Uint32Array, request: PickRequest, nowMs: number): number {
    const { backends } = this.#view;
    let state = finish(hash[0] as number) ^ (hash[1] as number);
    let chosen = -1;
    let passedOver = -1;
    let least = -1;
    let leastFill = Number.POSITIVE_INFINITY;
    let step = 0;
    while (chosen < 0 && step < backends.length) {
      state = (state + STEP) | 0;
      const index = this.#shuffle(step++, finish(state) >>> 0);
      if (backends[index]?.admits(request, nowMs) !== true) continue;
      const fill = this.#fill(index);
      state = (state + STEP) | 0;
      if (fill > 1) {
        if (fill < leastFill) {
          least = index;
          leastFill = fill;
        }
      } else if ((finish(state) >>> 0) / 2 ** 32 < (this.#chances[index] as number)) chosen = index;
      else if (passedOver < 0) passedOver = index;
    }
    this.#restore(step);
    return chosen >= 0 ? chosen : passedOver >= 0 ? passedOver : least;
  }

  /** Attempts under way, with this one, over the most there may be: up to 1 it is within its bound. */
  #fill(index: number): number {
    if (this.#factor === Number.POSITIVE_INFINITY) return 0;
    const { kind, loads, rows } = this.#view;
    const ofRequests = kind === "request";
    const total = ofRequests ? loads.totalRequests : loads.totalConnections;
    const active = (ofRequests ? loads.requests : loads.connections)[rows[index] as number] as number;
    const slots = Math.ceil(
      Math.ceil((total + 1) * this.#factor - ROUNDING) * (this.#shares[index] as number) - ROUNDING,
    );
    return (active + 1) / Math.max(slots, 1);
  }

  /** Moves a random one of those not seen yet to position `step`, and returns it. `draw`: 0 to 2³² − 1. */
  #shuffle(step: number, draw: number): number {
    const order = this.#order;
    const from = step + Math.floor((draw / 2 ** 32) * (order.length - step));
    const index = order[from] as number;
    order[from] = order[step] as number;
    order[step] = index;
    this.#swaps[step] = from;
    return index;
  }

  /** Undoes a shuffle of so many steps. Positions that were not swapped hold their own number anyway. */
  #restore(steps: number): void {
    for (let step = 0; step < steps; step++) {
      const from = this.#swaps[step] as number;
      this.#order[step] = step;
      this.#order[from] = from;
    }
  }
}
