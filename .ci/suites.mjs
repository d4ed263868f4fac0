// What `pnpm test` runs, and how its results are added up. Plain JavaScript for Node 20:
// .ci/run adds up outside pnpm, with whatever Node the machine has.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @typedef {{ suite: string, passed: number, failed: number, skipped: number }} SuiteResult */

/** In the order they run: cheap first, `build` before what looks at its output. */
export const suites = /** @type {const} */ ([
  "format",
  "lint",
  "types",
  "tests",
  "build",
  "publint",
  "attw",
  "knip",
  "size",
]);

const folder = fileURLToPath(new URL("../.results/", import.meta.url));

/** Forgets the results of an earlier run: of all suites, or of those named. */
export function clearResults(/** @type {readonly string[]} */ names = suites) {
  mkdirSync(folder, { recursive: true });
  for (const name of names) rmSync(`${folder}${name}.json`, { force: true });
}

/** @param {SuiteResult} result */
export function writeResult(result) {
  writeFileSync(`${folder}${result.suite}.json`, `${JSON.stringify(result)}\n`);
}

/** The result of one suite; a result that is missing or unreadable is one failure. @returns {SuiteResult} */
export function readResult(/** @type {string} */ suite) {
  try {
    const { passed, failed, skipped } = JSON.parse(readFileSync(`${folder}${suite}.json`, "utf8"));
    if ([passed, failed, skipped].every(Number.isInteger)) return { suite, passed, failed, skipped };
  } catch {
    // Falls through to the failure below.
  }
  return { suite, passed: 0, failed: 1, skipped: 0 };
}

/** "12 passed, 0 failed", and the skipped if there are any. */
export function describe(/** @type {Omit<SuiteResult, "suite">} */ { passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

export function total(/** @type {readonly string[]} */ names = suites) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const result of names.map(readResult)) {
    sum.passed += result.passed;
    sum.failed += result.failed;
    sum.skipped += result.skipped;
  }
  return sum;
}
