import { isolated } from "../measure/isolated.ts";
import type { Effort } from "../measure/rounds.ts";
import { type Spread, spread } from "../measure/statistics.ts";
import type { Target } from "../measure/target.ts";
import { fixed, withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Thoroughness } from "../section.ts";
import type { PickCell } from "./cell.ts";
import { strategies } from "./strategies.ts";

const CELL = new URL("cell.ts", import.meta.url);
const SIZES = [10, 100, 10_000];
const EFFORTS: Readonly<Record<Thoroughness, Effort>> = {
  full: { rounds: 15, roundMs: 40, allocations: 200_000 },
  quick: { rounds: 3, roundMs: 1, allocations: 1_000 },
};
/** G1, for the default strategy. */
const LIMITS_NS = new Map([
  [10, 60],
  [10_000, 120],
]);
/** Readings of the heap are exact to some bytes in 100,000: less than this is nothing. */
const NO_BYTES = 0.5;

interface Measured {
  readonly strategy: string;
  readonly size: number;
  readonly ns: Spread;
  readonly floorNs: Spread;
  readonly bytes: Spread;
}

export const pickSection: Section = { name: "pick", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const measured: Measured[] = [];
  for (const strategy of Object.keys(strategies)) {
    for (const size of SIZES) {
      const cell = await isolated<PickCell>(CELL, [strategy, String(size), JSON.stringify(effort)]);
      const { ns, floorNs, bytes } = cell;
      measured.push({ strategy, size, ns: spread(ns), floorNs: spread(floorNs), bytes: spread(bytes) });
    }
  }
  return {
    title: "One pick",
    method: [
      "`Picker.pick` alone, over backends with a history of 20 calls each and 50 calls under way; every cell in a process",
      `of its own, ${effort.rounds} rounds of ${effort.roundMs} ms. The floor is a bare power-of-two-choices loop with a`,
      "xorshift generator in the same process: no gate, no weights, no latency.",
    ].join(" "),
    tables: [
      {
        title: "Median [quartiles] per pick",
        head: ["strategy", "backends", "ns", "floor ns", "× floor", "bytes"],
        rows: measured.map(({ strategy, size, ns, floorNs, bytes }) => [
          strategy,
          size.toLocaleString("en-US"),
          withQuartiles(ns, 1),
          fixed(floorNs.median, 1),
          fixed(ns.median / floorNs.median, 1),
          fixed(bytes.median, 2),
        ]),
      },
    ],
    targets: measured.filter(({ strategy }) => strategy === "peakEwma").flatMap(targetsOf),
  };
}

function targetsOf({ strategy, size, ns, bytes }: Measured): Target[] {
  const limitNs = LIMITS_NS.get(size);
  if (limitNs === undefined) return [];
  const what = `a pick of ${strategy} among ${size.toLocaleString("en-US")}`;
  return [
    { goal: "G1", what, limit: { bound: "at most", value: limitNs, unit: "ns" }, measured: ns },
    { goal: "G1", what, limit: { bound: "at most", value: 0, unit: "B" }, measured: withoutRounding(bytes) },
  ];
}

function withoutRounding({ median, low, high }: Spread): Spread {
  return { median: rounded(median), low: rounded(low), high: rounded(high) };
}

function rounded(bytes: number): number {
  return Math.abs(bytes) < NO_BYTES ? 0 : bytes;
}
