import type { KeyHash } from "../../hash/key-hash.ts";
import { xxh64 } from "../../hash/xxh64.ts";
import { expected, type OptionCheck } from "../../options.ts";

/** What all strategies that hash have in common. */
export interface HashingOptions {
  /** Places keys and backends. Default `xxh64`, the hash of Envoy. */
  readonly hash?: KeyHash | undefined;
  /**
   * How many times its weighted share of all attempts under way a backend may have before its keys go elsewhere; ≥ 1,
   * 1.25 to 2 is usual. The nearer to 1, the more even the load and the more keys move; many do in a process that has
   * few attempts per backend under way, where the bound is one. Off by default.
   */
  readonly boundedLoad?: number | undefined;
}

export interface ResolvedHashingOptions {
  readonly hash: KeyHash;
  readonly boundedLoad: number | undefined;
}

export const HASHING_KEYS: readonly string[] = ["hash", "boundedLoad"];

export function resolveHashing(check: OptionCheck, { hash, boundedLoad }: HashingOptions): ResolvedHashingOptions {
  return {
    hash: check.optional("hash", hash, expected.having<KeyHash>("digest", "a hash, such as xxh64")) ?? xxh64,
    boundedLoad: check.optional("boundedLoad", boundedLoad, expected.number({ min: 1 })),
  };
}
