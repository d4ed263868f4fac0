import { expected, OptionCheck } from "../options.ts";
import type { Strategy } from "../strategy/strategy.ts";
import { keepingRules } from "./conformance/keeping.ts";
import { pickingRules } from "./conformance/picking.ts";
import type { Promises, Rule } from "./conformance/rules.ts";
import { sharingRules } from "./conformance/sharing.ts";

export interface StrategyConformanceOptions {
  /** Whether backends that do equally well share the calls by weight. Default `true`. */
  readonly weighted?: boolean | undefined;
  /** How far a share may be off, as a part of it, chance apart; ≥ 0. Default 0.1. */
  readonly tolerance?: number | undefined;
  /**
   * The calls within which each of some backends with these weights is picked, after 30 s in which all of them worked.
   * Not checked by default.
   */
  readonly pickedWithin?: ((weights: readonly number[]) => number) | undefined;
  /** How many random schedules are tried; whole, ≥ 1. Default 50. */
  readonly schedules?: number | undefined;
  /** Of the first schedule; whole, ≥ 0. Default 1. */
  readonly seed?: number | undefined;
}

interface Violation {
  readonly rule: string;
  readonly seed: number;
  readonly what: string;
}

const RULES: readonly Rule[] = [...pickingRules, ...keepingRules, ...sharingRules];

/**
 * Tries a strategy out: random schedules of faults, pauses, breakers, drains, changes of weights and members, with a
 * real balancer under a virtual clock. What it allocates and how long it takes is not looked at.
 *
 * @param create Makes the strategy anew, without a memory
 * @throws Error Everything that is wrong, each with the seed that shows it again
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function checkStrategy(create: () => Strategy, options: StrategyConformanceOptions = {}): void {
  const { schedules, seed, ...promises } = resolve(options);
  const violations = RULES.flatMap((rule) => violationOf(rule, create, promises, seed, schedules) ?? []);
  if (violations.length === 0) return;
  const lines = violations.map(
    ({ rule, seed: shownBy, what }) => `  ${rule}\n    ${what} (again with { seed: ${shownBy}, schedules: 1 })`,
  );
  throw new Error(`strategy ${create().name} does not do what a strategy must:\n${lines.join("\n")}`);
}

/** The first schedule that breaks the rule. */
function violationOf(
  rule: Rule,
  create: () => Strategy,
  promises: Promises,
  first: number,
  schedules: number,
): Violation | undefined {
  for (let seed = first; seed < first + Math.min(schedules, rule.atMost); seed++) {
    const what = rule.check({ ...promises, create, seed });
    if (what !== undefined) return { rule: rule.name, seed, what };
  }
  return undefined;
}

function resolve(
  options: StrategyConformanceOptions,
): Promises & { readonly schedules: number; readonly seed: number } {
  const check = new OptionCheck();
  const input = check.record("", options, ["weighted", "tolerance", "pickedWithin", "schedules", "seed"]) ?? {};
  const resolved = {
    weighted: check.optional("weighted", input["weighted"], expected.boolean) ?? true,
    tolerance: check.optional("tolerance", input["tolerance"], expected.number({ min: 0 })) ?? 0.1,
    pickedWithin: check.optional("pickedWithin", input["pickedWithin"], expected.func) as Promises["pickedWithin"],
    schedules: check.optional("schedules", input["schedules"], expected.integer({ min: 1 })) ?? 50,
    seed: check.optional("seed", input["seed"], expected.integer({ min: 0 })) ?? 1,
  };
  check.throwIfAny("checkStrategy");
  return resolved;
}
