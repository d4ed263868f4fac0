import { parseArgs } from "node:util";
import { type Mode, type Policy, type Scenario, scenarios } from "@fairlead/simulator";
import { policies } from "./policies.ts";

export interface CommandOptions {
  readonly chosen: readonly Scenario[];
  readonly policies: Readonly<Record<string, Policy>>;
  readonly modes: readonly Mode[];
  readonly seeds: readonly number[];
  readonly json: boolean;
}

const MODES: Readonly<Record<string, readonly Mode[]>> = { pick: ["pick"], call: ["call"], both: ["pick", "call"] };
const MOST_SEEDS = 1_000;

export function usage(): string {
  const width = Math.max(...scenarios.map(({ name }) => name.length));
  const list = scenarios.map(({ name, description = "" }) => `  ${name.padEnd(width)}  ${description}`).join("\n");
  return `Usage: pnpm simulate [scenario…] [options]

  Runs the scenarios named, or all.

  --seeds <n>           runs each with n seeds and shows the medians (default 5)
  --mode <mode>         pick: one attempt per call (default); call: with retries and timeouts; both
  --policy <names>      compares policies: ${Object.keys(policies).join(",")} (default: defaults)
  --json                prints the results as JSON
  --help                this text

Scenarios:
${list}
`;
}

/** What the arguments ask for, or what is wrong with them. */
export function parseOptions(args: readonly string[]): CommandOptions | "help" | { readonly problem: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seeds: { type: "string", default: "5" },
        mode: { type: "string", default: "pick" },
        policy: { type: "string", default: "defaults" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    return choose(positionals, values.policy.split(","), values.mode, Number(values.seeds), values.json);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function choose(
  names: readonly string[],
  policyNames: readonly string[],
  mode: string,
  seeds: number,
  json: boolean,
): CommandOptions | { readonly problem: string } {
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) return { problem: `There is no scenario ${unknown.join(", ")}.` };
  const wanted = Object.entries(policies).filter(([name]) => policyNames.includes(name));
  const strange = policyNames.filter((name) => !Object.hasOwn(policies, name));
  if (strange.length > 0) return { problem: `There is no policy ${strange.join(", ")}.` };
  const modes = Object.hasOwn(MODES, mode) ? MODES[mode] : undefined;
  if (modes === undefined) return { problem: `--mode is one of ${Object.keys(MODES).join(", ")}, not ${mode}.` };
  if (!Number.isInteger(seeds) || seeds < 1 || seeds > MOST_SEEDS)
    return { problem: `--seeds is a whole number from 1 to ${MOST_SEEDS}.` };
  const chosen = names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name));
  return {
    chosen,
    policies: Object.fromEntries(wanted),
    modes,
    seeds: Array.from({ length: seeds }, (_, index) => index + 1),
    json,
  };
}
