import { fillIn, group } from "../option-group.ts";
import { expected, type OptionCheck } from "../options.ts";
import type { BudgetProvider } from "./budget.ts";

/** How many extra attempts the calls of an upstream may cause together. */
export interface BudgetOptions {
  /** Extra attempts per call over the last 10 s, ≥ 0. Default 0.2 for retries, 1 for requeues, 0.05 for hedges. */
  readonly ratio?: number | undefined;
  /** Granted however few calls there are; ≥ 0. Default 1. */
  readonly minPerSecond?: number | undefined;
  /** What of `minPerSecond` may be saved up; whole, ≥ 0. Default 10. */
  readonly burst?: number | undefined;
}

export interface ShareSettings {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly burst: number;
}

/** A share of the calls, or a kind of its own. */
export type BudgetSettings = ShareSettings | BudgetProvider;

export function isProvider(value: unknown): value is BudgetProvider {
  return typeof value === "object" && value !== null && typeof (value as BudgetProvider).create === "function";
}

export function resolveBudget(
  check: OptionCheck,
  path: string,
  value: unknown,
  base: BudgetSettings | undefined,
  ratio: number,
): BudgetSettings | undefined {
  if (isProvider(value)) return value;
  if (value === undefined) return base;
  const from = base === undefined || isProvider(base) ? { ratio, minPerSecond: 1, burst: 10 } : base;
  return resolveShare(check, path, value, from);
}

export function resolveShare(
  check: OptionCheck,
  path: string,
  value: unknown,
  from: ShareSettings,
): ShareSettings | undefined {
  return group(check, path, value, from, ["ratio", "minPerSecond", "burst"], (input) =>
    fillIn(check, path, input, from, {
      ratio: expected.number({ min: 0 }),
      minPerSecond: expected.number({ min: 0 }),
      burst: expected.integer({ min: 0 }),
    }),
  );
}
