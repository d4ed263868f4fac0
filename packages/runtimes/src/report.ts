import type { CheckResult } from "./check.ts";
import { checks } from "./checks/index.ts";
import { facts } from "./facts.ts";
import { describe, runChecks } from "./run.ts";
import { type Addresses, Scene } from "./scene.ts";

/** What a runtime says of itself. */
export interface RuntimeReport {
  readonly results: readonly CheckResult[];
  /** By the name of the fact. */
  readonly facts: Readonly<Record<string, string>>;
}

export async function makeReport(addresses: Addresses, isBrowser: boolean): Promise<RuntimeReport> {
  const results = await runChecks(checks, addresses, isBrowser);
  const measured: Record<string, string> = {};
  for (const [index, { name, measure }] of facts.entries()) {
    const scene = new Scene(addresses, checks.length + index);
    try {
      measured[name] = await measure(scene);
      await scene.end();
    } catch (error) {
      measured[name] = describe(error);
    }
  }
  return { results, facts: measured };
}
