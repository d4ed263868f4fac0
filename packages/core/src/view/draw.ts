import type { KeyHash } from "../hash/key-hash.ts";

const words = new Uint32Array(2);

/**
 * Where in 0…100 a key belongs, when calls are divided over tiers. The whole part is `hash % 100`, as Envoy chooses a
 * priority; the rest, for the zones within it, comes from the same hash, mixed once more.
 *
 * Source: Envoy `load_balancer_impl.cc` (`choosePriority`).
 */
export function drawOfKey(key: string, hash: KeyHash | undefined): number {
  if (hash === undefined) words[0] = words[1] = fnv1a(key);
  else hash.digest(key, 0, words);
  const low = words[0] ?? 0;
  const high = words[1] ?? 0;
  // 2^32 % 100 = 96.
  const percent = ((high % 100) * 96 + (low % 100)) % 100;
  return percent + (Math.imul(low ^ (low >>> 15), 0x2c1b3c6d) >>> 0) / 2 ** 32;
}

/** FNV-1a, 32 bits: enough for strategies that place no keys themselves. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
