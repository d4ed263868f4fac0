import type { Balancer } from "@fairlead/core";
import { checkScenario } from "./check-scenario.ts";
import type { Client, Policy } from "./clients.ts";
import type { Mode, SimulationResult } from "./result.ts";
import { Run } from "./run.ts";
import { DEFAULTS, type Scenario } from "./scenario.ts";

export interface SimulateOptions {
  readonly scenario: Scenario;
  /** Default: fairlead's defaults. */
  readonly policy?: Policy | undefined;
  /** What the result calls the policy. Default: the name of the function, or `defaults`. */
  readonly policyName?: string | undefined;
  /** Default `pick`. */
  readonly mode?: Mode | undefined;
  /** Whole, 0 to 2³² − 1. Default: that of the scenario. */
  readonly seed?: number | undefined;
  /** Called with each balancer before the first call: to listen to its events, or to look at it afterwards. */
  readonly onClient?: ((balancer: Balancer, client: Client) => void) | undefined;
}

/**
 * Runs real balancers through a scenario. No time passes but the virtual one; a run in mode `pick` keeps the thread
 * until it is done.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` (as a rejection) with everything that is wrong with the scenario, or what a
 * balancer has to say against the policy
 */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { scenario, policy = defaults, mode = "pick", onClient } = options;
  const seed = options.seed ?? scenario.seed ?? DEFAULTS.seed;
  checkScenario({ ...scenario, seed }, mode);
  const figures = await new Run({ scenario, policy, mode, seed, onClient }).toEnd();
  const policyName = options.policyName ?? (policy.name === "" ? "policy" : policy.name);
  return { scenario: scenario.name, policy: policyName, mode, seeds: [seed], ...figures };
}

const defaults: Policy = () => ({});
