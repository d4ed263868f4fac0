import type { Backend } from "../../backend.ts";
import type { KeyHash } from "../../hash/key-hash.ts";
import type { View } from "../strategy.ts";
import { type Placement, tableGauges } from "./hash-picker.ts";
import { placeKeys, sharesOf } from "./place-keys.ts";

/** The points of a backend that were hashed for an earlier ring, low word, high word; of the key that it had then. */
interface KnownPoints {
  readonly key: string;
  readonly words: number[];
}

/** Hashing is most of the work of building a ring: what stays the same is done once. */
export type PointCache = WeakMap<Backend, KnownPoints>;

/** Points on a circle of 2⁶⁴ places, each with its owner; a hash belongs to the next point. */
export class Ring implements Placement {
  readonly gauges: Readonly<Record<string, number>>;
  /** The points in order: high words, low words, indexes in the view. */
  readonly #highs: Uint32Array;
  readonly #lows: Uint32Array;
  readonly #owners: Uint32Array;
  /** The position of the first point of every bucket. The top bits of a hash are the number of its bucket. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  constructor(view: View, hash: KeyHash, minSize: number, maxSize: number, cache: PointCache = new WeakMap()) {
    const entries = countEntries(sharesOf(view.weights), minSize, maxSize);
    const size = entries.reduce((sum, count) => sum + count, 0);
    // About one point to a bucket.
    const bits = Math.max(1, Math.ceil(Math.log2(size)));
    this.gauges = tableGauges(size, entries);
    this.#highs = new Uint32Array(size);
    this.#lows = new Uint32Array(size);
    this.#owners = new Uint32Array(size);
    this.#shift = 32 - bits;
    const points = hashPoints(view.backends, entries, hash, size, cache);
    this.#starts = this.#countBuckets(points, 2 ** bits);
    this.#sort(points, entries);
  }

  ownerOf(hash: Uint32Array): number {
    const low = hash[0] as number;
    const high = hash[1] as number;
    let at = this.#starts[high >>> this.#shift] as number;
    while (at < this.#owners.length && this.#isBefore(at, low, high)) at++;
    // After the last point comes the first.
    return this.#owners[at === this.#owners.length ? 0 : at] as number;
  }

  #isBefore(at: number, low: number, high: number): boolean {
    const own = this.#highs[at] as number;
    return own < high || (own === high && (this.#lows[at] as number) < low);
  }

  #isAfter(at: number, low: number, high: number): boolean {
    const own = this.#highs[at] as number;
    return own > high || (own === high && (this.#lows[at] as number) > low);
  }

  #countBuckets(points: Uint32Array, buckets: number): Uint32Array {
    const starts = new Uint32Array(buckets + 1);
    for (let at = 1; at < points.length; at += 2) {
      const next = ((points[at] as number) >>> this.#shift) + 1;
      starts[next] = (starts[next] as number) + 1;
    }
    for (let bucket = 1; bucket <= buckets; bucket++) {
      starts[bucket] = (starts[bucket] as number) + (starts[bucket - 1] as number);
    }
    return starts;
  }

  /** Every point goes to its bucket, and there before those that are greater: as hashes are spread evenly, few. */
  #sort(points: Uint32Array, entries: Uint32Array): void {
    const ends = this.#starts.slice();
    let point = 0;
    for (let owner = 0; owner < entries.length; owner++) {
      for (let entry = 0; entry < (entries[owner] as number); entry++, point += 2) {
        const bucket = (points[point + 1] as number) >>> this.#shift;
        const end = ends[bucket] as number;
        ends[bucket] = end + 1;
        this.#insert(this.#starts[bucket] as number, end, points[point] as number, points[point + 1] as number, owner);
      }
    }
  }

  /** Among the points from `start` to `end`, the end not included. */
  #insert(start: number, end: number, low: number, high: number, owner: number): void {
    let at = end;
    for (; at > start && this.#isAfter(at - 1, low, high); at--) {
      this.#lows[at] = this.#lows[at - 1] as number;
      this.#highs[at] = this.#highs[at - 1] as number;
      this.#owners[at] = this.#owners[at - 1] as number;
    }
    this.#lows[at] = low;
    this.#highs[at] = high;
    this.#owners[at] = owner;
  }
}

/**
 * How many points each backend gets: so many that the lightest gets a whole number of them and all together at least
 * `minSize`. Envoy's sums, to the letter: they decide who gets one more where shares are not whole.
 */
function countEntries(shares: readonly number[], minSize: number, maxSize: number): Uint32Array {
  const least = shares.reduce((lowest, share) => Math.min(lowest, share), 1);
  const scale = Math.min(Math.ceil(least * minSize) / least, Math.max(maxSize, shares.length));
  let current = 0;
  let target = 0;
  return Uint32Array.from(shares, (share) => {
    target += scale * share;
    const before = current;
    current = Math.max(current, Math.ceil(target));
    return current - before;
  });
}

/** The places of all points, low word, high word, backend by backend. */
function hashPoints(
  backends: readonly Backend[],
  entries: Uint32Array,
  hash: KeyHash,
  size: number,
  cache: PointCache,
): Uint32Array {
  const points = new Uint32Array(2 * size);
  let point = 0;
  for (const [owner, key] of placeKeys(backends).entries()) {
    const backend = backends[owner] as Backend;
    const words = 2 * (entries[owner] as number);
    const cached = cache.get(backend);
    const known = pointsOf(cached, key, words, hash);
    if (known !== cached) cache.set(backend, known);
    for (let at = 0; at < words; at++) points[point++] = known.words[at] as number;
  }
  return points;
}

/** Those that are known, and as many more as are missing. */
function pointsOf(known: KnownPoints | undefined, key: string, count: number, hash: KeyHash): KnownPoints {
  const points = known?.key === key ? known : { key, words: [] };
  while (points.words.length < count) {
    hash.digest(`${key}_${points.words.length / 2}`, 0, scratch);
    points.words.push(scratch[0] as number, scratch[1] as number);
  }
  return points;
}

const scratch = new Uint32Array(2);
