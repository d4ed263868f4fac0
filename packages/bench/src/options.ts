import { parseArgs } from "node:util";
import type { Thoroughness } from "./section.ts";

export interface BenchOptions {
  readonly sections: readonly string[];
  readonly thoroughness: Thoroughness;
  /** Whether docs/benchmarks.md is replaced. */
  readonly write: boolean;
}

export function usage(sections: readonly string[]): string {
  return `Usage: pnpm bench [${sections.join("] [")}] [--quick] [--write]

  Measures the sections named, or all of them.

  --quick  only shows that everything works; its figures mean nothing
  --write  replaces docs/benchmarks.md by what was measured; for complete runs
  --help   this text
`;
}

/** What the arguments ask for, or what is wrong with them. */
export function parseOptions(
  args: readonly string[],
  known: readonly string[],
): BenchOptions | "help" | { readonly problem: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    const unknown = positionals.filter((name) => !known.includes(name));
    if (unknown.length > 0) return { problem: `There is no section ${unknown.join(", ")}.` };
    const sections = positionals.length === 0 ? known : known.filter((name) => positionals.includes(name));
    if (values.write && (values.quick || sections.length < known.length)) {
      return { problem: "Only a complete run may be written." };
    }
    return { sections, thoroughness: values.quick ? "quick" : "full", write: values.write };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
