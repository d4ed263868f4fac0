import type { Backend } from "../backend.ts";
import { expected, OptionCheck } from "../options.ts";
import { below } from "../random.ts";
import { AliasTable } from "./alias-table.ts";
import { drawAdmitting, FULL_SCAN_LIMIT } from "./scan.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";
import { type Places, Turns } from "./turns.ts";

/** Keeps every score finite, with any number of attempts under way. */
const LARGEST_BIAS = 10;
/** Heavy weights may leave little else to draw: after so many draws of the same, any other will do. */
const REDRAWS = 3;

export interface LeastRequestOptions {
  /** Above 32 backends: how many are drawn and compared; whole, 2…32. Default 4. */
  readonly sample?: number | undefined;
  /**
   * How much attempts under way count, 0…10. Default 1: they settle in proportion to the weights. In general they settle
   * in proportion to weight^(1/bias), so more is fairer to the light ones. With 0 they don't count at all, and calls are
   * shared by weight: by turns up to 32 backends, by lot above.
   */
  readonly bias?: number | undefined;
}

/**
 * The backend with the least score = (attempts under way)^bias ÷ weight; among equals, turns by weight decide. Looks at
 * everybody up to 32 backends, at a weighted sample of distinct ones above.
 *
 * Envoy's bias works upon (under way + 1), and divides the weight of its turns by that. Here nothing is added: idle
 * backends are equals whatever their weight, so that at low load the heaviest doesn't get everything.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 *
 * Source: HAProxy `leastconn` (in-flight ÷ weight, turns among equals); Envoy `least_request_lb.cc` (sampling, bias).
 */
export function leastRequest(options: LeastRequestOptions = {}): Strategy {
  const check = new OptionCheck();
  check.record("", options, ["sample", "bias"]);
  const sample = check.optional("sample", options.sample, expected.integer({ min: 2, max: FULL_SCAN_LIMIT })) ?? 4;
  const bias = check.optional("bias", options.bias, expected.number({ min: 0, max: LARGEST_BIAS })) ?? 1;
  check.throwIfAny("leastRequest");
  const requests: Places = new WeakMap();
  const connections: Places = new WeakMap();
  return {
    name: "leastRequest",
    build: (view) => new LeastRequestPicker(view, sample, view.kind === "request" ? requests : connections, bias),
  };
}

/** The fewest in flight per weight, of one kind; also what `peakEwma` does with connections. */
export class LeastRequestPicker implements Picker {
  readonly #view: View;
  readonly #turns: Turns;
  readonly #table: AliasTable | undefined;
  readonly #bias: number;
  /** Scratch: costs of the current pick, and the indexes they are of if drawn. */
  readonly #costs: Float64Array;
  readonly #drawn: Uint32Array;

  constructor(view: View, sample: number, places: Places, bias = 1) {
    const size = view.backends.length;
    this.#view = view;
    this.#bias = bias;
    this.#turns = new Turns(view, places);
    this.#table = size > FULL_SCAN_LIMIT ? new AliasTable(view.weights) : undefined;
    this.#costs = new Float64Array(this.#table === undefined ? size : sample);
    this.#drawn = new Uint32Array(sample);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    let index = this.#turns.begin(request, nowMs);
    if (index < 0)
      index = this.#table === undefined ? this.#scan(request, nowMs, 0) : this.#draw(this.#table, request, nowMs);
    if (index < 0) return undefined;
    this.#turns.take(index, nowMs);
    return this.#view.backends[index];
  }

  /** `undefined` where a sample is drawn. */
  peek(request: PickRequest, nowMs: number): Backend | undefined {
    return this.#table === undefined ? this.#view.backends[this.#scan(request, nowMs, 1)] : undefined;
  }

  scores(): readonly number[] {
    return this.#view.backends.map((_, index) => this.#score(index));
  }

  #scan(request: PickRequest, nowMs: number, ahead: number): number {
    const costs = this.#costs;
    let lowest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < costs.length; index++) {
      const cost = this.#cost(index, request, nowMs);
      costs[index] = cost;
      if (cost < lowest) lowest = cost;
    }
    return lowest === Number.POSITIVE_INFINITY ? -1 : this.#turns.mostDeserving(costs, lowest, ahead);
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
    const open = this.#view.backends[index]?.admits(request, nowMs) === true;
    return open ? this.#score(index) : Number.POSITIVE_INFINITY;
  }

  #score(index: number): number {
    const { backends, weights, kind } = this.#view;
    const active = backends[index]?.inFlight(kind) ?? 0;
    // 0^0 is 1, and 1/weight would make the heaviest the only choice.
    if (this.#bias === 0) return 0;
    return (this.#bias === 1 ? active : active ** this.#bias) / (weights[index] ?? 1);
  }

  #drawDistinct(table: AliasTable, count: number): number {
    const { random, backends } = this.#view;
    for (let draw = 0; draw <= REDRAWS; draw++) {
      const index = table.draw(random);
      if (!this.#wasDrawn(index, count)) return index;
    }
    let index = below(random, backends.length);
    while (this.#wasDrawn(index, count)) index = index + 1 === backends.length ? 0 : index + 1;
    return index;
  }

  #wasDrawn(index: number, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.#drawn[i] === index) return true;
    return false;
  }
}
