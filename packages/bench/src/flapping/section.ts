import { isolated } from "../measure/isolated.ts";
import { paired, type Spread, spread } from "../measure/statistics.ts";
import { withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Thoroughness } from "../section.ts";
import type { FlappingCell } from "./cell.ts";

const CELL = new URL("cell.ts", import.meta.url);
/** The default, and one whose table would be dear to build anew. */
const STRATEGIES = ["peakEwma", "ringHash"];
const LIMIT_PERCENT = 2;

interface Effort {
  readonly rounds: number;
  /** With and without flapping, each. */
  readonly halfMs: number;
}

const EFFORTS: Readonly<Record<Thoroughness, Effort>> = {
  full: { rounds: 5, halfMs: 1_000 },
  quick: { rounds: 2, halfMs: 120 },
};

export const flappingSection: Section = { name: "flapping", run };

interface Measured {
  readonly strategy: string;
  readonly steady: Spread;
  readonly flapping: Spread;
  readonly more: Spread;
}

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const { rounds, halfMs } = EFFORTS[thoroughness];
  const measured: Measured[] = [];
  for (const strategy of STRATEGIES) {
    const cell = await isolated<FlappingCell>(CELL, [strategy, String(rounds), String(halfMs)]);
    if (cell.refused > 0) throw new Error(`${cell.refused} calls were refused under ${strategy}`);
    const more = paired(cell.flapping, cell.steady, (flapping, steady) => flapping - steady);
    measured.push({ strategy, steady: spread(cell.steady), flapping: spread(cell.flapping), more });
  }
  return {
    title: "Flapping breakers",
    method: [
      "10,000 backends with a breaker each, 1,000 calls a second; 200 of the breakers open and close ten times a second, or",
      "do not. Processor time of the whole process, as a share of one processor;",
      `${rounds} rounds of ${halfMs} ms without and ${halfMs} ms with flapping; the difference is taken per round.`,
    ].join(" "),
    tables: [
      {
        title: "Median [quartiles], % of a processor",
        head: ["strategy", "steady", "flapping", "difference"],
        rows: measured.map(({ strategy, steady, flapping, more }) => [
          strategy,
          withQuartiles(steady, 2),
          withQuartiles(flapping, 2),
          withQuartiles(more, 2),
        ]),
      },
    ],
    targets: measured.map(({ strategy, more }) => ({
      goal: "flapping",
      what: `breakers of 200 backends open and close ten times a second, ${strategy}`,
      limit: { bound: "at most", value: LIMIT_PERCENT, unit: "%" },
      measured: more,
    })),
  };
}
