import type { BackendShare, Figures, GroupShare, SimulationResult } from "./result.ts";

const HEAD = ["scenario", "policy", "p50", "p99", "p99.9", "errors %", "extra %", "share per backend, %"];
/** The columns of figures stand flush right. */
const FIRST_FIGURE = 2;
const LAST_FIGURE = 6;

/** Results as text in columns: one line each, and one for every phase. Times are milliseconds. */
export function formatTable(results: readonly SimulationResult[]): string {
  const rows = [HEAD, ...results.flatMap(rowsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column >= FIRST_FIGURE && column <= LAST_FIGURE ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function rowsOf(result: SimulationResult): string[][] {
  return [
    [result.scenario, `${result.policy} (${result.mode})`, ...figuresOf(result), sharesOf(result)],
    ...result.phases.map((phase) => [`  ${phase.name}`, "", ...figuresOf(phase), groupShares(phase.groups)]),
  ];
}

function figuresOf({ p50Ms, p99Ms, p999Ms, errorPercent, extraPercent }: Figures): string[] {
  return [p50Ms.toFixed(1), p99Ms.toFixed(1), p999Ms.toFixed(0), errorPercent.toFixed(3), extraPercent.toFixed(2)];
}

/** The least and the most of each group, what stays in its zone, and which keys stay with their backend. */
function sharesOf({ groups, backends, sameZonePercent, sameBackendPercent }: SimulationResult): string {
  const parts = groups.map(({ group }) => rangeOf(backends.filter((backend) => backend.group === group)));
  if (sameZonePercent !== null) parts.push(`same zone ${sameZonePercent.toFixed(1)}`);
  if (sameBackendPercent !== null) parts.push(`same backend ${sameBackendPercent.toFixed(1)}`);
  return parts.filter((part) => part !== "").join(", ");
}

function rangeOf(backends: readonly BackendShare[]): string {
  const shares = backends.map(({ sharePercent }) => sharePercent).sort((a, b) => a - b);
  const [least, most] = [shares[0], shares.at(-1)].map((share) => share?.toFixed(1));
  if (least === undefined) return "";
  return `${backends[0]?.group} ${least === most ? least : `${least}–${most}`}`;
}

function groupShares(groups: readonly GroupShare[]): string {
  return groups.map(({ group, sharePercent }) => `all ${group} ${sharePercent.toFixed(1)}`).join(", ");
}
