import { parseArgs } from "node:util";

export interface FaultsOptions {
  /** Names of scenarios, or parts of them; all if there are none. */
  readonly names: readonly string[];
  /** Whether the section of docs/failure-handling.md is replaced. */
  readonly write: boolean;
}

export function usage(scenarios: readonly string[]): string {
  return `Usage: pnpm faults [part of a scenario's name…] [--write]

  Lets real backends fail while calls are made, and shows what callers notice.

  --write  replaces the tables in docs/failure-handling.md by what was seen; for complete runs
  --help   this text

Scenarios:
${scenarios.map((name) => `  ${name}`).join("\n")}
`;
}

/** What the arguments ask for, or what is wrong with them. */
export function parseOptions(
  args: readonly string[],
  scenarios: readonly string[],
): FaultsOptions | "help" | { readonly problem: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { write: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
    });
    if (values.help) return "help";
    const unknown = positionals.filter((part) => !scenarios.some((name) => name.includes(part)));
    if (unknown.length > 0) return { problem: `There is no scenario ${unknown.join(", ")}.` };
    if (values.write && positionals.length > 0) return { problem: "Only a complete run may be written." };
    return { names: positionals, write: values.write };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
