import type { ReportedLoad } from "../../backend.ts";
import type { LoadReport } from "../../call/outcome.ts";

/** Weights outside of these come of reports that can't be true; between them all sums and quotients are finite. */
const LEAST_WEIGHT = 1e-12;
const LARGEST_WEIGHT = 1e12;

export interface RatingOptions {
  readonly blackoutMs: number;
  readonly expiryMs: number;
  readonly errorPenalty: number;
  readonly metrics: readonly string[];
}

/** What one backend's reports say it is worth, over time. */
export class Rating {
  readonly #options: RatingOptions;
  #weight = 0;
  /** When the report was made that `#weight` comes of. */
  #atMs = Number.NEGATIVE_INFINITY;
  /** Since when there have been such reports without a break. */
  #sinceMs = Number.POSITIVE_INFINITY;

  constructor(options: RatingOptions) {
    this.#options = options;
  }

  /** Takes in the newest report; returns the weight to go by, 0 for none. A report that gives none leaves the last one. */
  update(reported: ReportedLoad | undefined, nowMs: number): number {
    const { blackoutMs, expiryMs } = this.#options;
    if (reported !== undefined && reported.atMs > this.#atMs) this.#take(reported);
    if (nowMs - this.#atMs >= expiryMs) {
      this.#sinceMs = Number.POSITIVE_INFINITY;
      return 0;
    }
    return nowMs - this.#sinceMs < blackoutMs ? 0 : this.#weight;
  }

  #take({ load, atMs }: ReportedLoad): void {
    const weight = reportedWeight(load, this.#options);
    if (weight === 0) return;
    this.#weight = weight;
    this.#atMs = atMs;
    this.#sinceMs = Math.min(this.#sinceMs, atMs);
  }
}

/**
 * Requests per second ÷ (utilization + errors ÷ requests × penalty): how many requests a backend would serve at full use.
 * 0 if the report doesn't say.
 *
 * Source: gRFC A58.
 */
export function reportedWeight(load: LoadReport, { metrics, errorPenalty }: RatingOptions): number {
  const requests = positive(load.requestsPerSecond);
  const utilization = utilizationOf(load, metrics);
  if (requests === 0 || utilization === 0) return 0;
  const weight = requests / (utilization + (positive(load.errorsPerSecond) / requests) * errorPenalty);
  return weight >= LEAST_WEIGHT && weight <= LARGEST_WEIGHT ? weight : 0;
}

/** The largest of the metrics named, else the application's own figure, else the processor's. */
function utilizationOf(load: LoadReport, metrics: readonly string[]): number {
  let largest = 0;
  for (const name of metrics) largest = Math.max(largest, positive(load.namedUtilization?.[name]));
  return largest || positive(load.applicationUtilization) || positive(load.cpuUtilization);
}

/** Reports come from outside: what is no number, or none above 0, counts as 0. */
function positive(value: unknown): number {
  return typeof value === "number" && value > 0 && value < Number.POSITIVE_INFINITY ? value : 0;
}
