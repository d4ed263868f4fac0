import { type Target, verdict } from "../measure/target.ts";
import type { SectionResult, Table } from "../section.ts";
import { fixed, withQuartiles } from "./format.ts";

/** Of a limit, and of what was measured for it. */
const DIGITS: Readonly<Record<string, readonly [limit: number, measured: number]>> = {
  "×": [2, 3],
  "%": [1, 3],
  ns: [0, 1],
  ms: [0, 2],
};

/** One section: how it was measured, and what came out. */
export function sectionMarkdown({ title, method, tables }: SectionResult): string {
  const parts = tables.map((table) => `### ${table.title}\n\n${tableMarkdown(table)}`);
  return [`## ${title}`, method, ...parts].join("\n\n");
}

export function targetsMarkdown(targets: readonly Target[]): string {
  const rows = targets.map((target) => {
    const { goal, what, limit, measured } = target;
    const [limitDigits, digits] = DIGITS[limit.unit] ?? [0, 0];
    const value = `${limit.bound} ${fixed(limit.value, limitDigits)} ${limit.unit}`;
    return [goal, what, value, withQuartiles(measured, digits), verdict(limit, measured)];
  });
  return `## Targets\n\n${tableMarkdown({ title: "", head: ["", "what", "limit", "measured", "verdict"], rows })}`;
}

/** Columns are aligned, so that it reads well unrendered: the first to the left, all that begin with a digit to the right. */
export function tableMarkdown({ head, rows }: Pick<Table, "head" | "rows"> & { readonly title?: string }): string {
  const columns = head.map((title, index) => {
    const cells = rows.map((row) => row[index] ?? "");
    return { width: Math.max(3, title.length, ...cells.map(({ length }) => length)), right: isNumeric(cells) };
  });
  const line = (cells: readonly string[]): string =>
    `| ${columns.map(({ width, right }, index) => pad(cells[index] ?? "", width, right)).join(" | ")} |`;
  const rule = columns.map(({ width, right }) => (right ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

function isNumeric(cells: readonly string[]): boolean {
  return cells.some((cell) => /^-?\d/.test(cell)) && cells.every((cell) => cell === "" || /^-?\d/.test(cell));
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}
