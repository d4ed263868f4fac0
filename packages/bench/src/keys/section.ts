import type { Effort } from "../measure/rounds.ts";
import { measuredPick } from "../pick/measured.ts";
import { withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Thoroughness } from "../section.ts";
import { keyed } from "../strategies.ts";

const SIZES = [10, 1_000];
const EFFORTS: Readonly<Record<Thoroughness, Effort>> = {
  full: { rounds: 15, roundMs: 40, allocations: 100_000 },
  quick: { rounds: 2, roundMs: 1, allocations: 1_000 },
};
const limitNs = (strategy: string): number => (strategy.endsWith("xxh64") ? 250 : 80);

export const keysSection: Section = { name: "keys", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const measured = [];
  for (const strategy of Object.keys(keyed)) {
    for (const size of SIZES) measured.push(await measuredPick(strategy, size, effort));
  }
  return {
    title: "From a key to its backend",
    method: [
      "`Picker.pick` with 4,096 different 36-character keys by turns: the hash and the look into the table, with the tables'",
      `default sizes. Every cell in a process of its own, ${effort.rounds} rounds of ${effort.roundMs} ms.`,
    ].join(" "),
    tables: [
      {
        title: "Median [quartiles] per key",
        head: ["table, hash", "backends", "ns"],
        rows: measured.map(({ strategy, size, ns }) => [strategy, size.toLocaleString("en-US"), withQuartiles(ns, 1)]),
      },
    ],
    targets: measured.map(({ strategy, size, ns }) => ({
      goal: "keys",
      what: `a key of 36 characters, ${strategy}, ${size.toLocaleString("en-US")} backends`,
      limit: { bound: "at most", value: limitNs(strategy), unit: "ns" },
      measured: ns,
    })),
  };
}
