import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { coreSection } from "./core/section.ts";
import { flappingSection } from "./flapping/section.ts";
import { forwardSection } from "./forward/section.ts";
import { httpSection } from "./http/section.ts";
import { idleSection } from "./idle/section.ts";
import { keysSection } from "./keys/section.ts";
import { membershipSection } from "./membership/section.ts";
import { type BenchOptions, parseOptions, usage } from "./options.ts";
import { pickSection } from "./pick/section.ts";
import { machine } from "./report/machine.ts";
import { sectionMarkdown, tableMarkdown, targetsMarkdown } from "./report/markdown.ts";
import type { Section, SectionResult } from "./section.ts";

const SECTIONS: readonly Section[] = [
  pickSection,
  keysSection,
  membershipSection,
  flappingSection,
  idleSection,
  coreSection,
  httpSection,
  forwardSection,
];
const REPORT = fileURLToPath(new URL("../../../docs/benchmarks.md", import.meta.url));

async function bench({ sections, thoroughness, write }: BenchOptions, args: readonly string[]): Promise<void> {
  const facts = tableMarkdown({
    head: ["", ""],
    rows: [["command", `\`${["pnpm bench", ...args].join(" ")}\``], ...machine()],
  });
  console.log(`${facts}\n`);
  const results: SectionResult[] = [];
  for (const section of SECTIONS.filter(({ name }) => sections.includes(name))) {
    const result = await section.run(thoroughness);
    console.log(`${sectionMarkdown(result)}\n`);
    results.push(result);
  }
  const targets = targetsMarkdown(results.flatMap((result) => result.targets));
  console.log(targets);
  if (write) writeFileSync(REPORT, `${[PREFACE, facts, targets, ...results.map(sectionMarkdown)].join("\n\n")}\n`);
}

const PREFACE = `# Benchmarks

What fairlead costs: one complete run as it was printed. What the figures mean is said in
[performance](performance.md). Medians with quartiles in brackets. A target is _met_ or _missed_ if the whole range between the quartiles says so, else
_not resolved_. Absolute figures depend on the machine; ratios are what to compare.`;

const args = process.argv.slice(2);
const names = SECTIONS.map(({ name }) => name);
const options = parseOptions(args, names);
if (options === "help") {
  console.log(usage(names));
} else if ("problem" in options) {
  console.error(`${options.problem}\n\n${usage(names)}`);
  process.exitCode = 2;
} else {
  await bench(options, args);
  // Balancers and pools of the sections are left open.
  process.exit();
}
