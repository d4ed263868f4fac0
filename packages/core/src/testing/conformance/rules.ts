import type { Strategy } from "../../strategy/strategy.ts";

/** What a strategy promises of itself. */
export interface Promises {
  readonly weighted: boolean;
  /** Share of its share by which a backend may be off. */
  readonly tolerance: number;
  readonly pickedWithin: ((weights: readonly number[]) => number) | undefined;
}

export interface Trial extends Promises {
  readonly create: () => Strategy;
  readonly seed: number;
}

/** One thing that must hold of a strategy. */
export interface Rule {
  /** As a sentence that begins with "a strategy". */
  readonly name: string;
  /** More schedules than this say nothing new. */
  readonly atMost: number;
  /** What is wrong, or `undefined`. */
  check(trial: Trial): string | undefined;
}
