import { expected, OptionCheck } from "../../options.ts";
import type { Strategy } from "../strategy.ts";
import { HashPicker } from "./hash-picker.ts";
import { HASHING_KEYS, type HashingOptions, resolveHashing } from "./hashing-options.ts";
import { type PointCache, Ring } from "./ring.ts";

/** As in Envoy. */
const LARGEST_SIZE = 8_388_608;

export interface RingHashOptions extends HashingOptions {
  /**
   * Entries of the ring at least; whole, 1 to 8,388,608. Default 1,024, or `maxSize` if that is less. The more there are
   * per backend, the closer keys are shared by weight.
   */
  readonly minSize?: number | undefined;
  /**
   * Entries at most; whole, `minSize` to 8,388,608, the default. Taken as the number of backends where it is less, so
   * that those of equal weight all have an entry. Where weights differ so much that they need a larger ring, the
   * lightest may have none (the gauge `fewestEntries` is 0 then), and so no keys.
   */
  readonly maxSize?: number | undefined;
}

/**
 * Consistent hashing on a ring: a call with a key goes to the backend with the next entry on the ring. A backend that
 * leaves hands its keys to all others and takes them back when it returns. As the others get more entries each, to keep
 * the ring at its size, some keys move between them too: 6 to 8 % when one of ten leaves, less the more there are. Calls
 * without a key go anywhere. Keys and places are Envoy's, bit for bit, given the same backends in the same order.
 *
 * A ring of a million entries takes about 0.4 s to build: for very even shares take `maglev`.
 *
 * Source: Envoy `ring_hash_lb.cc`.
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function ringHash(options: RingHashOptions = {}): Strategy {
  const check = new OptionCheck();
  check.record("", options, ["minSize", "maxSize", ...HASHING_KEYS]);
  const size = expected.integer({ min: 1, max: LARGEST_SIZE });
  const maxSize = check.optional("maxSize", options.maxSize, size) ?? LARGEST_SIZE;
  const minSize = check.optional("minSize", options.minSize, size) ?? Math.min(1_024, maxSize);
  if (minSize > maxSize) check.problem("minSize", minSize, `at most maxSize, which is ${maxSize}`);
  const hashing = resolveHashing(check, options);
  check.throwIfAny("ringHash");
  const cache: PointCache = new WeakMap();
  return {
    name: "ringHash",
    hash: hashing.hash,
    build: (view) => new HashPicker(view, new Ring(view, hashing.hash, minSize, maxSize, cache), hashing),
  };
}
