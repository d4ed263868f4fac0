import type { Backend } from "../../backend.ts";

/** A label with this name is hashed instead of the id, so that a backend keeps its keys when its address changes. */
const LABEL = "hash_key";

/**
 * The text by which each backend is placed: its label `hash_key`, else its id. Where several claim the same, the one
 * with the first id has it, and the others have their id appended: with the same place, they would get no keys.
 */
export function placeKeys(backends: readonly Backend[]): string[] {
  const keys = backends.map((backend) => backend.labels[LABEL] ?? backend.id);
  // Ids differ from each other.
  if (backends.every(({ labels }) => labels[LABEL] === undefined)) return keys;
  const owners = new Map<string, Backend>();
  for (const [index, backend] of backends.entries()) {
    const key = keys[index] ?? backend.id;
    const owner = owners.get(key);
    if (owner === undefined || backend.id < owner.id) owners.set(key, backend);
  }
  return keys.map((key, index) => (owners.get(key) === backends[index] ? key : `${key}/${backends[index]?.id}`));
}

/** Weights as shares of their sum. */
export function sharesOf(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
