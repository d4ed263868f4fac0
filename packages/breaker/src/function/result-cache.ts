import type { Clock } from "@fairlead/core";
import type { DrivenCircuit } from "../circuit/driven-circuit.ts";
import type { CacheSettings, CacheTransport, CoalesceReset } from "./cache-options.ts";
import { MemoryCache } from "./memory-cache.ts";

/** Results that are handed out again, and runs that several callers share. A transport or key that throws costs a hit. */
export class ResultCache {
  readonly #settings: CacheSettings;
  readonly #clock: Clock;
  readonly #circuit: DrivenCircuit;
  readonly #failed: (where: string, error: unknown) => void;
  readonly #results: CacheTransport | undefined;
  readonly #runs: MemoryCache | undefined;

  constructor(
    settings: CacheSettings,
    clock: Clock,
    circuit: DrivenCircuit,
    failed: (where: string, error: unknown) => void,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#circuit = circuit;
    this.#failed = failed;
    this.#results = settings.cache ? (settings.transport ?? new MemoryCache(settings.cacheSize, clock)) : undefined;
    this.#runs = settings.coalesce ? new MemoryCache(settings.coalesceSize, clock) : undefined;
  }

  /** `undefined`: the call can't be told from others. */
  keyOf(args: readonly unknown[]): string | undefined {
    const { getKey } = this.#settings;
    return this.#guard("cacheGetKey", () => (getKey === undefined ? JSON.stringify(args) : getKey(...args)));
  }

  /** A result or a run to share, if there is one. */
  find(key: string): Promise<unknown> | undefined {
    const result = this.#look(this.#results, key, "cache");
    return result ?? this.#look(this.#runs, key, "coalesceCache");
  }

  /** A run has begun. */
  share(key: string, run: Promise<unknown>): void {
    this.#runs?.set(key, run, this.#expiresAt(this.#settings.coalesceTtlMs));
  }

  /** A run has ended. */
  ended(key: string, how: CoalesceReset, value?: unknown): void {
    if (this.#settings.resetOn.includes(how)) this.#runs?.delete(key);
    if (how !== "success") return;
    this.#guard("cacheTransport.set", () =>
      this.#results?.set(key, Promise.resolve(value), this.#expiresAt(this.#settings.cacheTtlMs)),
    );
  }

  flush(): void {
    this.#guard("cacheTransport.flush", () => this.#results?.flush());
    this.#runs?.flush();
  }

  #look(cache: CacheTransport | undefined, key: string, name: "cache" | "coalesceCache"): Promise<unknown> | undefined {
    if (cache === undefined) return undefined;
    const found = this.#guard("cacheTransport.get", () => cache.get(key));
    const hit = found !== undefined && found !== null;
    this.#circuit.tell(`${name}${hit ? "Hits" : "Misses"}`, `${name}${hit ? "Hit" : "Miss"}`);
    return hit ? Promise.resolve(found) : undefined;
  }

  #expiresAt(ttlMs: number): number {
    return ttlMs > 0 ? this.#clock.wallNow() + ttlMs : 0;
  }

  #guard<T>(where: string, ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.#failed(where, error);
      return undefined;
    }
  }
}
