import type { Backend } from "../../backend.ts";
import type { KeyHash } from "../../hash/key-hash.ts";
import type { View } from "../strategy.ts";
import { type Placement, tableGauges } from "./hash-picker.ts";
import { placeKeys, sharesOf } from "./place-keys.ts";
import { nextPrime } from "./primes.ts";

/** A slot that nobody has taken yet. */
const FREE = 0xffffffff;

/** The order in which a backend with that key wants the slots of a table of that size: from where on, in what steps. */
interface SlotOrder {
  readonly key: string;
  readonly size: number;
  readonly start: number;
  readonly step: number;
}

/** Hashing is a third of the work of filling a table: what stays the same is done once. */
export type OrderCache = WeakMap<Backend, SlotOrder>;

/** A table of a prime number of slots, which backends fill by turns, each in an order of its own. */
export class MaglevTable implements Placement {
  readonly gauges: Readonly<Record<string, number>>;
  /** Index in the view, per slot. */
  readonly #slots: Uint32Array;
  /** 2³² modulo the number of slots. */
  readonly #carry: number;

  constructor(view: View, hash: KeyHash, tableSize: number, cache: OrderCache = new WeakMap()) {
    let size = tableSize;
    while (size < view.backends.length) size = nextPrime(2 * size);
    const keys = placeKeys(view.backends);
    const orders = keys.map((key, index) => orderOf(view.backends[index] as Backend, key, size, hash, cache));
    const filling = new Filling(size, sortedByKey(keys));
    filling.begin(orders, sharesOf(view.weights));
    filling.run();
    this.#slots = filling.slots;
    this.#carry = 2 ** 32 % size;
    this.gauges = tableGauges(size, filling.entries);
  }

  ownerOf(hash: Uint32Array): number {
    return this.#slots[remainder(hash, this.#slots.length, this.#carry)] as number;
  }
}

/** The work of filling a table. Its columns have a row per backend, in the order of turns. */
class Filling {
  readonly slots: Uint32Array;
  readonly entries: Uint32Array;
  readonly #owners: Uint32Array;
  readonly #shares: Float64Array;
  /** Where each is in its order, and how far it goes each time: as the size is prime, it comes through all slots. */
  readonly #positions: Uint32Array;
  readonly #steps: Uint32Array;

  constructor(size: number, owners: Uint32Array) {
    this.slots = new Uint32Array(size).fill(FREE);
    this.entries = new Uint32Array(owners.length);
    this.#owners = owners;
    this.#shares = new Float64Array(owners.length);
    this.#positions = new Uint32Array(owners.length);
    this.#steps = new Uint32Array(owners.length);
  }

  /** Both are in the order of the view. */
  begin(orders: readonly SlotOrder[], shares: readonly number[]): void {
    for (let row = 0; row < this.#owners.length; row++) {
      const owner = this.#owners[row] as number;
      const { start, step } = orders[owner] as SlotOrder;
      this.#positions[row] = start;
      this.#steps[row] = step;
      this.#shares[row] = shares[owner] as number;
    }
  }

  /** The heaviest has a turn every round, one of half its weight every other, and so on: Envoy's sums, to the letter. */
  run(): void {
    const shares = this.#shares;
    const size = this.slots.length;
    const heaviest = shares.reduce((most, share) => Math.max(most, share), 0);
    const targets = new Float64Array(shares.length);
    for (let taken = 0, round = 1; taken < size; round++) {
      for (let row = 0; row < shares.length && taken < size; row++) {
        const target = targets[row] as number;
        if (round * (shares[row] as number) < target) continue;
        targets[row] = target + heaviest;
        this.#takeSlot(row);
        taken++;
      }
    }
  }

  /** The first free slot in the order of the backend. */
  #takeSlot(row: number): void {
    const { slots } = this;
    const size = slots.length;
    const step = this.#steps[row] as number;
    let position = this.#positions[row] as number;
    while (slots[position] !== FREE) {
      position += step;
      if (position >= size) position -= size;
    }
    slots[position] = this.#owners[row] as number;
    this.#positions[row] = position;
    this.entries[row] = (this.entries[row] as number) + 1;
  }
}

function orderOf(backend: Backend, key: string, size: number, hash: KeyHash, cache: OrderCache): SlotOrder {
  const known = cache.get(backend);
  if (known?.key === key && known.size === size) return known;
  hash.digest(key, 0, scratch);
  const start = remainder(scratch, size, 2 ** 32 % size);
  hash.digest(key, 1, scratch);
  const order = { key, size, start, step: remainder(scratch, size - 1, 2 ** 32 % (size - 1)) + 1 };
  cache.set(backend, order);
  return order;
}

const scratch = new Uint32Array(2);

/** By UTF-16 units; Envoy sorts by bytes, which differs for characters beyond U+FFFF only. */
function sortedByKey(keys: readonly string[]): Uint32Array {
  const order = new Uint32Array(keys.length);
  for (let index = 0; index < order.length; index++) order[index] = index;
  return order.sort((a, b) => ((keys[a] as string) < (keys[b] as string) ? -1 : 1));
}

/** A 64-bit number modulo `size`, below 2²⁴. `carry`: 2³² modulo `size`. */
function remainder(words: Uint32Array, size: number, carry: number): number {
  const high = words[1] as number;
  return modulo(modulo(high, size) * carry + (words[0] as number), size);
}

/** For numbers below 2⁵², whose quotients are never rounded up to the next whole number; `%` takes three times as long. */
function modulo(number: number, size: number): number {
  return number - Math.floor(number / size) * size;
}
