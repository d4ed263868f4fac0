import type { Backend } from "../backend.ts";
import { expected, OptionCheck } from "../options.ts";
import { AliasTable } from "./alias-table.ts";
import { Costs } from "./costs.ts";
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

/** Up to 32 backends: looks at all of them. */
class ScanPicker implements Picker {
  readonly #backends: readonly Backend[];
  readonly #spread: number;
  readonly #costs: Costs;
  readonly #turns: Turns;
  /** Scratch: the costs of the current pick. */
  readonly #current: Float64Array;

  constructor(view: View, spread: number, places: Places) {
    this.#backends = view.backends;
    this.#spread = spread;
    this.#costs = new Costs(view);
    this.#turns = new Turns(view, places);
    this.#current = new Float64Array(view.backends.length);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    let index = this.#turns.begin(request, nowMs);
    if (index < 0) index = this.#choose(request, nowMs, 0);
    if (index < 0) return undefined;
    this.#turns.take(index, nowMs);
    return this.#backends[index];
  }

  peek(request: PickRequest, nowMs: number): Backend | undefined {
    return this.#backends[this.#choose(request, nowMs, 1)];
  }

  scores(nowMs: number): readonly number[] {
    return this.#costs.scores(nowMs);
  }

  /** Among those within the spread of the lowest cost, the one with the most credit. */
  #choose(request: PickRequest, nowMs: number, ahead: number): number {
    const lowest = this.#costs.fill(this.#current, request, nowMs);
    if (lowest === Number.POSITIVE_INFINITY) return -1;
    return this.#turns.mostDeserving(this.#current, lowest * this.#spread, ahead);
  }
}

/** Above 32: a weighted sample of 8, the first of them within the spread. */
class SamplePicker implements Picker {
  readonly #view: View;
  readonly #spread: number;
  readonly #costs: Costs;
  readonly #table: AliasTable;
  readonly #turns: Turns;
  /** Scratch: the sample of the current pick, and its costs. */
  readonly #drawn = new Uint32Array(SAMPLE);
  readonly #current = new Float64Array(SAMPLE);

  constructor(view: View, spread: number, places: Places) {
    this.#view = view;
    this.#spread = spread;
    this.#costs = new Costs(view);
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
    return this.#costs.scores(nowMs);
  }

  #draw(request: PickRequest, nowMs: number): number {
    const { random } = this.#view;
    for (let i = 0; i < SAMPLE; i++) this.#drawn[i] = this.#table.draw(random);
    const lowest = this.#costs.fill(this.#current, request, nowMs, this.#drawn);
    if (lowest === Number.POSITIVE_INFINITY) return drawAdmitting(this.#view, request, nowMs);
    const limit = lowest * this.#spread;
    for (let i = 0; i < SAMPLE; i++) if ((this.#current[i] as number) <= limit) return this.#drawn[i] as number;
    return -1;
  }
}
