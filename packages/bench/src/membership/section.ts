import { isolated } from "../measure/isolated.ts";
import { type Spread, spread } from "../measure/statistics.ts";
import type { Target } from "../measure/target.ts";
import { withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Thoroughness } from "../section.ts";
import { strategies } from "../strategies.ts";
import { CHANGES, type Change, type MembershipCell } from "./changes.ts";

const CELL = new URL("cell.ts", import.meta.url);
const ROUNDS: Readonly<Record<Thoroughness, number>> = { full: 15, quick: 2 };
const UNCHANGED: Change = "the same again";
const UNCHANGED_LIMIT_MS = 3;
const LIMIT_MS = 5;

export const membershipSection: Section = { name: "membership", run };

type Measured = Readonly<Record<Change, Spread>>;

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const rounds = ROUNDS[thoroughness];
  const measured = new Map<string, Measured>();
  for (const strategy of Object.keys(strategies)) {
    const cell = await isolated<MembershipCell>(CELL, [strategy, String(rounds)]);
    const spreads = CHANGES.map((change) => [change, spread(cell[change])] as const);
    measured.set(strategy, Object.fromEntries(spreads) as Record<Change, Spread>);
  }
  return {
    title: "A new set of 10,000 backends",
    method: [
      "`balancer.set` with a set of fresh objects, and the first pick after it; the pick builds the view and what the strategy",
      `needs for it. All of it blocks. Every strategy in a process of its own, ${rounds} rounds.`,
    ].join(" "),
    tables: [
      {
        title: "Median [quartiles], ms",
        head: ["strategy", ...CHANGES],
        rows: [...measured].map(([strategy, spreads]) => [
          strategy,
          ...CHANGES.map((change) => withQuartiles(spreads[change], 2)),
        ]),
      },
    ],
    targets: [...measured].flatMap(([strategy, spreads]) =>
      CHANGES.map((change) => target(strategy, change, spreads[change])),
    ),
  };
}

function target(strategy: string, change: Change, measured: Spread): Target {
  return {
    goal: "G14",
    what: `a set of 10,000, ${change}, and a pick: ${strategy}`,
    limit: { bound: "at most", value: limitMs(strategy, change), unit: "ms" },
    measured,
  };
}

function limitMs(strategy: string, change: Change): number {
  if (change === UNCHANGED) return UNCHANGED_LIMIT_MS;
  if (strategy === "maglev") return 8;
  if (strategy === "ringHash") return change === "one added" ? 10 : 25;
  return LIMIT_MS;
}
