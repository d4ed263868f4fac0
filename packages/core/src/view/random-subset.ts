import type { Backend } from "../backend.ts";
import { xxh64 } from "../hash/xxh64.ts";
import { expected, OptionCheck } from "../options.ts";
import type { Random } from "../random.ts";

export interface RandomSubsetOptions {
  /** Backends per priority that this process calls; whole, ≥ 1. */
  readonly size: number;
  /**
   * Whole, 0…4,294,967,295. The same seed gives the same subset. Default: drawn by the balancer, so that every process
   * has a subset of its own.
   */
  readonly seed?: number | undefined;
}

/** Chooses the part of a large fleet that one process deals with. */
export interface Subsetting {
  readonly name: string;
  /** Of the backends of one priority, those to use. The same for the same set, whatever its order. */
  choose<B extends Backend>(backends: readonly B[], random: Random): readonly B[];
}

/**
 * Each process calls only `size` of the backends: with a hundred clients of three hundred backends, a tenth of the
 * connections, and enough calls per backend to tell a slow one from a fast one. Backends are ranked by a hash of seed and
 * id, so that one that joins or leaves changes at most one place of any subset.
 *
 * Source: gRFC A68 (random subsetting by rendezvous hash).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function randomSubset(options: RandomSubsetOptions): Subsetting {
  const check = new OptionCheck();
  const input = check.record("", options, ["size", "seed"]) ?? {};
  const size = check.required("size", input["size"], expected.integer({ min: 1 })) ?? 1;
  let seed = check.optional("seed", input["seed"], expected.integer({ min: 0, max: 2 ** 32 - 1 }));
  check.throwIfAny("randomSubset");
  const words = new Uint32Array(2);
  const ranks = new WeakMap<Backend, number>();
  return {
    name: "randomSubset",
    choose: (backends, random) => {
      if (backends.length <= size) return backends;
      seed ??= Math.floor(random.next() * 2 ** 32);
      const rank = (backend: Backend): number => {
        const known = ranks.get(backend);
        if (known !== undefined) return known;
        xxh64.digest(backend.id, seed ?? 0, words);
        const made = (words[1] ?? 0) * 2 ** 21 + ((words[0] ?? 0) >>> 11);
        ranks.set(backend, made);
        return made;
      };
      const limit = Float64Array.from(backends, rank).sort()[size - 1] ?? Number.POSITIVE_INFINITY;
      return backends.filter((backend) => rank(backend) <= limit);
    },
  };
}
