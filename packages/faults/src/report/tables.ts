import type { Recovery } from "../dead-end/run-dead-end.ts";
import type { Figures } from "../figures.ts";
import type { Table } from "./markdown.ts";

export interface FaultRow {
  readonly scenario: string;
  readonly figures: Figures;
}

const NONE = "–";

/** One row per scenario, for one number of backends. */
export function faultTable(size: number, rows: readonly FaultRow[]): Table {
  return {
    head: [`one of ${size} is`, "calls", "lost", "extra", "left alone", "used again", "p99 ms", "max ms"],
    rows: rows.map(({ scenario, figures }) => [
      scenario,
      count(figures.calls),
      lostText(figures),
      count(figures.extra),
      duration(figures.stopMs),
      duration(figures.againMs),
      count(figures.p99Ms),
      count(figures.maxMs),
    ]),
  };
}

/** What was lost, and what of it while a backend could have served, if that is less. */
function lostText({ lost, avoidable }: Figures): string {
  return lost === avoidable ? count(lost) : `${count(lost)} (${count(avoidable)})`;
}

export function deadEndTable(recoveries: readonly Recovery[]): Table {
  return {
    head: ["two backends, one connection each", "who is back", "calls", "served", "all served after"],
    rows: recoveries.map(({ contestant, back, calls, served, recoveredAfterMs }) => [
      contestant,
      back === 0 ? "the first" : "the second",
      count(calls),
      count(served),
      recoveredAfterMs === undefined ? "never" : duration(recoveredAfterMs),
    ]),
  };
}

/** Why calls were lost, in a sentence per scenario that lost any. */
export function lossesMarkdown(size: number, rows: readonly FaultRow[]): string {
  return rows
    .filter(({ figures }) => figures.lost > 0)
    .map(({ scenario, figures }) => `- ${scenario}, ${size} backends: ${reasonsText(figures)}`)
    .join("\n");
}

function reasonsText({ reasons }: Figures): string {
  return Object.entries(reasons)
    .sort(([, a], [, b]) => b - a)
    .map(([what, times]) => `${count(times)} × ${/^\d+$/.test(what) ? `status ${what}` : `\`${what}\``}`)
    .join(", ");
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function duration(ms: number | undefined): string {
  if (ms === undefined) return NONE;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
