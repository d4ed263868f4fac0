import type { Balancer } from "../contract.ts";
import { xxh64 } from "../hash/xxh64.ts";
import type { Random } from "../random.ts";
import { catchLater } from "../telemetry/callbacks.ts";
import { Portion, WHOLE } from "./portion.ts";
import type { RoutableRequest } from "./routable.ts";
import { Turns } from "./turns.ts";

/** A balancer, and how many ten-thousandths of the requests it gets. */
export interface Share {
  readonly to: Balancer;
  readonly parts: number;
}

/** What requests with the same answer have in common: they go to the same share. `undefined`: nothing. */
export type SplitBy = (request: RoutableRequest) => string | undefined;

/** Not that of the strategies: else the keys of one share would be neighbours on the ring of its balancer. */
const SEED = 10_000;

const words = new Uint32Array(2);

/** Divides the requests of a route by exact shares: those with a key by its hash, the others by count. */
export class Split {
  readonly shares: readonly Share[];
  /** Requests that each share has had. */
  readonly counts: number[];
  readonly #by: SplitBy | undefined;
  readonly #next: () => number;
  readonly #failed: (where: string, error: unknown) => void;

  constructor(
    shares: readonly Share[],
    by: SplitBy | undefined,
    random: Random,
    failed: (where: string, error: unknown) => void,
  ) {
    this.shares = shares;
    this.counts = shares.map(() => 0);
    this.#by = by;
    this.#next = dealer(shares, random);
    this.#failed = failed;
  }

  choose(request: RoutableRequest): Balancer {
    const index = this.#byKey(request, this.#failed) ?? this.#next();
    this.counts[index] = (this.counts[index] as number) + 1;
    return (this.shares[index] as Share).to;
  }

  /** Who gets the request, without a trace of the question; `undefined`: that is not known before it is there. */
  peek(request: RoutableRequest): Balancer | undefined {
    const only = this.shares.find(({ parts }) => parts === WHOLE);
    if (only !== undefined) return only.to;
    const index = this.#byKey(request, () => {});
    return index === undefined ? undefined : this.shares[index]?.to;
  }

  #byKey(request: RoutableRequest, failed: (where: string, error: unknown) => void): number | undefined {
    if (this.#by === undefined) return undefined;
    try {
      const key: unknown = this.#by(request);
      if (typeof key === "string") return this.#placeOf(key);
      if (key === undefined) return undefined;
      catchLater(key, () => {});
      throw new TypeError(`splitBy must return a text or undefined, not ${typeof key}`);
    } catch (error) {
      failed("splitBy", error);
      return undefined;
    }
  }

  /** Shares lie side by side in the order of the list: one that grows takes keys from its neighbours alone. */
  #placeOf(key: string): number {
    xxh64.digest(key, SEED, words);
    let left = Math.floor(((words[1] as number) / 2 ** 32) * WHOLE);
    return this.shares.findIndex(({ parts }) => {
      left -= parts;
      return left < 0;
    });
  }
}

/** Whose turn it is, by the place in the list. */
function dealer(shares: readonly Share[], random: Random): () => number {
  const places = shares.flatMap(({ parts }, place) => (parts > 0 ? [place] : []));
  const parts = places.map((place) => shares[place]?.parts ?? 0);
  const [first = 0, second = 0] = places;
  if (places.length < 2) return () => first;
  if (places.length === 2) {
    const portion = new Portion(parts[0] ?? 0, random);
    return () => (portion.next() ? first : second);
  }
  const turns = new Turns(parts);
  return () => places[turns.next()] ?? first;
}
