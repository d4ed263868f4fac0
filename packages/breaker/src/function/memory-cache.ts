import type { Clock } from "@fairlead/core";
import type { CacheTransport } from "./cache-options.ts";

interface Entry {
  readonly value: unknown;
  readonly expiresAt: number;
}

/** Results in memory; when it is full, the one that came first goes. */
export class MemoryCache implements CacheTransport {
  readonly #entries = new Map<string, Entry>();
  readonly #size: number;
  readonly #clock: Clock;

  constructor(size: number, clock: Clock) {
    this.#size = size;
    this.#clock = clock;
  }

  get(key: string): unknown {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt === 0 || entry.expiresAt > this.#clock.wallNow()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: unknown, expiresAt: number): void {
    const [first] = this.#entries.keys();
    if (first !== undefined && this.#entries.size >= this.#size && !this.#entries.has(key)) this.#entries.delete(first);
    this.#entries.set(key, { value, expiresAt });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  flush(): void {
    this.#entries.clear();
  }
}
