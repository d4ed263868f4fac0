import type { Backend } from "../backend.ts";
import { expected, OptionCheck } from "../options.ts";
import { AliasTable } from "./alias-table.ts";
import { drawAdmitting, FULL_SCAN_LIMIT } from "./scan.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";
import { type Places, Turns } from "./turns.ts";

export interface LeastRequestOptions {
  /** Above 32 backends: how many are drawn and compared; whole, 2…32. Default 4. */
  readonly sample?: number | undefined;
}

/**
 * The backend with the fewest attempts under way for its weight; among equals, turns by weight decide. Looks at everybody
 * up to 32 backends, at a weighted sample of distinct ones above.
 *
 * Source: HAProxy `leastconn` (in-flight ÷ weight, turns among equals); Envoy `least_request_lb.cc` (sampling).
 */
export function leastRequest(options: LeastRequestOptions = {}): Strategy {
  const check = new OptionCheck();
  check.record("", options, ["sample"]);
  const sample = check.optional("sample", options.sample, expected.integer({ min: 2, max: FULL_SCAN_LIMIT })) ?? 4;
  check.throwIfAny("leastRequest");
  const requests: Places = new WeakMap();
  const connections: Places = new WeakMap();
  return {
    name: "leastRequest",
    build: (view) => new LeastRequestPicker(view, sample, view.kind === "request" ? requests : connections),
  };
}

/** The fewest in flight per weight, of one kind; also what `peakEwma` does with connections. */
export class LeastRequestPicker implements Picker {
  readonly #view: View;
  readonly #turns: Turns;
  readonly #table: AliasTable | undefined;
  /** Scratch: costs of the current pick, and the indexes they are of if drawn. */
  readonly #costs: Float64Array;
  readonly #drawn: Uint32Array;

  constructor(view: View, sample: number, places: Places) {
    const size = view.backends.length;
    this.#view = view;
    this.#turns = new Turns(view, places);
    this.#table = size > FULL_SCAN_LIMIT ? new AliasTable(view.weights) : undefined;
    this.#costs = new Float64Array(this.#table === undefined ? size : sample);
    this.#drawn = new Uint32Array(sample);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    let index = this.#turns.begin(request, nowMs);
    if (index < 0)
      index = this.#table === undefined ? this.#scan(request, nowMs) : this.#draw(this.#table, request, nowMs);
    if (index < 0) return undefined;
    this.#turns.take(index, nowMs);
    return this.#view.backends[index];
  }

  scores(): readonly number[] {
    const { backends, weights, kind } = this.#view;
    return backends.map((backend, index) => backend.inFlight(kind) / (weights[index] ?? 1));
  }

  #scan(request: PickRequest, nowMs: number): number {
    const costs = this.#costs;
    let lowest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < costs.length; index++) {
      const cost = this.#cost(index, request, nowMs);
      costs[index] = cost;
      if (cost < lowest) lowest = cost;
    }
    return lowest === Number.POSITIVE_INFINITY ? -1 : this.#turns.mostDeserving(costs, lowest);
  }

  #draw(table: AliasTable, request: PickRequest, nowMs: number): number {
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let count = 0; count < this.#drawn.length; count++) {
      const index = this.#drawDistinct(table, count);
      this.#drawn[count] = index;
      const cost = this.#cost(index, request, nowMs);
      if (cost < lowest) {
        lowest = cost;
        best = index;
      }
    }
    return best >= 0 ? best : drawAdmitting(this.#view, request, nowMs);
  }

  #cost(index: number, request: PickRequest, nowMs: number): number {
    const { backends, weights, kind } = this.#view;
    const backend = backends[index];
    return backend?.admits(request, nowMs) === true
      ? backend.inFlight(kind) / (weights[index] ?? 1)
      : Number.POSITIVE_INFINITY;
  }

  /** Draws again, a few times, what was drawn before; heavy weights may leave little else. */
  #drawDistinct(table: AliasTable, count: number): number {
    let index = table.draw(this.#view.random);
    for (let again = 0; again < 3 && this.#wasDrawn(index, count); again++) {
      index = table.draw(this.#view.random);
    }
    return index;
  }

  #wasDrawn(index: number, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.#drawn[i] === index) return true;
    return false;
  }
}
