/** When the bucket of a key will be full again, on the clock of whoever asks. */
interface Bucket {
  fullAtMs: number;
}

/** Rounding must not refuse a call that comes exactly in time. Milliseconds. */
const ROUNDING_MS = 1e-6;

/**
 * A token bucket per key. In any span of t seconds, a key gets at most burst + perSecond · t tokens.
 *
 * A bucket is one number, the time at which it will be full: taking a token moves it by the time that one takes to grow
 * back ("generic cell rate algorithm", ITU-T I.371; as in redis-cell and throttled). Of more than `maxKeys` keys, those
 * that were used least recently are forgotten, and begin anew with a full bucket.
 */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #tokenMs: number;
  /** How far ahead `fullAtMs` may be while a token is left. */
  readonly #slackMs: number;
  readonly #maxKeys: number;

  constructor(perSecond: number, burst: number, maxKeys: number) {
    this.#tokenMs = 1_000 / perSecond;
    this.#slackMs = (burst - 1) * this.#tokenMs;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Milliseconds in which one token grows. */
  get tokenMs(): number {
    return this.#tokenMs;
  }

  /** Takes a token and returns 0, or takes none and returns the milliseconds until there is one. */
  take(key: string, nowMs: number): number {
    const bucket = this.#use(key, nowMs);
    const waitMs = bucket.fullAtMs - nowMs - this.#slackMs;
    if (waitMs > ROUNDING_MS) return waitMs;
    bucket.fullAtMs = Math.max(bucket.fullAtMs, nowMs) + this.#tokenMs;
    return 0;
  }

  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.fullAtMs -= this.#tokenMs;
  }

  #use(key: string, nowMs: number): Bucket {
    const known = this.#buckets.get(key);
    if (known === undefined) return this.#add(key, nowMs);
    // The order of the map is that of use.
    if (this.#buckets.size > 1) {
      this.#buckets.delete(key);
      this.#buckets.set(key, known);
    }
    return known;
  }

  #add(key: string, nowMs: number): Bucket {
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size < this.#maxKeys) break;
      this.#buckets.delete(oldest);
    }
    const bucket = { fullAtMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }
}
