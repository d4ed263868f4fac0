import type { Clock, Random, Timer } from "@fairlead/core";
import type { CircuitStats, CircuitStatus } from "./contract.ts";
import { type Bucket, STILL, Status } from "./opossum.ts";

/** Latencies that are kept per bucket: the error of a percentile of ten buckets is that of 1,000 samples. */
const SAMPLES = 100;

export interface StatusOptions {
  readonly rollingCountTimeout: number;
  readonly rollingCountBuckets: number;
  readonly percentiles: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Counts to begin with. */
  readonly stats?: Partial<CircuitStats> | undefined;
}

/**
 * opossum's status without its timers: the window moves when it is counted in or read. Latencies are a sample of fixed size
 * (Vitter's algorithm R), and snapshots are made while somebody listens.
 */
export class LeanStatus extends Status implements CircuitStatus {
  readonly #options: StatusOptions;
  readonly #bucketMs: number;
  #endsAtMs: number;
  #bucket: Bucket;
  /** Latencies seen in the present bucket. */
  #seen = 0;
  #snapshots: Timer | undefined;

  constructor(options: StatusOptions) {
    const { rollingCountTimeout, rollingCountBuckets, percentiles, stats } = options;
    super({
      rollingCountTimeout,
      rollingCountBuckets,
      rollingPercentilesEnabled: percentiles,
      enableSnapshots: false,
      rotateBucketController: STILL,
      ...(stats === undefined
        ? {}
        : { stats: { ...stats, latencyTimes: [...(stats.latencyTimes ?? [])].slice(0, SAMPLES) } }),
    });
    this.#options = options;
    this.#bucketMs = rollingCountTimeout / rollingCountBuckets;
    this.#endsAtMs = options.clock.now() + this.#bucketMs;
    this.#bucket = super.window[0] as Bucket;
    super.on("newListener", (event: string) => {
      if (event === "snapshot" && this.#snapshots === undefined) this.#scheduleSnapshot();
    });
  }

  override get stats(): CircuitStats {
    this.#move();
    return super.stats as CircuitStats;
  }

  override get window(): readonly Bucket[] {
    this.#move();
    return super.window;
  }

  override increment(property: string, latencyMs?: number): void {
    this.#move();
    this.#bucket[property] = Number(this.#bucket[property]) + 1;
    if (latencyMs !== undefined && this.#options.percentiles) this.#sample(latencyMs);
  }

  override open(): void {
    this.#move();
    super.open();
  }

  override close(): void {
    this.#move();
    super.close();
  }

  override shutdown(): void {
    this.#snapshots?.cancel();
    super.shutdown();
  }

  #sample(latencyMs: number): void {
    const { latencyTimes } = this.#bucket;
    this.#seen++;
    if (latencyTimes.length < SAMPLES) latencyTimes.push(latencyMs);
    else {
      const place = Math.floor(this.#options.random.next() * this.#seen);
      if (place < SAMPLES) latencyTimes[place] = latencyMs;
    }
  }

  #move(): void {
    const nowMs = this.#options.clock.now();
    if (nowMs < this.#endsAtMs) return;
    const steps = Math.floor((nowMs - this.#endsAtMs) / this.#bucketMs) + 1;
    for (let step = 0; step < Math.min(steps, this.#options.rollingCountBuckets); step++) this.rotateBucket();
    this.#endsAtMs += steps * this.#bucketMs;
    this.#bucket = super.window[0] as Bucket;
    this.#seen = 0;
  }

  #scheduleSnapshot(): void {
    const snapshot = (): void => {
      this.#snapshots = undefined;
      if (this.listenerCount("snapshot") === 0) return;
      this.#scheduleSnapshot();
      this.emit("snapshot", this.stats);
    };
    this.#snapshots = this.#options.clock.schedule(this.#bucketMs, snapshot, { background: true });
  }
}
