import type { PickRequest, View } from "./strategy.ts";

/** Up to this many backends, looking at each is as cheap as sampling and better (simulated). */
export const FULL_SCAN_LIMIT = 32;

/**
 * A weighted draw among the backends that admit the request, for when a sample found none; −1 if nobody does. Taking
 * the next one after a closed one instead would give one neighbour all of its load.
 */
export function drawAdmitting({ backends, weights, random }: View, request: PickRequest, nowMs: number): number {
  let chosen = -1;
  let total = 0;
  for (let index = 0; index < backends.length; index++) {
    if (backends[index]?.admits(request, nowMs) !== true) continue;
    const weight = weights[index] ?? 1;
    total += weight;
    if (random.next() * total < weight) chosen = index;
  }
  return chosen;
}

/** Whether all weights are the same. */
export function isEven(weights: readonly number[]): boolean {
  for (const weight of weights) if (weight !== weights[0]) return false;
  return true;
}
