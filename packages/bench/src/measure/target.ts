import type { Spread } from "./statistics.ts";

export interface Limit {
  readonly bound: "at most" | "at least";
  readonly value: number;
  readonly unit: string;
}

/** A goal, by its short name, with what was measured for it. */
export interface Target {
  readonly goal: string;
  readonly what: string;
  readonly limit: Limit;
  readonly measured: Spread;
}

export type Verdict = "met" | "missed" | "not resolved";

/** Half of all measurements lie between the quartiles: only if all those agree is there a verdict. */
export function verdict({ bound, value }: Limit, { low, high }: Spread): Verdict {
  const within = (measured: number): boolean => (bound === "at most" ? measured <= value : measured >= value);
  if (within(low) && within(high)) return "met";
  return within(low) || within(high) ? "not resolved" : "missed";
}
