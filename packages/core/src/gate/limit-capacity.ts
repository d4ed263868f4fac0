import type { RequestKind } from "../backend.ts";
import type { AdaptiveLimit, ConcurrencyLimit } from "./limit-adaptive.ts";

/** More than can ever be under way; whole, which keeps it out of the heap. */
const UNLIMITED = 2 ** 30 - 1;

/** How many requests and connections may be under way at once, on one backend or on a whole upstream. */
export class Capacity {
  readonly #failed: (where: string, error: unknown) => void;
  #requests = UNLIMITED;
  #connections = UNLIMITED;
  #provider: AdaptiveLimit | undefined = undefined;
  #adaptive: ConcurrencyLimit | undefined = undefined;
  #adapted = UNLIMITED;

  constructor(failed: (where: string, error: unknown) => void) {
    this.#failed = failed;
  }

  /** What an adaptive limit has learnt stays while its provider does. */
  configure(requests: number | undefined, connections: number | undefined, provider: AdaptiveLimit | undefined): void {
    this.#requests = requests ?? UNLIMITED;
    this.#connections = connections ?? UNLIMITED;
    if (provider === this.#provider) return;
    this.#provider = provider;
    this.#adaptive = undefined;
    this.#adapted = UNLIMITED;
    if (provider === undefined) return;
    try {
      this.#adaptive = provider.createLimit();
      this.#adapted = wholeLimit(this.#adaptive.limit);
    } catch (error) {
      this.#adaptive = undefined;
      this.#failed(`adaptive limit ${provider.name}`, error);
    }
  }

  isFull(kind: RequestKind, inFlight: number): boolean {
    return kind === "request" ? inFlight >= this.#requests || inFlight >= this.#adapted : inFlight >= this.#connections;
  }

  /** The limit in force; `undefined`: none. */
  limitOf(kind: RequestKind): number | undefined {
    const limit = kind === "request" ? Math.min(this.#requests, this.#adapted) : this.#connections;
    return limit === UNLIMITED ? undefined : limit;
  }

  /** A limit of a user's that throws, or comes to no number, stays as it was. */
  learn(latencyMs: number, inFlight: number, dropped: boolean): void {
    if (this.#adaptive === undefined) return;
    try {
      this.#adaptive.sample(latencyMs, inFlight, dropped);
      this.#adapted = wholeLimit(this.#adaptive.limit);
    } catch (error) {
      this.#failed(`adaptive limit ${this.#provider?.name}`, error);
    }
  }
}

function wholeLimit(limit: number): number {
  if (!(limit >= 1)) throw new RangeError(`a limit must be a number of at least 1, not ${String(limit)}`);
  return Math.min(Math.floor(limit), UNLIMITED);
}
