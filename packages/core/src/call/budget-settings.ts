import { group } from "../option-group.ts";
import { expected, type OptionCheck } from "../options.ts";

/** How many extra attempts the calls of an upstream may cause together. */
export interface BudgetOptions {
  /** Extra attempts per call over the last 10 s, ≥ 0. Default 0.2 for retries, 1 for requeues. */
  readonly ratio?: number | undefined;
  /** Granted however few calls there are; ≥ 0. Default 1. */
  readonly minPerSecond?: number | undefined;
  /** What of `minPerSecond` may be saved up; whole, ≥ 0. Default 10. */
  readonly burst?: number | undefined;
}

export interface BudgetSettings {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly burst: number;
}

export function resolveBudget(
  check: OptionCheck,
  path: string,
  value: unknown,
  base: BudgetSettings | undefined,
  ratio: number,
): BudgetSettings | undefined {
  return group(check, path, value, base, ["ratio", "minPerSecond", "burst"], (input) => ({
    ratio: check.optional(`${path}.ratio`, input["ratio"], expected.number({ min: 0 })) ?? base?.ratio ?? ratio,
    minPerSecond:
      check.optional(`${path}.minPerSecond`, input["minPerSecond"], expected.number({ min: 0 })) ??
      base?.minPerSecond ??
      1,
    burst: check.optional(`${path}.burst`, input["burst"], expected.integer({ min: 0 })) ?? base?.burst ?? 10,
  }));
}
