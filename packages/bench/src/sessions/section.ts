import { isolated } from "../measure/isolated.ts";
import type { Effort } from "../measure/rounds.ts";
import { paired, spread } from "../measure/statistics.ts";
import { fixed, withQuartiles } from "../report/format.ts";
import type { Section, SectionResult, Thoroughness } from "../section.ts";
import type { SessionLoop, SessionsCell } from "./cell.ts";

const CELL = new URL("cell.ts", import.meta.url);
const EFFORTS: Readonly<Record<Thoroughness, Effort>> = {
  full: { rounds: 25, roundMs: 40, allocations: 50_000 },
  quick: { rounds: 2, roundMs: 1, allocations: 500 },
};
const PLAIN: SessionLoop = "a lease by strategy";
const PINNED: SessionLoop = "a lease where the session lives";

export const sessionsSection: Section = { name: "sessions", run };

async function run(thoroughness: Thoroughness): Promise<SectionResult> {
  const effort = EFFORTS[thoroughness];
  const { ns, bytes } = await isolated<SessionsCell>(CELL, [JSON.stringify(effort)]);
  return {
    title: "Ten thousand sessions by cookie",
    method: [
      "`tryAcquire`, `settle` and `release` over ten backends, by the default strategy and where a session lives; `find` of",
      "`cookieAffinity` for a cookie that is known, behind two others in its header; `keep` when the client's cookie is good.",
      "Ten thousand clients by turns, all loops in one process,",
      `${effort.rounds} rounds of ${effort.roundMs} ms.`,
    ].join(" "),
    tables: [
      {
        title: "Median [quartiles]",
        head: ["", "ns", "bytes"],
        rows: (Object.keys(ns) as SessionLoop[]).map((name) => [
          name,
          withQuartiles(spread(ns[name]), 0),
          fixed(spread(bytes[name]).median, 0),
        ]),
      },
    ],
    targets: [
      {
        goal: "sessions",
        what: "a lease where the session lives, over one by the default strategy",
        limit: { bound: "at most", value: 1, unit: "×" },
        measured: paired(ns[PINNED], ns[PLAIN], (pinned, plain) => pinned / plain),
      },
    ],
  };
}
