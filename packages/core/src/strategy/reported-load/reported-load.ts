import type { Backend } from "../../backend.ts";
import { type Expected, expected, OptionCheck } from "../../options.ts";
import { type DeadlinePlaces, Deadlines } from "../edf.ts";
import { buildRoundRobin, type RoundRobinMemory, roundRobinMemory } from "../round-robin.ts";
import type { Picker, PickRequest, Strategy, View } from "../strategy.ts";
import { parseLoadReport } from "./load-report.ts";
import { Rating, type RatingOptions } from "./rating.ts";

export interface ReportedLoadOptions {
  /** How long a backend must have reported before its reports count, milliseconds, ≥ 0. Default 10,000. */
  readonly blackoutMs?: number | undefined;
  /** After how long without a report the last one no longer counts, milliseconds, > 0. Default 180,000. */
  readonly expiryMs?: number | undefined;
  /** How often weights are computed anew, milliseconds, ≥ 100. Default 1,000. */
  readonly updateMs?: number | undefined;
  /** How much errors weigh: the share of calls that fail, times this, is added to utilization; ≥ 0. Default 1. */
  readonly errorPenalty?: number | undefined;
  /**
   * Names in `namedUtilization`: the largest of them is the utilization. Default none: then, or if a report has none of
   * them above 0, it is `applicationUtilization`, else `cpuUtilization`.
   */
  readonly metrics?: readonly string[] | undefined;
  /** Name of the response header that carries reports. Default `endpoint-load-metrics`. */
  readonly header?: string | undefined;
}

/** A weight counts as so much of the mean at least and at most, so that one report can't starve or flood anybody. */
const LEAST_SHARE = 0.01;
const LARGEST_SHARE = 10;

const KEYS = ["blackoutMs", "expiryMs", "updateMs", "errorPenalty", "metrics", "header"] as const;

const names: Expected<readonly string[]> = {
  description: "a list of non-empty texts",
  accepts: (value): value is readonly string[] =>
    Array.isArray(value) && value.every((item) => typeof item === "string" && item !== ""),
};
const headerName: Expected<string> = {
  description: "the name of a header",
  accepts: (value): value is string => typeof value === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(value),
};

/**
 * Turns by the weights that backends report: requests per second ÷ (utilization + error share × penalty), times the
 * configured weight relative to the mean. A backend that reports nothing counts as the mean of those that do. As long as
 * fewer than two do, it is `roundRobin()`.
 *
 * Weights are held to 0.01 to 10 times their mean, as gRPC does.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 *
 * Source: gRFC A58 (weights, defaults), A51 (reports); gRPC `static_stride_scheduler.cc` (limits).
 */
export function reportedLoad(options: ReportedLoadOptions = {}): Strategy {
  const { header, ...settings } = resolve(options);
  const memory = { request: emptyMemory(), connection: emptyMemory() };
  return {
    name: "reportedLoad",
    reports: { header, parse: parseLoadReport },
    build: (view) => new ReportedLoadPicker(view, settings, memory[view.kind]),
  };
}

interface ReportedLoadSettings extends RatingOptions {
  readonly updateMs: number;
}

function resolve(options: ReportedLoadOptions): ReportedLoadSettings & { readonly header: string } {
  const check = new OptionCheck();
  check.record("", options, KEYS);
  const resolved = {
    blackoutMs: check.optional("blackoutMs", options.blackoutMs, expected.number({ min: 0 })) ?? 10_000,
    expiryMs: check.optional("expiryMs", options.expiryMs, expected.number({ above: 0 })) ?? 180_000,
    updateMs: check.optional("updateMs", options.updateMs, expected.number({ min: 100 })) ?? 1_000,
    errorPenalty: check.optional("errorPenalty", options.errorPenalty, expected.number({ min: 0 })) ?? 1,
    metrics: [...(check.optional("metrics", options.metrics, names) ?? [])],
    header: (check.optional("header", options.header, headerName) ?? "endpoint-load-metrics").toLowerCase(),
  };
  check.throwIfAny("reportedLoad");
  return resolved;
}

/** What outlives a view. */
interface Memory {
  readonly ratings: WeakMap<Backend, Rating>;
  readonly places: DeadlinePlaces;
  readonly plain: RoundRobinMemory;
}

function emptyMemory(): Memory {
  return { ratings: new WeakMap(), places: new WeakMap(), plain: roundRobinMemory() };
}

class ReportedLoadPicker implements Picker {
  readonly #view: View;
  readonly #updateMs: number;
  readonly #places: DeadlinePlaces;
  readonly #ratings: readonly Rating[];
  /** By configured weights alone. */
  readonly #plain: Picker;
  /** By reports; made when there are any. */
  #deadlines: Deadlines | undefined;
  #current: Picker;
  /** Weights by reports; 0 where there are none. */
  readonly #weights: Float64Array;
  readonly #meanConfigured: number;
  /** When weights are to be computed anew. */
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(view: View, settings: ReportedLoadSettings, { ratings, places, plain }: Memory) {
    this.#view = view;
    this.#updateMs = settings.updateMs;
    this.#places = places;
    this.#ratings = view.backends.map((backend) => {
      const rating = ratings.get(backend) ?? new Rating(settings);
      ratings.set(backend, rating);
      return rating;
    });
    this.#plain = buildRoundRobin(view, plain);
    this.#current = this.#plain;
    this.#weights = new Float64Array(view.backends.length);
    this.#meanConfigured = view.weights.reduce((sum, weight) => sum + weight, 0) / view.weights.length;
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    if (nowMs >= this.#dueMs) this.#update(nowMs);
    return this.#current.pick(request, nowMs);
  }

  /** `undefined` when new weights are due: they come with the pick. */
  peek(request: PickRequest, nowMs: number): Backend | undefined {
    return nowMs < this.#dueMs ? this.#current.peek?.(request, nowMs) : undefined;
  }

  scores(): readonly number[] {
    return this.#current === this.#plain ? this.#view.weights : [...this.#weights];
  }

  #update(nowMs: number): void {
    this.#dueMs = nowMs + this.#updateMs;
    let count = 0;
    let sum = 0;
    for (let index = 0; index < this.#weights.length; index++) {
      const weight = this.#ratings[index]?.update(this.#view.backends[index]?.reported, nowMs) ?? 0;
      this.#weights[index] = weight;
      sum += weight;
      if (weight > 0) count++;
    }
    if (count < 2) {
      this.#current = this.#plain;
      return;
    }
    this.#complete(sum / count);
    this.#deadlines ??= new Deadlines(this.#view, this.#places);
    this.#deadlines.reweigh(this.#weights);
    this.#current = this.#deadlines;
  }

  /** Gives those without a report the mean, holds the others near it, and honours configured weights. */
  #complete(mean: number): void {
    for (let index = 0; index < this.#weights.length; index++) {
      const reported = this.#weights[index] || mean;
      const held = Math.min(Math.max(reported, LEAST_SHARE * mean), LARGEST_SHARE * mean);
      this.#weights[index] = held * ((this.#view.weights[index] ?? 1) / this.#meanConfigured);
    }
  }
}
