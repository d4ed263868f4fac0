// `pnpm simulate`: the shipped scenarios as a table, or as JSON.
import { compare, formatTable, type SimulationResult } from "@fairlead/simulator";
import { type CommandOptions, parseOptions, usage } from "./options.ts";

async function run({ chosen, policies, modes, seeds, json }: CommandOptions): Promise<void> {
  const results: SimulationResult[] = [];
  for (const scenario of chosen) {
    for (const mode of modes) {
      showProgress(`${scenario.name} (${mode})`);
      results.push(...(await compare({ scenarios: [scenario], policies, seeds, mode })));
    }
  }
  showProgress("");
  console.log(json ? JSON.stringify(results, null, 2) : formatTable(results));
}

/** One line that is written over, where somebody watches. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

const options = parseOptions(process.argv.slice(2));
if (options === "help") {
  console.log(usage());
} else if ("problem" in options) {
  console.error(`${options.problem}\n\n${usage()}`);
  process.exitCode = 2;
} else {
  await run(options);
}
