import type { Backend } from "../backend.ts";
import { expected, OptionCheck } from "../options.ts";
import { AliasTable } from "./alias-table.ts";
import { LeastRequestPicker } from "./least-request.ts";
import { drawAdmitting, FULL_SCAN_LIMIT } from "./scan.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";
import { type Places, Turns } from "./turns.ts";

export interface PeakEwmaOptions {
  /**
   * How much costlier than the cheapest a backend may be and still get its share; ≥ 1. Default 2. More keeps shares
   * closer to the weights, less keeps the tail shorter; 1 is plain lowest cost.
   */
  readonly spread?: number | undefined;
}

/** Above 32 backends: as many are drawn and compared (simulated: 8 keeps 3 slow in 10 out of the tail). */
const SAMPLE = 8;
/** A backend without history that has something under way: far above any cost, so that it is tried once, not flooded. */
const UNKNOWN_COST = 1e290;

/**
 * The default: latency excludes, weight divides. Cost = peak EWMA of latency × (in-flight / weight + 1), failures charged
 * as 1 to 5 s. Every backend within `spread` of the lowest cost is fast; the fast ones share by weight, with a bounded
 * credit for those left out. With connections it takes the fewest open per weight and leaves request state alone.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function peakEwma(options: PeakEwmaOptions = {}): Strategy {
  const check = new OptionCheck();
  check.record("", options, ["spread"]);
  const spread = check.optional("spread", options.spread, expected.number({ min: 1 })) ?? 2;
  check.throwIfAny("peakEwma");
  const requests: Places = new WeakMap();
  const connections: Places = new WeakMap();
  return {
    name: "peakEwma",
    build: (view) => {
      if (view.kind === "connection") return new LeastRequestPicker(view, SAMPLE, connections);
      return view.backends.length <= FULL_SCAN_LIMIT
        ? new ScanPicker(view, spread, requests)
        : new SamplePicker(view, spread, requests);
    },
  };
}

function inverseNormalized(weights: readonly number[]): Float64Array {
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  return Float64Array.from(weights, (weight) => mean / weight);
}

/** Costs in milliseconds, for people. */
function costsNow({ backends }: View, inverse: Float64Array, nowMs: number): number[] {
  return backends.map(
    (backend, index) => backend.latency.read(nowMs) * (backend.inFlight("request") * (inverse[index] ?? 1) + 1),
  );
}

/** Up to 32 backends: looks at all of them. */
class ScanPicker implements Picker {
  readonly #view: View;
  readonly #inverse: Float64Array;
  readonly #spread: number;
  readonly #turns: Turns;
  /** Scratch: costs of the current pick. */
  readonly #costs: Float64Array;

  constructor(view: View, spread: number, places: Places) {
    this.#view = view;
    this.#inverse = inverseNormalized(view.weights);
    this.#spread = spread;
    this.#turns = new Turns(view, places);
    this.#costs = new Float64Array(view.backends.length);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    let index = this.#turns.begin(request, nowMs);
    if (index < 0) index = this.#choose(request, nowMs);
    if (index < 0) return undefined;
    this.#turns.take(index, nowMs);
    return this.#view.backends[index];
  }

  peek(request: PickRequest, nowMs: number): Backend | undefined {
    return this.#view.backends[this.#choose(request, nowMs, 1)];
  }

  scores(nowMs: number): readonly number[] {
    return costsNow(this.#view, this.#inverse, nowMs);
  }

  /** Among those within the spread of the lowest cost, the one with the most credit. */
  #choose(request: PickRequest, nowMs: number, ahead = 0): number {
    // The hottest loop of the library: indexes are in bounds, and saying so by `??` would cost a third of it.
    const { backends, rows, loads } = this.#view;
    const { latency, requests, gated } = loads;
    const inverse = this.#inverse;
    const costs = this.#costs;
    const first = request.tried === undefined;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const admitted = (first && gated[row] === 0) || (backends[i] as Backend).admits(request, nowMs);
      const waiting = (requests[row] as number) * (inverse[i] as number);
      const cost = admitted ? (latency[row] as number) * (waiting + 1) : Number.POSITIVE_INFINITY;
      costs[i] = cost;
      if (cost < lowest) lowest = cost;
    }
    if (lowest === Number.POSITIVE_INFINITY) return -1;
    if (lowest === 0)
      lowest = chargeUnknown(costs, (i) => (requests[rows[i] as number] as number) * (inverse[i] as number));
    return this.#turns.mostDeserving(costs, lowest * this.#spread, ahead);
  }
}

/** Raises the cost of those without history that have something under way; returns the lowest cost then. */
function chargeUnknown(costs: Float64Array, waitingAt: (index: number) => number): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const [index, cost] of costs.entries()) {
    const waiting = cost === 0 ? waitingAt(index) : 0;
    const charged = waiting === 0 ? cost : UNKNOWN_COST * (waiting + 1);
    costs[index] = charged;
    lowest = Math.min(lowest, charged);
  }
  return lowest;
}

/** Above 32: a weighted sample of 8, the first of them within the spread. */
class SamplePicker implements Picker {
  readonly #view: View;
  readonly #inverse: Float64Array;
  readonly #spread: number;
  readonly #table: AliasTable;
  readonly #turns: Turns;
  readonly #drawn = new Uint32Array(SAMPLE);
  readonly #costs = new Float64Array(SAMPLE);

  constructor(view: View, spread: number, places: Places) {
    this.#view = view;
    this.#inverse = inverseNormalized(view.weights);
    this.#spread = spread;
    this.#table = new AliasTable(view.weights);
    this.#turns = new Turns(view, places);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    let index = this.#turns.begin(request, nowMs);
    if (index < 0) index = this.#draw(request, nowMs);
    if (index < 0) return undefined;
    this.#turns.take(index, nowMs);
    return this.#view.backends[index];
  }

  scores(nowMs: number): readonly number[] {
    return costsNow(this.#view, this.#inverse, nowMs);
  }

  #draw(request: PickRequest, nowMs: number): number {
    const { backends, rows, loads, random } = this.#view;
    const { latency, requests, gated } = loads;
    const inverse = this.#inverse;
    const drawn = this.#drawn;
    const costs = this.#costs;
    const first = request.tried === undefined;
    let lowest = Number.POSITIVE_INFINITY;
    for (let count = 0; count < SAMPLE; count++) {
      const index = this.#table.draw(random);
      const row = rows[index] as number;
      const admitted = (first && gated[row] === 0) || (backends[index] as Backend).admits(request, nowMs);
      const waiting = (requests[row] as number) * (inverse[index] as number);
      const cost = admitted ? (latency[row] as number) * (waiting + 1) : Number.POSITIVE_INFINITY;
      drawn[count] = index;
      costs[count] = cost;
      if (cost < lowest) lowest = cost;
    }
    if (lowest === Number.POSITIVE_INFINITY) return drawAdmitting(this.#view, request, nowMs);
    if (lowest === 0)
      lowest = chargeUnknown(
        costs,
        (i) => (requests[rows[drawn[i] as number] as number] as number) * (inverse[drawn[i] as number] as number),
      );
    const limit = lowest * this.#spread;
    for (let count = 0; count < SAMPLE; count++) if ((costs[count] ?? 0) <= limit) return drawn[count] ?? -1;
    return -1;
  }
}
