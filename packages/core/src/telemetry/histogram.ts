/**
 * Counts of latencies in buckets that grow by an eighth of a power of two (at most 12.5 % wide), from 0.01 ms to over
 * an hour. Recording is a few integer operations and allocates nothing.
 */
export class Histogram {
  #counts: Uint32Array | undefined;
  #total = 0;

  /** Milliseconds. */
  record(ms: number): void {
    this.#counts ??= new Uint32Array(BUCKETS);
    const index = bucketOf(ms);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total++;
  }

  get total(): number {
    return this.#total;
  }

  /** A new one with the records of both. */
  plus(other: Histogram): Histogram {
    const sum = new Histogram();
    sum.#total = this.#total + other.#total;
    sum.#counts = new Uint32Array(BUCKETS).map(
      (_, index) => (this.#counts?.[index] ?? 0) + (other.#counts?.[index] ?? 0),
    );
    return sum;
  }

  /** The upper edge, in milliseconds, of the bucket that holds the `share` quantile (0…1); 0 without records. */
  quantile(share: number): number {
    if (this.#counts === undefined || this.#total === 0) return 0;
    let left = Math.max(1, Math.ceil(share * this.#total));
    for (let index = 0; index < BUCKETS; index++) {
      left -= this.#counts[index] ?? 0;
      if (left <= 0) return upperEdge(index);
    }
    return upperEdge(BUCKETS - 1);
  }
}

/** Buckets per doubling: 2^3. */
const SUB_BITS = 3;
const SUB = 1 << SUB_BITS;
/** The unit is 1/128 ms; 2^29 units are 70 minutes. */
const UNITS_PER_MS = 128;
const LARGEST = 2 ** 29 - 1;
const BUCKETS = (29 - SUB_BITS + 1) * SUB;

function bucketOf(ms: number): number {
  const units = Math.min(Math.max(0, ms * UNITS_PER_MS), LARGEST) | 0;
  if (units < SUB) return units;
  const shift = 31 - Math.clz32(units) - SUB_BITS;
  return (shift + 1) * SUB + ((units >>> shift) & (SUB - 1));
}

function upperEdge(index: number): number {
  if (index < SUB) return (index + 1) / UNITS_PER_MS;
  const shift = (index >>> SUB_BITS) - 1;
  return ((SUB + (index & (SUB - 1)) + 1) * 2 ** shift) / UNITS_PER_MS;
}
