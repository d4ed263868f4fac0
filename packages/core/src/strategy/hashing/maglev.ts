import { OptionCheck } from "../../options.ts";
import type { Strategy } from "../strategy.ts";
import { HashPicker } from "./hash-picker.ts";
import { HASHING_KEYS, type HashingOptions, resolveHashing } from "./hashing-options.ts";
import { MaglevTable, type OrderCache } from "./maglev-table.ts";
import { isPrime, nextPrime } from "./primes.ts";

/** As in Envoy. */
const LARGEST_SIZE = 5_000_011;

export interface MaglevOptions extends HashingOptions {
  /**
   * Slots of the table: a prime number from 2 to 5,000,011. Default 65,537, as in Envoy. A hundred per backend keep
   * shares within 1 % of the weights. With more backends than slots the table is taken twice as large, again and again
   * until each has a slot, where Envoy leaves some without; at such a step nearly all keys move.
   */
  readonly tableSize?: number | undefined;
}

/**
 * Consistent hashing by a table: shares follow the weights as closely as its slots allow, and finding a backend takes
 * one look. A backend that leaves hands its keys to all others and takes them back when it returns; 0.3 % of the others'
 * keys move too when one of ten leaves. Calls without a key go anywhere. Keys and places are Envoy's, bit for bit; the
 * order of backends does not matter.
 *
 * Building the table takes 2 ms for ten backends and some 10 ms for ten thousand; weights that differ a thousandfold
 * among thousands of backends make that 0.2 s.
 *
 * Sources: Eisenbud et al., "Maglev" (NSDI 2016), §3.4; Envoy `maglev_lb.cc` (weights).
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function maglev(options: MaglevOptions = {}): Strategy {
  const check = new OptionCheck();
  check.record("", options, ["tableSize", ...HASHING_KEYS]);
  const tableSize = options.tableSize ?? 65_537;
  checkSize(check, tableSize);
  const hashing = resolveHashing(check, options);
  check.throwIfAny("maglev");
  const cache: OrderCache = new WeakMap();
  return {
    name: "maglev",
    hash: hashing.hash,
    build: (view) => new HashPicker(view, new MaglevTable(view, hashing.hash, tableSize, cache), hashing),
  };
}

function checkSize(check: OptionCheck, size: number): void {
  if (!Number.isInteger(size) || size < 2 || size > LARGEST_SIZE) {
    check.problem("tableSize", size, `a prime number from 2 to ${LARGEST_SIZE}`);
  } else if (!isPrime(size)) {
    check.problem("tableSize", size, `a prime number; the next is ${nextPrime(size)}`);
  }
}
