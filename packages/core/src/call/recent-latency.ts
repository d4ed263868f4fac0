import { Histogram } from "../telemetry/histogram.ts";

/** Latencies are remembered for one to two of these: long enough for a p95 at ten calls a second, short enough to follow. */
const PERIOD_MS = 10_000;
/** Fewer say nothing about a tail. */
const FEWEST = 100;
/** A quantile costs a walk over all buckets, so it is not worked out for each call. */
const STALE_MS = 100;

/** Quantiles of the latest 10 to 20 seconds: two histograms, of which the older one is dropped in turn. */
export class RecentLatency {
  #current = new Histogram();
  #before = new Histogram();
  #startedAtMs: number;
  #known: number | undefined;
  #knownAtMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs;
  }

  record(latencyMs: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#current.record(latencyMs);
  }

  /** Milliseconds, up to 100 ms old; `undefined` with fewer than 100 records. Always to be asked for the same share. */
  quantile(share: number, nowMs: number): number | undefined {
    if (nowMs - this.#knownAtMs < STALE_MS) return this.#known;
    this.#turn(nowMs);
    const both = this.#current.total + this.#before.total;
    this.#known = both < FEWEST ? undefined : this.#current.plus(this.#before).quantile(share);
    this.#knownAtMs = nowMs;
    return this.#known;
  }

  #turn(nowMs: number): void {
    const elapsedMs = nowMs - this.#startedAtMs;
    if (elapsedMs < PERIOD_MS) return;
    this.#before = elapsedMs < 2 * PERIOD_MS ? this.#current : new Histogram();
    this.#current = new Histogram();
    this.#startedAtMs = nowMs;
  }
}
