import type { Backend } from "../backend.ts";
import { expected, OptionCheck } from "../options.ts";
import { below } from "../random.ts";
import { AliasTable } from "./alias-table.ts";
import { drawAdmitting, FULL_SCAN_LIMIT } from "./scan.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";
import { type Places, Turns } from "./turns.ts";

export interface LeastRequestOptions {
  /** Above 32 backends: how many are drawn and compared; whole, 2…32. Default 4. */
  readonly sample?: number | undefined;
  /** How much load counts against weight: cost (in-flight + 1)^bias / weight; ≥ 0, 0 ignores load. Default 1. */
  readonly bias?: number | undefined;
}

/**
 * The backend with the fewest attempts under way for its weight; ties are broken at random. Looks at everybody up to 32
 * backends, at a weighted sample above.
 *
 * Source: Envoy `least_request_lb.cc`; sampled ones are distinct, unlike there.
 */
export function leastRequest(options: LeastRequestOptions = {}): Strategy {
  const check = new OptionCheck();
  check.record("", options, ["sample", "bias"]);
  const sample = check.optional("sample", options.sample, expected.integer({ min: 2, max: FULL_SCAN_LIMIT })) ?? 4;
  const bias = check.optional("bias", options.bias, expected.number({ min: 0 })) ?? 1;
  check.throwIfAny("leastRequest");
  const places: Places = new WeakMap();
  return { name: "leastRequest", build: (view) => new LeastRequestPicker(view, sample, bias, places) };
}

/** The fewest in flight per weight of one kind; also what `peakEwma` does with connections. */
export class LeastRequestPicker implements Picker {
  readonly #view: View;
  readonly #bias: number;
  readonly #sample: number;
  readonly #turns: Turns;
  readonly #table: AliasTable | undefined;
  readonly #drawn: Uint32Array;

  constructor(view: View, sample: number, bias: number, places: Places) {
    this.#view = view;
    this.#bias = bias;
    this.#sample = sample;
    this.#turns = new Turns(view, places);
    this.#table = view.backends.length > FULL_SCAN_LIMIT ? new AliasTable(view.weights) : undefined;
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
    return this.#view.backends.map((_, index) => this.#cost(index));
  }

  #cost(index: number): number {
    const waiting = (this.#view.backends[index]?.inFlight(this.#view.kind) ?? 0) + 1;
    return (this.#bias === 1 ? waiting : waiting ** this.#bias) / (this.#view.weights[index] ?? 1);
  }

  /** From a random place on, so that ties fall to everybody. */
  #scan(request: PickRequest, nowMs: number): number {
    const { backends, random } = this.#view;
    const size = backends.length;
    const start = below(random, size);
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let step = 0; step < size; step++) {
      const index = start + step < size ? start + step : start + step - size;
      if (backends[index]?.admits(request, nowMs) !== true) continue;
      const cost = this.#cost(index);
      if (cost < lowest) {
        lowest = cost;
        best = index;
      }
    }
    return best;
  }

  #draw(table: AliasTable, request: PickRequest, nowMs: number): number {
    const { backends, random } = this.#view;
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let count = 0; count < this.#sample; count++) {
      const index = drawDistinct(table, random, this.#drawn, count);
      this.#drawn[count] = index;
      if (backends[index]?.admits(request, nowMs) !== true) continue;
      const cost = this.#cost(index);
      if (cost < lowest) {
        lowest = cost;
        best = index;
      }
    }
    return best >= 0 ? best : drawAdmitting(this.#view, request, nowMs);
  }
}

/** Draws again, a few times, what was drawn before; heavy weights may leave little else. */
function drawDistinct(table: AliasTable, random: View["random"], drawn: Uint32Array, count: number): number {
  let index = table.draw(random);
  for (let again = 0; again < 3 && includes(drawn, count, index); again++) index = table.draw(random);
  return index;
}

function includes(drawn: Uint32Array, count: number, index: number): boolean {
  for (let i = 0; i < count; i++) if (drawn[i] === index) return true;
  return false;
}
