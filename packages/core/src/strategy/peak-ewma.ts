import type { Backend } from "../backend.ts";
import { expected, OptionCheck } from "../options.ts";
import { AliasTable } from "./alias-table.ts";
import { drawDistinct, LeastRequestPicker } from "./least-request.ts";
import { LeftOut, Standing, Standings } from "./left-out.ts";
import { drawAdmitting, FULL_SCAN_LIMIT } from "./scan.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";

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
  const requests = new Standings();
  const connections = new Standings();
  return {
    name: "peakEwma",
    build: (view) => {
      if (view.kind === "connection") return new LeastRequestPicker(view, SAMPLE, 1, connections);
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

/** Cost of one backend, in the scaled time that all latencies of a balancer share. */
function costOf(backend: Backend, inverseWeight: number): number {
  const waiting = backend.inFlight("request") * inverseWeight;
  const latency = backend.latency.scaled;
  if (latency > 0) return latency * (waiting + 1);
  return waiting === 0 ? 0 : UNKNOWN_COST * (waiting + 1);
}

/** Up to 32 backends: looks at all of them. */
class ScanPicker implements Picker {
  readonly #backends: readonly Backend[];
  readonly #weights: Float64Array;
  readonly #inverse: Float64Array;
  readonly #totalWeight: number;
  readonly #spread: number;
  readonly #standings: readonly Standing[];
  readonly #leftOut: LeftOut;
  /** Scratch: costs of the current pick. */
  readonly #costs: Float64Array;

  constructor({ backends, weights, random }: View, spread: number, standings: Standings) {
    this.#backends = backends;
    this.#weights = Float64Array.from(weights);
    this.#inverse = inverseNormalized(weights);
    this.#totalWeight = weights.reduce((sum, weight) => sum + weight, 0);
    this.#spread = spread;
    this.#standings = backends.map((backend, index) =>
      standings.of(backend, () => {
        const standing = new Standing();
        standing.credit = random.next() * (weights[index] ?? 1);
        return standing;
      }),
    );
    this.#leftOut = new LeftOut(standings, backends, this.#standings);
    this.#costs = new Float64Array(backends.length);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    this.#earn();
    let index = this.#leftOut.next(request, nowMs);
    if (index < 0) index = this.#mostCredit(this.#spread * this.#lowestCost(request, nowMs));
    const standing = this.#standings[index];
    if (standing === undefined) return undefined;
    standing.credit = Math.max(standing.credit - this.#totalWeight, -4 * this.#totalWeight);
    this.#leftOut.picked(index, nowMs);
    return this.#backends[index];
  }

  peek(request: PickRequest, nowMs: number): Backend | undefined {
    return this.#backends[this.#mostCredit(this.#spread * this.#lowestCost(request, nowMs))];
  }

  scores(nowMs: number): readonly number[] {
    return this.#backends.map(
      (backend, index) => backend.latency.read(nowMs) * (backend.inFlight("request") * (this.#inverse[index] ?? 1) + 1),
    );
  }

  /** Everybody gains their weight, up to what makes good a few turns. */
  #earn(): void {
    const turns = 4 + this.#backends.length;
    for (let i = 0; i < this.#weights.length; i++) {
      const standing = this.#standings[i];
      const weight = this.#weights[i];
      if (standing === undefined || weight === undefined) continue;
      const credit = standing.credit + weight;
      const most = turns * weight;
      standing.credit = credit < most ? credit : most;
    }
  }

  #lowestCost(request: PickRequest, nowMs: number): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#costs.length; i++) {
      const backend = this.#backends[i];
      const cost =
        backend?.admits(request, nowMs) === true ? costOf(backend, this.#inverse[i] ?? 1) : Number.POSITIVE_INFINITY;
      this.#costs[i] = cost;
      if (cost < lowest) lowest = cost;
    }
    return lowest;
  }

  #mostCredit(limit: number): number {
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    if (limit === Number.POSITIVE_INFINITY) return best;
    for (let i = 0; i < this.#costs.length; i++) {
      const credit = this.#standings[i]?.credit ?? 0;
      if ((this.#costs[i] ?? 0) <= limit && credit > most) {
        most = credit;
        best = i;
      }
    }
    return best;
  }
}

/** Above 32: a weighted sample of 8, the first of them within the spread. */
class SamplePicker implements Picker {
  readonly #view: View;
  readonly #inverse: Float64Array;
  readonly #spread: number;
  readonly #table: AliasTable;
  readonly #leftOut: LeftOut;
  readonly #drawn = new Uint32Array(SAMPLE);
  readonly #costs = new Float64Array(SAMPLE);

  constructor(view: View, spread: number, standings: Standings) {
    this.#view = view;
    this.#inverse = inverseNormalized(view.weights);
    this.#spread = spread;
    this.#table = new AliasTable(view.weights);
    this.#leftOut = new LeftOut(
      standings,
      view.backends,
      view.backends.map((backend) => standings.of(backend, () => new Standing())),
    );
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    let index = this.#leftOut.next(request, nowMs);
    if (index < 0) index = this.#draw(request, nowMs);
    if (index < 0) return undefined;
    this.#leftOut.picked(index, nowMs);
    return this.#view.backends[index];
  }

  scores(nowMs: number): readonly number[] {
    return this.#view.backends.map(
      (backend, index) => backend.latency.read(nowMs) * (backend.inFlight("request") * (this.#inverse[index] ?? 1) + 1),
    );
  }

  #draw(request: PickRequest, nowMs: number): number {
    const { backends, random } = this.#view;
    let lowest = Number.POSITIVE_INFINITY;
    for (let count = 0; count < SAMPLE; count++) {
      const index = drawDistinct(this.#table, random, this.#drawn, count);
      const backend = backends[index];
      const cost =
        backend?.admits(request, nowMs) === true
          ? costOf(backend, this.#inverse[index] ?? 1)
          : Number.POSITIVE_INFINITY;
      this.#drawn[count] = index;
      this.#costs[count] = cost;
      if (cost < lowest) lowest = cost;
    }
    if (lowest === Number.POSITIVE_INFINITY) return drawAdmitting(this.#view, request, nowMs);
    const limit = lowest * this.#spread;
    for (let count = 0; count < SAMPLE; count++)
      if ((this.#costs[count] ?? 0) <= limit) return this.#drawn[count] ?? -1;
    return -1;
  }
}
