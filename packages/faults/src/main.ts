// `pnpm faults`: lets real backends fail in every way there is, and shows what callers of fairlead notice.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Fleet } from "./backends/fleet.ts";
import { killChildren } from "./children.ts";
import { contestants } from "./dead-end/contestants.ts";
import { runDeadEnd } from "./dead-end/run-dead-end.ts";
import { figuresOf } from "./figures.ts";
import { type FaultsOptions, parseOptions, usage } from "./options.ts";
import { machine } from "./report/machine.ts";
import { tableMarkdown } from "./report/markdown.ts";
import { withSection } from "./report/section.ts";
import { deadEndTable, type FaultRow, faultTable, lossesMarkdown } from "./report/tables.ts";
import { runScenario } from "./run-scenario.ts";
import { scenarios } from "./scenarios.ts";

/** Numbers of backends; both kinds of one scenario run at the same time. */
const SIZES = [3, 10];
/** Calls per second, to each. */
const RATE = 200;
const PAGE = fileURLToPath(new URL("../../../docs/failure-handling.md", import.meta.url));

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One line that is written over, where somebody watches. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

async function faultSections(names: readonly string[]): Promise<string[]> {
  const rows = new Map(SIZES.map((size): [number, FaultRow[]] => [size, []]));
  const chosen = scenarios.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)));
  const fleets = await Promise.all(SIZES.map((size) => Fleet.start(size)));
  for (const scenario of chosen) {
    showProgress(scenario.name);
    for (const seen of await Promise.all(fleets.map((fleet) => runScenario(scenario, fleet, RATE)))) {
      if (seen.held > 0) throw new Error(`${scenario.name}: ${seen.held} places on backends did not come back`);
      rows.get(seen.size)?.push({ scenario: scenario.name, figures: figuresOf(seen) });
    }
  }
  await Promise.all(fleets.map((fleet) => fleet.end()));
  const losses = [...rows].map(([size, ofSize]) => lossesMarkdown(size, ofSize)).filter((text) => text !== "");
  return [
    ...[...rows].map(([size, ofSize]) => tableMarkdown(faultTable(size, ofSize))),
    ...(losses.length > 0 ? [`Lost, and what the callers got:\n\n${losses.join("\n")}`] : []),
  ];
}

async function deadEndSection(): Promise<string> {
  showProgress("two backends, one connection each");
  const runs = contestants.flatMap((contestant) => [0, 1].map((back) => runDeadEnd(contestant, back)));
  return tableMarkdown(deadEndTable(await Promise.all(runs)));
}

async function run({ names, write }: FaultsOptions): Promise<void> {
  const sections = [machine(), ...(await faultSections(names))];
  if (names.length === 0) sections.push(await deadEndSection());
  showProgress("");
  const text = sections.join("\n\n");
  print(text);
  if (write) writeFileSync(PAGE, withSection(readFileSync(PAGE, "utf8"), text));
}

const names = scenarios.map(({ name }) => name);
const options = parseOptions(process.argv.slice(2), names);
process.once("exit", killChildren);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
if (options === "help") print(usage(names));
else if ("problem" in options) {
  process.stderr.write(`${options.problem}\n\n${usage(names)}`);
  process.exitCode = 2;
} else await run(options);
