import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { type CommandResult, run, workspace } from "./command.ts";
import { checkedConfigs, type PublishedPackage, publishedPackages } from "./packages.ts";
import type { suites } from "./suites.mjs";

export type SuiteName = (typeof suites)[number];

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What a reader needs to see of the failures; empty if there are none. */
  readonly details: string;
}

/** Two at a time, on machines with two cores. */
const PARALLEL = 2;

const results = `${workspace}.results/`;
const tarballs = `${workspace}node_modules/.cache/tarballs/`;

export const checks: Record<SuiteName, () => Promise<Verdict>> = {
  format: () => each(["biome"], () => run("biome", ["check", "--colors=off", "."])),
  lint: () => each(["oxlint"], () => run("oxlint", ["--type-aware", "--deny-warnings", "--format=unix"])),
  types: () => each(checkedConfigs(), (path) => run("tsc", ["--pretty", "false", "-p", path])),
  tests,
  build,
  publint: () => each(publishedPackages(), (member) => inspect(member, "publint", "--strict"), nameOf),
  attw: () =>
    each(
      publishedPackages(),
      (member) => inspect(member, "attw", "--profile", "esm-only", "--no-color", "--no-emoji"),
      nameOf,
    ),
  knip: () => each(["knip"], () => run("knip", ["--no-progress"])),
  size: () => each(["size-limit"], () => run("size-limit", [])),
};

/** One check per item: it passes or fails as a whole. */
async function each<Item>(
  items: readonly Item[],
  check: (item: Item) => Promise<CommandResult>,
  title: (item: Item) => string = String,
  parallel = PARALLEL,
): Promise<Verdict> {
  const failures = new Map<Item, string>();
  const waiting = items.values();
  const work = async () => {
    for (const item of waiting) {
      const { ok, output } = await check(item);
      if (!ok) failures.set(item, `${title(item)}\n${output}`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  const failed = items.filter((item) => failures.has(item));
  return {
    passed: items.length - failed.length,
    failed: failed.length,
    skipped: 0,
    details: failed.map((item) => failures.get(item)).join("\n\n"),
  };
}

/** Builds package by package, so that each counts; turbo answers from its cache what is up to date. */
async function build(): Promise<Verdict> {
  rmSync(tarballs, { recursive: true, force: true });
  mkdirSync(tarballs, { recursive: true });
  return each(publishedPackages(), buildAndPack, nameOf, 1);
}

async function buildAndPack(member: PublishedPackage): Promise<CommandResult> {
  const built = await run("turbo", ["run", "build", `--filter=${member.name}`, "--ui=stream"]);
  return built.ok ? run("pnpm", ["pack", "--out", tarballOf(member)], member.folder) : built;
}

async function inspect(member: PublishedPackage, command: string, ...args: string[]): Promise<CommandResult> {
  const tarball = tarballOf(member);
  if (!existsSync(tarball)) return { ok: false, output: "It was not built." };
  return run(command, [tarball, ...args]);
}

/** What would be published: the checks of packages look at this, not at the folder. */
function tarballOf(member: PublishedPackage): string {
  return `${tarballs}${member.name.replace("@", "").replace("/", "-")}.tgz`;
}

function nameOf(member: PublishedPackage): string {
  return member.name;
}

/** The part of vitest's JSON report that is counted. */
interface VitestReport {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

async function tests(): Promise<Verdict> {
  const reportFile = `${results}vitest-report.json`;
  rmSync(reportFile, { force: true });
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${reportFile}`];
  const { ok, output } = await run("vitest", ["run", "--silent=passed-only", ...reporters]);
  const counts = count(reportFile);
  // An error outside every test fails the run, though no test failed.
  if (!ok && counts.failed === 0) counts.failed = 1;
  return { ...counts, details: counts.failed > 0 ? output : "" };
}

function count(reportFile: string) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of readReport(reportFile)?.testResults ?? []) {
    const statuses = file.assertionResults.map((test) => test.status);
    for (const status of statuses) {
      if (status === "passed") counts.passed += 1;
      else if (status === "failed") counts.failed += 1;
      else counts.skipped += 1;
    }
    // A file that could not be loaded has no tests, and failed.
    if (file.status === "failed" && !statuses.includes("failed")) counts.failed += 1;
  }
  return counts;
}

function readReport(reportFile: string): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(reportFile, "utf8"));
  } catch {
    return undefined;
  }
}
