import { type Scenario, scenarios } from "../src/index.ts";

/** A shipped scenario by its name. */
export function shipped(name: string): Scenario {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  return scenario;
}
