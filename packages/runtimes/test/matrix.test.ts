// One list of checks, run in every runtime; what each of them knows and can do is what docs/runtimes.md says.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { checks } from "../src/checks/index.ts";
import { facts } from "../src/facts.ts";
import type { RuntimeReport } from "../src/report.ts";
import { startBackends } from "./support/backends.ts";
import { type Runtime, runtimes } from "./support/runtimes.ts";
import { cellOf } from "./support/table.ts";

const required = process.env["FAIRLEAD_REQUIRE_SERVERS"] === "1";
const page = readFileSync(new URL("../../../docs/runtimes.md", import.meta.url), "utf8");

/** They mostly wait; more would disturb each other. */
const AT_ONCE = 2;
const LIMIT_MS = 180_000;

const reports = new Map<string, Promise<RuntimeReport>>();

beforeAll(() => {
  const lines = Array.from({ length: AT_ONCE }, (): Promise<unknown> => Promise.resolve());
  for (const [index, runtime] of runtimes.entries()) {
    if (runtime.missing !== undefined) continue;
    const line = index % AT_ONCE;
    const report = (lines[line] ?? Promise.resolve()).then(() => reportOf(runtime));
    reports.set(runtime.name, report);
    // Its own tests tell of its failure.
    lines[line] = Promise.allSettled([report]);
  }
});

async function reportOf(runtime: Runtime): Promise<RuntimeReport> {
  await using backends = await startBackends();
  return await runtime.report(backends.addresses);
}

describe.each(runtimes)("$name", (runtime: Runtime) => {
  const { column, isBrowser, missing } = runtime;
  let report: RuntimeReport | undefined;

  beforeAll(async () => {
    report = await reports.get(runtime.name);
    if (missing !== undefined && !required) console.log(`skipped: ${missing}`);
  }, LIMIT_MS);

  const it = test.skipIf(missing !== undefined && !required);

  it.each(checks.filter(({ notInBrowsers }) => !isBrowser || notInBrowsers === undefined))("$name", ({ name }) => {
    expect(missing).toBeUndefined();
    const result = report?.results.find((one) => one.name === name);
    expect(result).toBeDefined();
    if (result?.error !== undefined) throw new Error(result.error);
  });

  it.each(facts)("is described truly: $name", ({ name }) => {
    expect(missing).toBeUndefined();
    expect(report?.facts[name]).toBe(cellOf(page, name, column));
  });
});
