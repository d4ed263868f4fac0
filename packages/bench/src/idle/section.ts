import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isolated } from "../measure/isolated.ts";
import { paired, type Spread, spread } from "../measure/statistics.ts";
import type { Limit } from "../measure/target.ts";
import { fixed, withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Thoroughness } from "../section.ts";
import { strategies } from "../strategies.ts";
import type { ChecksCell } from "./checks-cell.ts";
import type { MemoryCell } from "./memory-cell.ts";
import type { ProcessorCell } from "./processor-cell.ts";

const CHECKS_CELL = new URL("checks-cell.ts", import.meta.url);
const MEMORY_CELL = new URL("memory-cell.ts", import.meta.url);
const PROCESSOR_CELL = new URL("processor-cell.ts", import.meta.url);
const FORGETS_CLOSE = fileURLToPath(new URL("forgets-close.ts", import.meta.url));
const BACKENDS = 10_000;
/** A process that does not end by itself is ended after this long. */
const NEVER_ENDS_MS = 20_000;

interface Effort {
  readonly memoryRounds: number;
  readonly processorRounds: number;
  readonly processorMs: number;
  readonly exits: number;
}

const EFFORTS: Readonly<Record<Thoroughness, Effort>> = {
  full: { memoryRounds: 5, processorRounds: 5, processorMs: 1_000, exits: 5 },
  quick: { memoryRounds: 1, processorRounds: 2, processorMs: 50, exits: 1 },
};

export const idleSection: Section = { name: "idle", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const memory = new Map<string, Spread>();
  for (const strategy of Object.keys(strategies)) {
    const args = [strategy, String(BACKENDS), String(effort.memoryRounds)];
    memory.set(strategy, spread(await isolated<MemoryCell>(MEMORY_CELL, args)));
  }
  const processor = await measureProcessor(effort);
  const checks = await measureChecks(effort);
  const exits: number[] = [];
  for (let count = 0; count < effort.exits; count++) exits.push(await msToExit());
  return {
    title: "Idle backends",
    method: [
      "10,000 backends after one pick. Memory is the JavaScript heap and the arrays outside of it after full collections,",
      "divided by the number of backends, specifications included; every strategy in a process of its own.",
      `Processor time is that of a process that sleeps, over ${effort.processorRounds} rounds of ${effort.processorMs} ms with`,
      "the backends and as many without; that of health checks every five seconds over a process that makes the same probes",
      "from a timer, of which each succeeds at once. A process that never closes its balancer is timed from its last line to",
      "its end.",
    ].join(" "),
    tables: [
      {
        title: "Median [quartiles] of memory",
        head: ["strategy", "bytes per backend"],
        rows: [...memory].map(([strategy, bytes]) => [strategy, withQuartiles(bytes, 0)]),
      },
      {
        title: "Time",
        head: ["", "median [quartiles]"],
        rows: [
          ["% of a processor, over a process without backends", withQuartiles(processor, 3)],
          ["% of a processor, health checks besides their probes", withQuartiles(checks.share, 3)],
          ["checks per second", fixed(checks.perSecond, 0)],
          ["ms from the last line to the end of the process", fixed(spread(exits).median, 0)],
        ],
      },
    ],
    targets: [
      ...[...memory].map(([strategy, bytes]) => target(`memory of an idle backend, ${strategy}`, 1_024, "B", bytes)),
      target("processor time of 10,000 idle backends", 0.1, "%", processor),
      {
        goal: "checks",
        what: "10,000 backends checked every 5 s, besides the probes",
        limit: { bound: "at most", value: 0.5, unit: "%" },
        measured: checks.share,
      },
      target("a process that forgot to close ends within", 1_000, "ms", spread(exits)),
    ],
  };
}

function target(what: string, value: number, unit: string, measured: Spread): SectionResult["targets"][number] {
  const limit: Limit = { bound: "at most", value, unit };
  return { goal: "G15", what, limit, measured };
}

async function measureProcessor({ processorRounds, processorMs }: Effort): Promise<Spread> {
  const args = [BACKENDS, processorRounds, processorMs].map(String);
  const cell = await isolated<ProcessorCell>(PROCESSOR_CELL, args);
  return paired(cell.with, cell.without, (idle, bare) => idle - bare);
}

async function measureChecks({
  processorRounds,
  processorMs,
}: Effort): Promise<{ readonly share: Spread; readonly perSecond: number }> {
  const args = [BACKENDS, processorRounds, processorMs].map(String);
  const cell = await isolated<ChecksCell>(CHECKS_CELL, args);
  const { checksPerSecond, expectedPerSecond } = cell;
  // Nothing would be cheaper than checks that are not made.
  if (checksPerSecond < expectedPerSecond / 2) throw new Error(`only ${checksPerSecond} checks were made per second`);
  return { share: paired(cell.checks, cell.probes, (checks, probes) => checks - probes), perSecond: checksPerSecond };
}

async function msToExit(): Promise<number> {
  const args = [...process.execArgv, FORGETS_CLOSE, String(BACKENDS)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: NEVER_ENDS_MS });
  return performance.timeOrigin + performance.now() - Number(stdout);
}
