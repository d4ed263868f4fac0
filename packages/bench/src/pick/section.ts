import type { Effort } from "../measure/rounds.ts";
import type { Target } from "../measure/target.ts";
import { fixed, withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Thoroughness } from "../section.ts";
import { strategies } from "../strategies.ts";
import { type MeasuredPick, measuredPick } from "./measured.ts";

const DEFAULT = "peakEwma";
/** Looks at every backend, as its documentation says. */
const FULL_SCAN = "rendezvous";
const LARGEST = 10_000;
const SIZES: Readonly<Record<Thoroughness, readonly number[]>> = {
  full: [10, 100, 1_000, LARGEST],
  quick: [10, LARGEST],
};
const EFFORTS: Readonly<Record<Thoroughness, Effort>> = {
  full: { rounds: 9, roundMs: 30, allocations: 100_000 },
  quick: { rounds: 2, roundMs: 1, allocations: 1_000 },
};
/** G1, for the default strategy. */
const LIMITS_NS = new Map([
  [10, 60],
  [LARGEST, 120],
]);
/** G2, for all others: those that hash a key have 50 ns more, as in section `keys`. */
const limitNs = (strategy: string): number => (HASHING.includes(strategy) ? 250 : 200);
const HASHING = ["ringHash", "maglev"];

export const pickSection: Section = { name: "pick", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const measured: MeasuredPick[] = [];
  for (const strategy of Object.keys(strategies)) {
    for (const size of SIZES[thoroughness]) measured.push(await measuredPick(strategy, size, effort));
  }
  return {
    title: "One pick",
    method: [
      "`Picker.pick` alone, over backends with a history of 20 calls each and 50 calls under way; strategies that hash get",
      "4,096 different 36-character keys by turns. Every cell in a process of its own,",
      `${effort.rounds} rounds of ${effort.roundMs} ms. The floor is a bare power-of-two-choices loop with a xorshift generator`,
      "in the same process: no gate, no weights, no latency.",
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
    targets: measured.flatMap((pick) => (pick.strategy === DEFAULT ? ofDefault(pick) : ofAny(pick))),
  };
}

function ofDefault(pick: MeasuredPick): Target[] {
  const limit = LIMITS_NS.get(pick.size);
  return limit === undefined ? [] : [timeTarget("G1", pick, limit), bytesTarget("G1", pick)];
}

function ofAny(pick: MeasuredPick): Target[] {
  if (pick.size !== LARGEST) return [];
  return pick.strategy === FULL_SCAN
    ? [bytesTarget("G2", pick)]
    : [timeTarget("G2", pick, limitNs(pick.strategy)), bytesTarget("G2", pick)];
}

function timeTarget(goal: string, pick: MeasuredPick, value: number): Target {
  return { goal, what: describe(pick), limit: { bound: "at most", value, unit: "ns" }, measured: pick.ns };
}

function bytesTarget(goal: string, pick: MeasuredPick): Target {
  return { goal, what: describe(pick), limit: { bound: "at most", value: 0, unit: "B" }, measured: pick.provenBytes };
}

function describe({ strategy, size }: MeasuredPick): string {
  return `a pick of ${strategy} among ${size.toLocaleString("en-US")}`;
}
