import { isEven } from "./scan.ts";

/** The work of building a schedule: some milliseconds at most. */
const MOST_STEPS = 2 ** 20;
/** A pick may have to pass over a whole circle of closed slots. */
const MOST_SLOTS_PER_BACKEND = 64;
/** The smallest of the weights is tried as up to this many slots. */
const LARGEST_FACTOR = 100;

/**
 * The order of turns: indexes of backends, each exactly as often as its weight says, evenly spread; `undefined` if that
 * takes too many slots.
 *
 * Source: nginx `ngx_http_upstream_round_robin.c` (weights 5 1 1 → a a b a c a a).
 */
export function exactSchedule(weights: readonly number[]): Uint32Array | undefined {
  const size = weights.length;
  if (isEven(weights)) return Uint32Array.from(weights, (_, index) => index);
  // There are as many slots as backends at least.
  const shares = size * size > MOST_STEPS ? undefined : wholeShares(weights);
  if (shares === undefined) return undefined;
  const slots = shares.reduce((sum, share) => sum + share, 0);
  if (slots > size * MOST_SLOTS_PER_BACKEND || slots * size > MOST_STEPS) return undefined;
  return smoothSchedule(shares, slots);
}

/** Weights as small whole numbers in the same proportion, if there are any. */
function wholeShares(weights: readonly number[]): number[] | undefined {
  const least = weights.reduce((a, b) => Math.min(a, b));
  for (let factor = 1; factor <= LARGEST_FACTOR; factor++) {
    const share = (weight: number): number => (weight / least) * factor;
    if (weights.every((weight) => isWhole(share(weight)))) return weights.map((weight) => Math.round(share(weight)));
  }
  return undefined;
}

function isWhole(share: number): boolean {
  return Math.abs(share - Math.round(share)) < 1e-9 * share;
}

/** Each turn, everybody gains their weight; the one with the most has the turn and pays the sum. */
function smoothSchedule(shares: readonly number[], slots: number): Uint32Array {
  const schedule = new Uint32Array(slots);
  const gains = Float64Array.from(shares);
  const current = new Float64Array(shares.length);
  for (let slot = 0; slot < slots; slot++) {
    let best = 0;
    for (let i = 0; i < current.length; i++) {
      // In bounds, as are all indexes here.
      current[i] = (current[i] as number) + (gains[i] as number);
      if ((current[i] as number) > (current[best] as number)) best = i;
    }
    current[best] = (current[best] as number) - slots;
    schedule[slot] = best;
  }
  return schedule;
}
