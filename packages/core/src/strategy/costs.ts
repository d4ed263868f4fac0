import type { Backend } from "../backend.ts";
import { isEven } from "./scan.ts";
import type { PickRequest, View } from "./strategy.ts";

/** A backend without history that has something under way: far above any cost, so that it is tried once, not flooded. */
const UNKNOWN_COST = 1e290;

/**
 * What a request to each backend of a view would cost: latency × (requests under way per normalized weight + 1), in the
 * scaled time that all latencies of a balancer share; `Infinity` for those who don't admit it.
 *
 * The loops here are the hottest of the library. Indexes are in bounds, and saying so by `??` would cost a third of it.
 */
export class Costs {
  readonly #view: View;
  /** Mean weight over weight. */
  readonly #inverse: Float64Array;
  readonly #even: boolean;
  /** Of the whole view. */
  readonly #all: Uint32Array;

  constructor(view: View) {
    const { weights } = view;
    const { length } = weights;
    let sum = 0;
    for (const weight of weights) sum += weight;
    this.#view = view;
    this.#inverse = new Float64Array(length);
    this.#all = new Uint32Array(length);
    this.#even = isEven(weights);
    for (let i = 0; i < length; i++) {
      this.#inverse[i] = sum / length / (weights[i] as number);
      this.#all[i] = i;
    }
  }

  /** Fills `costs` for the backends at `indexes`, or for the whole view; returns the lowest. */
  fill(costs: Float64Array, request: PickRequest, nowMs: number, indexes: Uint32Array = this.#all): number {
    const open = request.tried === undefined && this.#view.loads.gatedRows === 0;
    const lowest = open && this.#even ? this.#fillPlain(costs, indexes) : this.#fillAny(costs, request, nowMs, indexes);
    return lowest === 0 ? this.#chargeUnknown(costs, indexes) : lowest;
  }

  /** In milliseconds, for people. */
  scores(nowMs: number): number[] {
    return this.#view.backends.map(
      (backend, index) => backend.latency.read(nowMs) * (backend.inFlight("request") * (this.#inverse[index] ?? 1) + 1),
    );
  }

  /** The common case: equal weights, nobody gated, nobody tried. */
  #fillPlain(costs: Float64Array, indexes: Uint32Array): number {
    const { rows, loads } = this.#view;
    const { latency, requests } = loads;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < indexes.length; i++) {
      const row = rows[indexes[i] as number] as number;
      const cost = (latency[row] as number) * ((requests[row] as number) + 1);
      costs[i] = cost;
      if (cost < lowest) lowest = cost;
    }
    return lowest;
  }

  #fillAny(costs: Float64Array, request: PickRequest, nowMs: number, indexes: Uint32Array): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < indexes.length; i++) {
      const cost = this.#costAt(indexes[i] as number, request, nowMs);
      costs[i] = cost;
      if (cost < lowest) lowest = cost;
    }
    return lowest;
  }

  #costAt(index: number, request: PickRequest, nowMs: number): number {
    const { backends, rows, loads } = this.#view;
    const row = rows[index] as number;
    const open = loads.gated[row] === 0 && request.tried === undefined;
    if (!open && !(backends[index] as Backend).admits(request, nowMs)) return Number.POSITIVE_INFINITY;
    return (loads.latency[row] as number) * (this.#waiting(index) + 1);
  }

  #waiting(index: number): number {
    const { rows, loads } = this.#view;
    return (loads.requests[rows[index] as number] as number) * (this.#inverse[index] as number);
  }

  /** Raises the cost of those without history that have something under way; returns the lowest cost then. */
  #chargeUnknown(costs: Float64Array, indexes: Uint32Array): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < costs.length; i++) {
      const waiting = costs[i] === 0 ? this.#waiting(indexes[i] as number) : 0;
      if (waiting > 0) costs[i] = UNKNOWN_COST * (waiting + 1);
      lowest = Math.min(lowest, costs[i] as number);
    }
    return lowest;
  }
}
