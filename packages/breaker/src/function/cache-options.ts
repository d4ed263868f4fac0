import { expected, type OptionCheck } from "@fairlead/core";

/** Where results are kept, such as a cache of many processes. opossum's interface. */
export interface CacheTransport {
  /** What `set` was given, or nothing. */
  get(key: string): unknown;
  /** @param expiresAt milliseconds since 1970; 0: never */
  set(key: string, value: unknown, expiresAt: number): void;
  flush(): void;
}

/** How a run ended. */
export type CoalesceReset = "error" | "success" | "timeout";

export interface CacheSettings {
  readonly cache: boolean;
  readonly cacheTtlMs: number;
  readonly cacheSize: number;
  readonly transport: CacheTransport | undefined;
  readonly getKey: ((...args: unknown[]) => string) | undefined;
  readonly coalesce: boolean;
  readonly coalesceTtlMs: number;
  readonly coalesceSize: number;
  readonly resetOn: readonly CoalesceReset[];
}

/** The most that a `Map` holds. */
const MOST_ENTRIES = 2 ** 24 - 1;

const RESETS = ["error", "success", "timeout"] as const;

const resets = {
  description: 'a list of "error", "success", "timeout"',
  accepts: (value: unknown): value is readonly CoalesceReset[] =>
    Array.isArray(value) && value.every((item) => RESETS.includes(item as CoalesceReset)),
};

export function resolveCache(
  check: OptionCheck,
  input: Record<string, unknown>,
  timeout: number | false,
): CacheSettings {
  const ttl = expected.number({ min: 0 });
  const size = expected.integer({ min: 1, max: MOST_ENTRIES });
  const transport = check.optional(
    "cacheTransport",
    input["cacheTransport"],
    expected.having<CacheTransport>("get", "an object with the methods get, set and flush"),
  );
  if (transport !== undefined && (typeof transport.set !== "function" || typeof transport.flush !== "function"))
    check.problem("cacheTransport", transport, "an object with the methods get, set and flush");
  return {
    cache: check.optional("cache", input["cache"], expected.boolean) ?? false,
    cacheTtlMs: check.optional("cacheTTL", input["cacheTTL"], ttl) ?? 0,
    cacheSize: check.optional("cacheSize", input["cacheSize"], size) ?? MOST_ENTRIES,
    transport,
    getKey: check.optional("cacheGetKey", input["cacheGetKey"], expected.func) as CacheSettings["getKey"],
    coalesce: check.optional("coalesce", input["coalesce"], expected.boolean) ?? false,
    coalesceTtlMs: check.optional("coalesceTTL", input["coalesceTTL"], ttl) ?? (timeout === false ? 0 : timeout),
    coalesceSize: check.optional("coalesceSize", input["coalesceSize"], size) ?? MOST_ENTRIES,
    resetOn: check.optional("coalesceResetOn", input["coalesceResetOn"], resets) ?? [],
  };
}
