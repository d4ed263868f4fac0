import type { Report } from "@fairlead/core";
import type { KeyReader } from "./key-reader.ts";
import { MOST_KEYS } from "./options.ts";
import type { Switch } from "./switch.ts";

/** A place for one key. */
interface Slot {
  readonly place: number;
  key: string;
  switch: Switch;
  /** Called since the hand came by. */
  used: boolean;
}

/**
 * A bounded number of switches by key. When all places are taken, the hand of a clock goes round: who was called since it
 * last came by is passed over once, and closed ones without calls go before others.
 *
 * Source: the CLOCK algorithm, Corbató, "A Paging Experiment with the Multics System" (1968): nearly the least recently used
 * goes, for one bit per call.
 */
export class KeyedSwitches {
  readonly keys: KeyReader;
  readonly #byKey = new Map<string, Slot>();
  readonly #slots: Slot[] = [];
  readonly #maxKeys: number;
  readonly #make: (key: string, firstGeneration: number) => Switch;
  #hand = 0;

  constructor(keys: KeyReader, maxKeys: number, make: (key: string, firstGeneration: number) => Switch) {
    this.keys = keys;
    this.#maxKeys = maxKeys;
    this.#make = make;
  }

  get(key: string): Switch | undefined {
    return this.#byKey.get(key)?.switch;
  }

  *all(): Iterable<Switch> {
    for (const slot of this.#slots) yield slot.switch;
  }

  /** The switch of a key, made if need be. */
  obtain(key: string): Switch {
    return this.#slotOf(key).switch;
  }

  /** Enters the switch of a key; returns a ticket that says whose it is. */
  enter(key: string, nowMs: number): number {
    const slot = this.#slotOf(key);
    return slot.switch.enter(nowMs) * MOST_KEYS + slot.place;
  }

  report(ticket: number, report: Report, nowMs: number, latencyMs: number): void {
    this.#slots[ticket % MOST_KEYS]?.switch.report(Math.floor(ticket / MOST_KEYS), report, nowMs, latencyMs);
  }

  end(): void {
    for (const slot of this.#slots) slot.switch.end();
  }

  #slotOf(key: string): Slot {
    let slot = this.#byKey.get(key);
    if (slot === undefined) {
      slot = this.#slots.length < this.#maxKeys ? this.#add(key) : this.#replace(key);
      this.#byKey.set(key, slot);
    }
    slot.used = true;
    return slot;
  }

  #add(key: string): Slot {
    const slot = { place: this.#slots.length, key, switch: this.#make(key, 1), used: true };
    this.#slots.push(slot);
    return slot;
  }

  #replace(key: string): Slot {
    const slot = this.#oldest();
    this.#byKey.delete(slot.key);
    slot.switch.end();
    slot.key = key;
    // Reports on calls of the one before must not be taken for those of this one.
    slot.switch = this.#make(key, slot.switch.machine.generation + 1);
    return slot;
  }

  /** Twice round at most: then whoever is under the hand goes. */
  #oldest(): Slot {
    for (let step = 0; step < 2 * this.#slots.length; step++) {
      const slot = this.#next();
      if (!slot.used && slot.switch.state === "closed" && slot.switch.machine.inFlight === 0) return slot;
      slot.used = false;
    }
    return this.#next();
  }

  #next(): Slot {
    const slot = this.#slots[this.#hand] as Slot;
    this.#hand = (this.#hand + 1) % this.#slots.length;
    return slot;
  }
}
