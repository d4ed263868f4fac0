import type { OptionCheck } from "../../options.ts";
import { parseStatusRange, type StatusRange } from "../../status-ranges.ts";

/** Statuses: `200`, `"200"`, `"200-299"`, `"2xx"`, several of them with commas or as a list. */
export type StatusExpectation = number | string | readonly (number | string)[];

/** Whether a status is one of those. */
export function resolveStatuses(
  check: OptionCheck,
  path: string,
  value: unknown,
  otherwise: string,
): (status: number) => boolean {
  const items = (Array.isArray(value) ? value : [value ?? otherwise]).flatMap((item: unknown) =>
    typeof item === "string" ? item.split(",") : [item],
  );
  const ranges = items.map(rangeOf).filter((range) => range !== undefined);
  if (ranges.length === 0 || ranges.length < items.length)
    check.problem(path, value, 'statuses such as 200, "200-299", "2xx", or a list of them');
  return (status) => ranges.some(({ from, to }) => status >= from && status <= to);
}

function rangeOf(item: unknown): StatusRange | undefined {
  return parseStatusRange(String(item).replaceAll(/\s/g, "").toLowerCase());
}
