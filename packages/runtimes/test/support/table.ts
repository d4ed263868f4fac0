/** A cell of the table that has "what" for its first column. */
export function cellOf(markdown: string, row: string, column: string): string | undefined {
  const rows = markdown
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const head = rows.find(([first]) => first === "what") ?? [];
  const at = head.indexOf(column);
  return at < 0 ? undefined : rows.find(([first]) => first === row)?.[at];
}
