import type { Backend, RequestKind } from "../backend.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";

/** Up to this much work, the schedule is nginx's to the letter. */
const EXACT_STEPS = 2 ** 20;
/** Longest exact schedule. */
const EXACT_SLOTS = 4_096;
/** The smallest of the weights is tried as up to this many slots. */
const LARGEST_FACTOR = 100;
/** Slots per backend, on average, of a schedule for weights without a small common measure. */
const SLOTS_PER_BACKEND = 16;

/**
 * Smooth weighted round robin: every backend by turns, heavier ones more often, and never in bursts. Starts at a random
 * place, so that a fleet of clients does not begin with the same backend.
 *
 * Source: nginx `ngx_http_upstream_round_robin.c` (weights 5 1 1 → a a b a c a a).
 */
export function roundRobin(): Strategy {
  const progress: Progress = { request: undefined, connection: undefined };
  return { name: "roundRobin", build: (view) => new RoundRobinPicker(view, progress) };
}

/** How far round the schedule of each kind is, 0…1: a new view goes on from there. */
type Progress = Record<RequestKind, number | undefined>;

class RoundRobinPicker implements Picker {
  readonly #backends: readonly Backend[];
  readonly #kind: RequestKind;
  readonly #schedule: Uint32Array;
  readonly #progress: Progress;
  #cursor: number;

  constructor({ backends, weights, random, kind }: View, progress: Progress) {
    this.#backends = backends;
    this.#kind = kind;
    this.#schedule = buildSchedule(weights);
    this.#progress = progress;
    const { length } = this.#schedule;
    // Rounded up, so that views that follow each other quickly don't stay in one place.
    this.#cursor = Math.ceil((progress[kind] ?? random.next()) * length - 1e-9) % length;
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    const position = this.#find(request, nowMs);
    if (position < 0) return undefined;
    this.#cursor = position + 1 === this.#schedule.length ? 0 : position + 1;
    this.#progress[this.#kind] = (position + 1) / this.#schedule.length;
    return this.#at(position);
  }

  peek(request: PickRequest, nowMs: number): Backend | undefined {
    const position = this.#find(request, nowMs);
    return position < 0 ? undefined : this.#at(position);
  }

  /** Slots of closed backends are passed over, which leaves the others their proportions. */
  #find(request: PickRequest, nowMs: number): number {
    const length = this.#schedule.length;
    for (let step = 0; step < length; step++) {
      const position = this.#cursor + step < length ? this.#cursor + step : this.#cursor + step - length;
      if (this.#at(position)?.admits(request, nowMs) === true) return position;
    }
    return -1;
  }

  #at(position: number): Backend | undefined {
    return this.#backends[this.#schedule[position] ?? 0];
  }
}

/** The order of turns: indexes of backends, each as often as its weight says. */
export function buildSchedule(weights: readonly number[]): Uint32Array {
  const shares = wholeShares(weights);
  const slots = shares.reduce((sum, share) => sum + share, 0);
  return slots <= EXACT_SLOTS && slots * weights.length <= EXACT_STEPS
    ? smoothSchedule(shares, slots)
    : spreadSchedule(weights);
}

/** Weights as small whole numbers in the same proportion: exactly if there are any, else to three decimals. */
function wholeShares(weights: readonly number[]): number[] {
  const least = weights.reduce((a, b) => Math.min(a, b));
  for (let factor = 1; factor <= LARGEST_FACTOR; factor++) {
    const shares = weights.map((weight) => (weight / least) * factor);
    if (shares.every((share) => Math.abs(share - Math.round(share)) < 1e-9 * share)) return shares.map(Math.round);
  }
  return weights.map((weight) => Math.round((weight / least) * 1_000));
}

/** Each turn, everybody gains their weight; the one with the most has the turn and pays the sum. */
function smoothSchedule(weights: readonly number[], slots: number): Uint32Array {
  const schedule = new Uint32Array(slots);
  if (slots === weights.length) return schedule.map((_, index) => index);
  const current = new Float64Array(weights.length);
  for (let slot = 0; slot < slots; slot++) {
    let best = 0;
    for (let i = 0; i < current.length; i++) {
      current[i] = (current[i] ?? 0) + (weights[i] ?? 0);
      if ((current[i] ?? 0) > (current[best] ?? 0)) best = i;
    }
    current[best] = (current[best] ?? 0) - slots;
    schedule[slot] = best;
  }
  return schedule;
}

/**
 * For many backends or odd weights: every backend's slots at even distances over the circle, in the order of their
 * places. A share is off by at most half a slot.
 */
function spreadSchedule(weights: readonly number[]): Uint32Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const slots = Math.max(EXACT_SLOTS, weights.length * SLOTS_PER_BACKEND);
  const places: { readonly at: number; readonly index: number }[] = [];
  for (const [index, weight] of weights.entries()) {
    const share = Math.max(1, Math.round((weight / total) * slots));
    // Golden-ratio phases keep backends of equal weight from lining up.
    const phase = (index * 0.618_033_988_749_895) % 1;
    for (let turn = 0; turn < share; turn++) places.push({ at: (turn + phase) / share, index });
  }
  places.sort((a, b) => a.at - b.at);
  return Uint32Array.from(places, ({ index }) => index);
}
