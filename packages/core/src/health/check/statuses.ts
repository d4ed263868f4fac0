import type { OptionCheck } from "../../options.ts";

/** Statuses: `200`, `"200"`, `"200-299"`, `"2xx"`, several of them with commas or as a list. */
export type StatusExpectation = number | string | readonly (number | string)[];

type Range = readonly [from: number, to: number];

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
  return (status) => ranges.some(([from, to]) => status >= from && status <= to);
}

function rangeOf(item: unknown): Range | undefined {
  const [, from = "", to = from] = /^\s*([1-5]\d\d)\s*(?:-\s*([1-5]\d\d)\s*)?$/.exec(String(item)) ?? [];
  if (from !== "") return Number(from) <= Number(to) ? [Number(from), Number(to)] : undefined;
  const [, hundreds] = /^\s*([1-5])xx\s*$/i.exec(String(item)) ?? [];
  return hundreds === undefined ? undefined : [Number(hundreds) * 100, Number(hundreds) * 100 + 99];
}
