import type { Backend } from "../../backend.ts";
import type { Picker, PickRequest, View } from "../strategy.ts";
import type { ResolvedHashingOptions } from "./hashing-options.ts";
import { Overflow } from "./overflow.ts";

/** Says to which backend of a view a hash belongs. */
export interface Placement {
  /** Index in the view. `hash`: low word, high word. Allocates nothing. */
  ownerOf(hash: Uint32Array): number;
  /** See `Picker.table`. */
  readonly gauges?: Readonly<Record<string, number>> | undefined;
}

/** Finds the owner of the key of a call, or who takes the call instead. Without a key, any place will do. */
export class HashPicker implements Picker {
  readonly #view: View;
  readonly #placement: Placement;
  readonly #options: ResolvedHashingOptions;
  readonly #overflow: Overflow;
  /** Scratch: the hash of the current pick. */
  readonly #hash = new Uint32Array(2);

  constructor(view: View, placement: Placement, options: ResolvedHashingOptions) {
    this.#view = view;
    this.#placement = placement;
    this.#options = options;
    this.#overflow = new Overflow(view, options.boundedLoad);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    if (request.hashKey === undefined) this.#draw();
    else this.#options.hash.digest(request.hashKey, 0, this.#hash);
    return this.#find(request, nowMs);
  }

  /** Where a call without a key goes, chance decides. */
  peek(request: PickRequest, nowMs: number): Backend | undefined {
    return request.hashKey === undefined ? undefined : this.pick(request, nowMs);
  }

  table(): Readonly<Record<string, number>> {
    return this.#placement.gauges ?? {};
  }

  #find(request: PickRequest, nowMs: number): Backend | undefined {
    const owner = this.#placement.ownerOf(this.#hash);
    const index = this.#overflow.takes(owner, request, nowMs)
      ? owner
      : this.#overflow.substitute(this.#hash, request, nowMs);
    return this.#view.backends[index];
  }

  #draw(): void {
    this.#hash[0] = this.#view.random.next() * 2 ** 32;
    this.#hash[1] = this.#view.random.next() * 2 ** 32;
  }
}

/** Gauges of a table: its size, and how many entries those have that have the fewest and the most. */
export function tableGauges(size: number, entries: Uint32Array): Readonly<Record<string, number>> {
  return {
    size,
    fewestEntries: entries.reduce((fewest, count) => Math.min(fewest, count), size),
    mostEntries: entries.reduce((most, count) => Math.max(most, count), 0),
  };
}
