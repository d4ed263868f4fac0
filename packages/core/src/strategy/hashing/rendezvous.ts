import type { KeyHash } from "../../hash/key-hash.ts";
import { finish } from "../../hash/murmur3.ts";
import { OptionCheck } from "../../options.ts";
import type { Strategy, View } from "../strategy.ts";
import { HashPicker, type Placement } from "./hash-picker.ts";
import { HASHING_KEYS, type HashingOptions, resolveHashing } from "./hashing-options.ts";
import { placeKeys } from "./place-keys.ts";

export type RendezvousOptions = HashingOptions;

/**
 * Highest random weight: every backend draws a number from its hash and the key's, the highest for its weight gets the
 * call. Shares follow the weights exactly, and only keys of a backend that leaves, returns or changes its weight move.
 * There is no table to build, but every call looks at all backends: some nanoseconds each, tens with unequal weights.
 * Right for up to a hundred; beyond, take `maglev`. Calls without a key go anywhere. The order of backends does not
 * matter.
 *
 * Sources: Thaler, Ravishankar, "Using name-based mappings to increase hit rates" (1998); Schindelhauer, Schomaker,
 * "Weighted Distributed Hash Tables" (2005), for −w / ln u.
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function rendezvous(options: RendezvousOptions = {}): Strategy {
  const check = new OptionCheck();
  check.record("", options, HASHING_KEYS);
  const hashing = resolveHashing(check, options);
  check.throwIfAny("rendezvous");
  return {
    name: "rendezvous",
    hash: hashing.hash,
    build: (view) => new HashPicker(view, new Draws(view, hashing.hash), hashing),
  };
}

class Draws implements Placement {
  readonly #weights: Float64Array;
  readonly #even: boolean;
  /** The hash of every backend, low word, high word. */
  readonly #hashes: Uint32Array;

  constructor({ backends, weights }: View, hash: KeyHash) {
    this.#weights = Float64Array.from(weights);
    this.#even = weights.every((weight) => weight === weights[0]);
    this.#hashes = new Uint32Array(2 * backends.length);
    for (const [index, key] of placeKeys(backends).entries()) {
      hash.digest(key, 0, this.#hashes.subarray(2 * index));
    }
  }

  ownerOf(hash: Uint32Array): number {
    return this.#even ? this.#highest(hash) : this.#highestForWeight(hash);
  }

  #highest(hash: Uint32Array): number {
    let owner = 0;
    let most = -1;
    let mostLow = 0;
    for (let index = 0; index < this.#weights.length; index++) {
      const low = finish((hash[0] as number) ^ (this.#hashes[2 * index] as number));
      const high = finish(low ^ (hash[1] as number) ^ (this.#hashes[2 * index + 1] as number)) >>> 0;
      if (high > most || (high === most && low >>> 0 > mostLow)) {
        owner = index;
        most = high;
        mostLow = low >>> 0;
      }
    }
    return owner;
  }

  /** The highest −w / ln u is the lowest −ln u / w, where u = 1 needs no exception; u is never 0. */
  #highestForWeight(hash: Uint32Array): number {
    let owner = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#weights.length; index++) {
      const low = finish((hash[0] as number) ^ (this.#hashes[2 * index] as number));
      const high = finish(low ^ (hash[1] as number) ^ (this.#hashes[2 * index + 1] as number)) >>> 0;
      const uniform = (high * 2 ** 21 + (low >>> 11) + 1) / 2 ** 53;
      const cost = -Math.log(uniform) / (this.#weights[index] as number);
      if (cost < lowest) {
        lowest = cost;
        owner = index;
      }
    }
    return owner;
  }
}
