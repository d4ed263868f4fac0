// Runs every suite, or those named as arguments, one after the other; a failure does not stop the rest.
// One line per suite, details of failures only, and one result file per suite in .results/.
import { checks, type Verdict } from "./checks.ts";
import { clearResults, describe, suites, total, writeResult } from "./suites.mjs";

/** Enough to see what is wrong; the tool itself tells the rest. */
const DETAIL_LINES = 200;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !suites.some((suite) => suite === name));
if (unknown.length > 0) {
  console.error(`No such suite: ${unknown.join(", ")}. There are: ${suites.join(", ")}.`);
  process.exit(2);
}
const chosen = wanted.length === 0 ? suites : suites.filter((suite) => wanted.includes(suite));

clearResults(chosen);
const startedMs = performance.now();
for (const suite of chosen) {
  const suiteStartedMs = performance.now();
  if (process.stdout.isTTY) process.stdout.write(`      ${suite} …`);
  const { details, ...counts } = await verdictOf(suite);
  writeResult({ suite, ...counts });
  if (process.stdout.isTTY) process.stdout.write("\r");
  const mark = counts.failed > 0 ? "FAIL" : "ok  ";
  console.log(`${mark}  ${suite.padEnd(8)} ${seconds(suiteStartedMs)}  ${describe(counts)}`);
  if (counts.failed > 0) console.log(`\n${excerpt(details)}\n`);
}

const sum = total(chosen);
console.log(`\n${describe(sum)} (${seconds(startedMs).trim()})`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;

async function verdictOf(suite: (typeof suites)[number]): Promise<Verdict> {
  try {
    return await checks[suite]();
  } catch (error) {
    const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { passed: 0, failed: 1, skipped: 0, details };
  }
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`.padStart(7);
}

function excerpt(details: string): string {
  const lines = details.split("\n");
  const shown = lines.slice(0, DETAIL_LINES);
  if (lines.length > DETAIL_LINES) shown.push(`… and ${lines.length - DETAIL_LINES} more lines`);
  return shown.map((line) => `      ${line}`.trimEnd()).join("\n");
}
