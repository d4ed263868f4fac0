import { slices } from "../http/load.ts";
import { firstMessage, isolated, startChild } from "../measure/isolated.ts";
import { collectYoungGarbage, measure } from "../measure/rounds.ts";
import { paired, spread } from "../measure/statistics.ts";
import type { Target } from "../measure/target.ts";
import { fixed, withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Table, Thoroughness } from "../section.ts";
import { MB } from "./bodies.ts";
import { type Compared, compared, type Direction, type Move } from "./variants.ts";

const BACKEND = new URL("backend.ts", import.meta.url);
const MEMORY_CELL = new URL("memory-cell.ts", import.meta.url);
const OURS = "forward, forwardTransport";
const DIRECTIONS = ["download", "upload"] as const;
const CONCURRENCY = 16;
const THROUGHPUT_LIMIT = 0.9;
const GROWTH_LIMIT_MB = 64;

interface ForwardEffort {
  readonly rounds: number;
  /** Of each variant in each round; all rounds together move a gigabyte. */
  readonly roundBytes: number;
  readonly memoryBytes: number;
  readonly memoryRuns: number;
  readonly sliceMs: number;
}

const EFFORTS: Readonly<Record<Thoroughness, ForwardEffort>> = {
  full: { rounds: 16, roundBytes: 64 * MB, memoryBytes: 1024 * MB, memoryRuns: 3, sliceMs: 250 },
  quick: { rounds: 2, roundBytes: MB, memoryBytes: MB, memoryRuns: 1, sliceMs: 10 },
};

export const forwardSection: Section = { name: "forward", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const server = startChild(BACKEND);
  try {
    const origin = `http://127.0.0.1:${await firstMessage<number>(server)}`;
    const all = compared(origin);
    const tables: Table[] = [];
    const targets: Target[] = [];
    for (const direction of DIRECTIONS) {
      const { table, target } = await throughput(direction, all[direction], effort);
      tables.push(table);
      targets.push(target, await growth(direction, origin, effort));
    }
    tables.push(await requestTable(all, effort));
    await all.close();
    return { title: "Forwarding", method: method(effort), tables, targets };
  } finally {
    server.kill();
  }
}

function method({ rounds, roundBytes, memoryBytes, memoryRuns }: ForwardEffort): string {
  return [
    `One backend in a process of its own on loopback. Bodies of ${roundBytes / MB} MB in chunks of 64 KB, ${rounds} rounds: all`,
    "variants take turns in changing order, ratios are to the base in the same round. Memory is the resident set of a process",
    `of its own at its peak, over that before, while ${memoryBytes / MB} MB pass through; ${memoryRuns} such processes. Requests are`,
    `GETs of 1 KB with four headers, ${CONCURRENCY} at a time, each with a \`Request\` of its own.`,
  ].join(" ");
}

async function throughput(
  name: string,
  { base, moves }: Direction,
  { rounds, roundBytes }: ForwardEffort,
): Promise<{ readonly table: Table; readonly target: Target }> {
  const names = Object.keys(moves);
  for (const variant of names) await perSecond(moves[variant], roundBytes);
  const measured = await measure(names, rounds, (variant) => perSecond(moves[variant], roundBytes));
  const ratio = (variant: string) => paired(measured[variant] ?? [], measured[base] ?? [], (own, bare) => own / bare);
  return {
    table: {
      title: `A long ${name}`,
      head: ["variant", "MB/s", "ratio"],
      rows: names.map((variant) => [
        variant,
        fixed(spread(measured[variant] ?? []).median, 0),
        variant === base ? "1" : withQuartiles(ratio(variant), 3),
      ]),
    },
    target: {
      goal: "forward",
      what: `a long ${name}, ${OURS}: throughput over ${base}`,
      limit: { bound: "at least", value: THROUGHPUT_LIMIT, unit: "×" },
      measured: ratio(OURS),
    },
  };
}

/** Megabytes per second. */
async function perSecond(move: Move | undefined, bytes: number): Promise<number> {
  collectYoungGarbage();
  const startMs = performance.now();
  const moved = await move?.(bytes);
  if (moved !== bytes) throw new Error(`${moved} of ${bytes} bytes have arrived`);
  return bytes / MB / ((performance.now() - startMs) / 1_000);
}

async function growth(name: string, origin: string, { memoryBytes, memoryRuns }: ForwardEffort): Promise<Target> {
  const grown: number[] = [];
  for (let time = 0; time < memoryRuns; time++)
    grown.push(await isolated<number>(MEMORY_CELL, [origin, name, String(memoryBytes)]));
  return {
    goal: "forward",
    what: `${memoryBytes / MB} MB of ${name}, ${OURS}: growth of memory`,
    limit: { bound: "at most", value: GROWTH_LIMIT_MB, unit: "MB" },
    measured: spread(grown),
  };
}

async function requestTable({ requests }: Compared, { rounds, sliceMs }: ForwardEffort): Promise<Table> {
  const [base = ""] = Object.keys(requests);
  const measured = await slices(requests, CONCURRENCY, { rounds, sliceMs, parts: 2 });
  const rates = (variant: string): number[] => (measured[variant] ?? []).map((slice) => slice.perSecond);
  return {
    title: "Small requests",
    head: ["variant", "requests/s", "ratio"],
    rows: Object.keys(requests).map((variant) => [
      variant,
      fixed(spread(rates(variant)).median, 0),
      variant === base
        ? "1"
        : withQuartiles(
            paired(rates(variant), rates(base), (own, bare) => own / bare),
            3,
          ),
    ]),
  };
}
