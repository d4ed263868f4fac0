import { bytes, type Effort, nanoseconds } from "../measure/rounds.ts";
import { paired, type Spread, spread } from "../measure/statistics.ts";
import { fixed, withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Table, Thoroughness } from "../section.ts";
import { concurrentLoops, EVERYTHING_ON, sequentialLoops, stublessLoops } from "./loops.ts";

const EFFORTS: Readonly<Record<Thoroughness, Effort>> = {
  full: { rounds: 25, roundMs: 60, allocations: 20_000 },
  quick: { rounds: 3, roundMs: 1, allocations: 200 },
};

interface Cost {
  readonly ns: Spread;
  readonly bytes: Spread;
}

export const coreSection: Section = { name: "core", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const sequential = await costsOver("stub", sequentialLoops(), effort);
  const concurrent = await costsOver("stub", concurrentLoops(), effort);
  const stubless = await costsOver(undefined, stublessLoops(), effort);
  const measured = sequential.get(EVERYTHING_ON);
  return {
    title: "The core over a stub transport",
    method: [
      "`balancer.call(() => Promise.resolve(x))` over ten backends, awaited one after the other, against the stub alone;",
      "100 in flight: a stub that answers in the next turn of the event loop. Ejection, latencies, histograms and counters",
      "are on throughout, nobody listens to events, the stub does not read `signal`. Everything on: health checks, outlier",
      "detection with three detectors, a closed circuit breaker per backend and limits as well. All variants take their turn in each of",
      `${effort.rounds} rounds of ${effort.roundMs} ms; the difference is taken per round.`,
    ].join(" "),
    tables: [
      table("Over the stub, one at a time", sequential),
      table("Over the stub, 100 in flight", concurrent),
      table("Without a stub", stubless),
    ],
    targets: measured === undefined ? [] : [target("ns", 600, measured.ns), target("B", 800, measured.bytes)],
  };
}

function target(unit: string, value: number, measured: Spread): SectionResult["targets"][number] {
  return {
    goal: "G3",
    what: "`balancer.call`, everything on, over its stub",
    limit: { bound: "at most", value, unit },
    measured,
  };
}

/** What every loop costs more than the one named `base`, in the same round. */
async function costsOver(
  base: string | undefined,
  loops: Parameters<typeof nanoseconds>[0],
  effort: Effort,
): Promise<ReadonlyMap<string, Cost>> {
  const ns = await nanoseconds(loops, effort);
  const allocated = await bytes(loops, effort);
  const over = (values: Readonly<Record<string, number[]>>, name: string): Spread =>
    base === undefined || name === base
      ? spread(values[name] ?? [])
      : paired(values[name] ?? [], values[base] ?? [], (value, stub) => value - stub);
  return new Map(Object.keys(loops).map((name) => [name, { ns: over(ns, name), bytes: over(allocated, name) }]));
}

function table(title: string, costs: ReadonlyMap<string, Cost>): Table {
  return {
    title,
    head: ["", "ns", "bytes"],
    rows: [...costs].map(([name, cost]) => [
      name === "stub" ? "the stub itself" : name,
      withQuartiles(cost.ns, 0),
      fixed(cost.bytes.median, 0),
    ]),
  };
}
