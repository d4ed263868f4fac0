import type { Policy } from "./clients.ts";
import type { Mode, SimulationResult } from "./result.ts";
import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";

export interface CompareOptions {
  readonly scenarios: readonly Scenario[];
  /** By the name that the results shall have. Default: fairlead's defaults. */
  readonly policies?: Readonly<Record<string, Policy>> | undefined;
  /** Each is one run. Default 1 to 5. */
  readonly seeds?: readonly number[] | undefined;
  /** Default `pick`. */
  readonly mode?: Mode | undefined;
}

/**
 * Every scenario under every policy: the medians over all seeds. For the same seed all policies meet the same arrivals.
 *
 * @throws FairleadError as `simulate` does
 */
export async function compare(options: CompareOptions): Promise<SimulationResult[]> {
  const { scenarios, policies = { defaults: () => ({}) }, seeds = [1, 2, 3, 4, 5], mode } = options;
  const results: SimulationResult[] = [];
  for (const scenario of scenarios) {
    for (const [policyName, policy] of Object.entries(policies)) {
      const runs: SimulationResult[] = [];
      for (const seed of seeds) runs.push(await simulate({ scenario, policy, policyName, seed, mode }));
      results.push({ ...medianOf(runs), seeds });
    }
  }
  return results;
}

/** Of values with the same shape: each number is the median of those in its place, all else is that of the first. */
function medianOf<T>(values: readonly T[]): T {
  const [first] = values;
  if (typeof first === "number") return medianNumber(values as readonly number[]) as T;
  if (Array.isArray(first)) return first.map((_, index) => medianOf(values.map((list) => (list as T[])[index]))) as T;
  if (typeof first !== "object" || first === null) return first as T;
  const keys = Object.keys(first) as (keyof T)[];
  return Object.fromEntries(keys.map((key) => [key, medianOf(values.map((value) => value[key]))])) as T;
}

/** The middle one, or the mean of the two in the middle. */
function medianNumber(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[(sorted.length - 1) >> 1] ?? 0;
  const high = sorted[sorted.length >> 1] ?? 0;
  return (low + high) / 2;
}
