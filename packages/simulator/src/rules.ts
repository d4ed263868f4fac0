/** Checks one value; tells `problem` where, what was given, and what was expected. */
export type Rule = (
  value: unknown,
  path: string,
  problem: (path: string, got: unknown, expected: string) => void,
) => void;

interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** Exclusive. */
  readonly above?: number;
  readonly below?: number;
}

export const anything: Rule = () => {};

export const text: Rule = (value, path, problem) => {
  if (typeof value !== "string" || value === "") problem(path, value, "a text");
};

export function textMatching(pattern: RegExp, description: string): Rule {
  return (value, path, problem) => {
    if (typeof value !== "string" || !pattern.test(value)) problem(path, value, description);
  };
}

export function number(bounds: Bounds): Rule {
  return (value, path, problem) => {
    if (typeof value !== "number" || !Number.isFinite(value) || !within(value, bounds))
      problem(path, value, `a number${described(bounds)}`);
  };
}

export function integer(bounds: Bounds): Rule {
  return (value, path, problem) => {
    if (!Number.isInteger(value) || !within(value as number, bounds))
      problem(path, value, `a whole number${described(bounds)}`);
  };
}

export function optional(rule: Rule): Rule {
  return (value, path, problem) => {
    if (value !== undefined) rule(value, path, problem);
  };
}

export function listOf(rule: Rule): Rule {
  return (value, path, problem) => {
    if (!Array.isArray(value)) problem(path, value, "a list");
    else for (const [index, item] of value.entries()) rule(item, `${path}[${index}]`, problem);
  };
}

/** An object with these keys, and no others. */
export function record(shape: Readonly<Record<string, Rule>>): Rule {
  return (value, path, problem) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      problem(path, value, "an object");
      return;
    }
    const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
    for (const [key, item] of Object.entries(value))
      if (!Object.hasOwn(shape, key)) problem(at(key), item, "no such option");
    for (const [key, rule] of Object.entries(shape)) rule((value as Record<string, unknown>)[key], at(key), problem);
  };
}

function within(value: number, { min, max, above, below }: Bounds): boolean {
  return (
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
}

function described({ min, max, above, below }: Bounds): string {
  const limits = { "≥": min, ">": above, "≤": max, "<": below };
  const parts = Object.entries(limits).flatMap(([sign, limit]) => (limit === undefined ? [] : [`${sign} ${limit}`]));
  return parts.length === 0 ? "" : ` ${parts.join(" and ")}`;
}
