import type { Window } from "./window.ts";

/** Per bucket: finished, failed, slow. */
const FIELDS = 3;

/**
 * A window of time that moves on in buckets: it holds the present one and those before it. Moved by the calls themselves,
 * without a timer.
 *
 * Source: Hystrix `HystrixRollingNumber`, which opossum's `Status` follows.
 */
export class TimeWindow implements Window {
  finished = 0;
  failed = 0;
  slow = 0;
  readonly #bucketMs: number;
  readonly #counts: Int32Array;
  /** Where the present bucket begins in `#counts`. */
  #present = 0;
  #endsAtMs: number;

  constructor(windowMs: number, buckets: number, nowMs: number) {
    this.#bucketMs = windowMs / buckets;
    this.#counts = new Int32Array(buckets * FIELDS);
    this.#endsAtMs = nowMs + this.#bucketMs;
  }

  record(failed: boolean, slow: boolean, nowMs: number): void {
    if (nowMs >= this.#endsAtMs) this.moveTo(nowMs);
    this.#add(0);
    this.finished++;
    if (failed) {
      this.#add(1);
      this.failed++;
    }
    if (slow) {
      this.#add(2);
      this.slow++;
    }
  }

  #add(field: number): void {
    const index = this.#present + field;
    this.#counts[index] = this.#at(index) + 1;
  }

  #at(index: number): number {
    return this.#counts[index] ?? 0;
  }

  moveTo(nowMs: number): void {
    if (nowMs < this.#endsAtMs) return;
    const steps = Math.floor((nowMs - this.#endsAtMs) / this.#bucketMs) + 1;
    if (steps * FIELDS >= this.#counts.length) {
      this.clear(nowMs);
      return;
    }
    for (let step = 0; step < steps; step++) this.#step();
    this.#endsAtMs += steps * this.#bucketMs;
  }

  /** The oldest bucket is emptied and becomes the present one. */
  #step(): void {
    this.#present = (this.#present + FIELDS) % this.#counts.length;
    this.finished -= this.#at(this.#present);
    this.failed -= this.#at(this.#present + 1);
    this.slow -= this.#at(this.#present + 2);
    this.#counts.fill(0, this.#present, this.#present + FIELDS);
  }

  clear(nowMs: number): void {
    this.finished = 0;
    this.failed = 0;
    this.slow = 0;
    this.#counts.fill(0);
    this.#endsAtMs = nowMs + this.#bucketMs;
  }
}
