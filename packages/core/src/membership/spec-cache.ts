import type { BackendSpec } from "../backend.ts";
import { NO_LABELS, type ResolvedSpec, sameRecord } from "./spec.ts";

type Given = Partial<Record<keyof BackendSpec, unknown>>;

/** After so many entries in a row that are not where they were, all of the last set are looked through. */
const MISSES_BEFORE_SEARCH = 8;

interface Entry {
  /** As it was given: what is given may be changed by its owner, texts can't. */
  readonly url: string;
  readonly id: string | undefined;
  readonly spec: ResolvedSpec;
  /** The set that is being resolved has it already. */
  used: boolean;
}

/**
 * Remembers what the entries of the last set were resolved to. Sources report fresh objects every time, nearly all of
 * which say the same as before, mostly in the same order; checking ten thousand URLs again would stop the process for
 * 30 ms.
 */
export class SpecCache {
  #entries: Entry[] = [];
  #specs: readonly ResolvedSpec[] = [];
  /** Where each text or id is in `entries`; made when something is not where it was. */
  #positions: Map<string, number> | undefined;
  /** Of the set that is being resolved, and how far its entries lie from where they were. */
  #next: Entry[] = [];
  #shift = 0;
  #misses = 0;
  /** So many at the beginning are known to be as they were. */
  #same = 0;

  /** The last result, if every entry of the set says the same as then. Begins a set. */
  unchanged(values: readonly unknown[]): readonly ResolvedSpec[] | undefined {
    const { length } = this.#entries;
    let same = 0;
    while (same < length && same < values.length && saysTheSame(values[same], this.#entries[same] as Entry)) same++;
    this.#same = same;
    return same === length && same === values.length && same > 0 ? this.#specs : undefined;
  }

  /** Each entry of the last set is found once at most, so that what is found is never there twice. */
  find(value: unknown, index: number): ResolvedSpec | undefined {
    const position = this.#positionOf(value, index);
    const entry = position === undefined ? undefined : this.#entries[position];
    if (position === undefined || entry === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#shift = position - index;
    this.#misses = 0;
    entry.used = true;
    this.#next.push(entry);
    return entry.spec;
  }

  /** What had to be resolved anew. */
  keep(value: unknown, spec: ResolvedSpec): void {
    const { url, id } = typeof value === "string" ? { url: value, id: undefined } : (value as BackendSpec);
    // One text for both, where they say the same.
    this.#next.push({ url: url === spec.url ? spec.url : url, id, spec, used: true });
  }

  /** The set is complete: what it did not mention is forgotten. */
  turn(specs: readonly ResolvedSpec[]): void {
    // With doubles in it, it is not the set that was taken in.
    this.#entries = this.#next.length === specs.length ? this.#next : [];
    for (const entry of this.#entries) entry.used = false;
    this.#specs = specs;
    this.#next = [];
    this.#shift = 0;
    this.#misses = 0;
    this.#positions = undefined;
  }

  /** Mostly where it was; one place on or back where one was left out or put in before it. */
  #positionOf(value: unknown, index: number): number | undefined {
    if (index < this.#same) return index;
    const expected = index + this.#shift;
    if (this.#isAt(value, expected)) return expected;
    if (this.#isAt(value, expected + 1)) return expected + 1;
    if (this.#isAt(value, expected - 1)) return expected - 1;
    if (this.#misses < MISSES_BEFORE_SEARCH) return undefined;
    this.#positions ??= new Map(this.#entries.map(({ id, url }, position) => [id ?? url, position]));
    const key = typeof value === "object" && value !== null ? ((value as Given).id ?? (value as Given).url) : value;
    const position = typeof key === "string" ? this.#positions.get(key) : undefined;
    return position !== undefined && this.#isAt(value, position) ? position : undefined;
  }

  #isAt(value: unknown, position: number): boolean {
    const entry = this.#entries[position];
    return entry !== undefined && !entry.used && saysTheSame(value, entry);
  }
}

function saysTheSame(value: unknown, { url, id, spec }: Entry): boolean {
  if (typeof value === "string") return value === url && id === undefined && saysNoMore({}, spec);
  if (typeof value !== "object" || value === null) return false;
  const given: Given = value;
  // A key that does not exist must be complained about each time.
  if (Object.keys(given).length !== countKnown(given)) return false;
  return given.url === url && given.id === id && saysNoMore(given, spec);
}

function saysNoMore(given: Given, spec: ResolvedSpec): boolean {
  return (
    (given.weight ?? 1) === spec.weight &&
    (given.priority ?? 0) === spec.priority &&
    (given.state ?? "enabled") === spec.state &&
    given.zone === spec.zone &&
    given.host === spec.host &&
    given.maxConcurrent === spec.maxConcurrent &&
    given.maxConnections === spec.maxConnections &&
    (given.labels === undefined ? spec.labels === NO_LABELS : sameRecord(given.labels, spec.labels)) &&
    (given.tls === undefined ? spec.tls === undefined : sameRecord(given.tls, spec.tls))
  );
}

/** How many of the keys that there are have a value; quicker than looking at what keys there are. */
function countKnown(given: Given): number {
  const { url, id, weight, priority, zone, labels, host, tls, maxConcurrent, maxConnections, state } = given;
  let count = 0;
  if (url !== undefined) count++;
  if (id !== undefined) count++;
  if (weight !== undefined) count++;
  if (priority !== undefined) count++;
  if (zone !== undefined) count++;
  if (labels !== undefined) count++;
  if (host !== undefined) count++;
  if (tls !== undefined) count++;
  if (maxConcurrent !== undefined) count++;
  if (maxConnections !== undefined) count++;
  if (state !== undefined) count++;
  return count;
}
