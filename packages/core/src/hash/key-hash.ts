/** A hash of texts: 64 bits, all of them spread evenly, as two words. What strategies that hash place keys and backends with. */
export interface KeyHash {
  readonly name: string;
  /** Hashes the UTF-8 bytes of `key`; writes the low 32 bits to `words[0]`, the high ones to `words[1]`. Allocates nothing. */
  digest(key: string, seed: number, words: Uint32Array): void;
}
