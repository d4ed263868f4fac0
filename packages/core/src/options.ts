import { FairleadError } from "./errors.ts";

/** One thing that is wrong with the options. */
export interface OptionProblem {
  /** Where, such as `backends[1].weight`. */
  readonly path: string;
  /** The value that was given, in short. */
  readonly got: string;
  readonly expected: string;
  /** The name that was probably meant. */
  readonly didYouMean?: string | undefined;
}

/** What a value must be: a description, and a test that narrows. */
export interface Expected<T> {
  readonly description: string;
  /** A secret's value is never repeated. */
  readonly secret?: boolean;
  accepts(value: unknown): value is T;
}

/** A person reads this many lines; a program finds all of them. */
const LISTED = 50;

/** Gathers every problem of one set of options, so that a user mends them all in one go. */
export class OptionCheck {
  readonly #problems: OptionProblem[] = [];

  get count(): number {
    return this.#problems.length;
  }

  get problems(): readonly OptionProblem[] {
    return this.#problems;
  }

  problem(path: string, got: unknown, wanted: string, didYouMean?: string): void {
    this.#add(path, show(got), wanted, didYouMean);
  }

  /** An object with no other keys than `keys`; `undefined` (and a problem) if it is none. */
  record(path: string, value: unknown, keys: readonly string[]): Record<string, unknown> | undefined {
    if (!isRecord(value)) {
      this.problem(path, value, "an object");
      return undefined;
    }
    for (const key of Object.keys(value)) {
      if (keys.includes(key)) continue;
      // What it is cannot be known, so it may be a secret.
      this.#add(path === "" ? key : `${path}.${key}`, kindOf(value[key]), "no such option", nearest(key, keys));
    }
    return value;
  }

  /** A value that may be left out. */
  optional<T>(path: string, value: unknown, wanted: Expected<T>): T | undefined {
    return value === undefined ? undefined : this.required(path, value, wanted);
  }

  required<T>(path: string, value: unknown, wanted: Expected<T>): T | undefined {
    if (wanted.accepts(value)) return value;
    this.#add(path, wanted.secret === true ? "(not shown)" : show(value), wanted.description);
    return undefined;
  }

  /** Takes over a problem that somebody else has found. */
  adopt(problem: OptionProblem): void {
    this.#problems.push(problem);
  }

  #add(path: string, got: string, wanted: string, didYouMean?: string): void {
    this.#problems.push({ path, got, expected: wanted, ...(didYouMean === undefined ? {} : { didYouMean }) });
  }

  /** Throws one error that lists everything. */
  throwIfAny(what: string): void {
    if (this.#problems.length === 0) return;
    const lines = this.#problems
      .slice(0, LISTED)
      .map(
        ({ path, got, expected: wanted, didYouMean }) =>
          `  ${path}: got ${got}, expected ${wanted}${didYouMean === undefined ? "" : `; did you mean \`${didYouMean}\`?`}`,
      );
    const { length } = this.#problems;
    if (length > LISTED) lines.push(`  and ${length - LISTED} more (all are in \`problems\`)`);
    throw new FairleadError(
      "FAIRLEAD_ERR_CONFIG",
      `${what}: ${length} problem${length === 1 ? "" : "s"}\n${lines.join("\n")}`,
      {
        problems: this.#problems,
      },
    );
  }
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** Exclusive, as is `below`. */
  readonly above?: number;
  readonly below?: number;
}

/** The kinds of value that options take. */
export const expected = {
  text: {
    description: "a non-empty text",
    accepts: (value: unknown): value is string => typeof value === "string" && value !== "",
  },
  anyText: {
    description: "a text",
    accepts: (value: unknown): value is string => typeof value === "string",
  },
  secretText: {
    description: "a non-empty text",
    secret: true,
    accepts: (value: unknown): value is string => typeof value === "string" && value !== "",
  },
  textOrTexts: {
    description: "a text or a list of texts",
    secret: true,
    accepts: (value: unknown): value is string | readonly string[] =>
      typeof value === "string" || (Array.isArray(value) && value.every((item) => typeof item === "string")),
  },
  headerValue: {
    description: "a host name, with a port where needed",
    accepts: (value: unknown): value is string => typeof value === "string" && /^[\w.:[\]-]+$/.test(value),
  },
  boolean: {
    description: "true or false",
    accepts: (value: unknown): value is boolean => typeof value === "boolean",
  },
  labels: {
    description: "an object of texts",
    accepts: (value: unknown): value is Readonly<Record<string, string>> =>
      isRecord(value) && Object.values(value).every((item) => typeof item === "string"),
  },
  number: (bounds: Bounds): Expected<number> => ({
    description: `a number ${describeBounds(bounds)}`,
    accepts: (value: unknown): value is number => Number.isFinite(value) && within(value as number, bounds),
  }),
  integer: (bounds: Bounds): Expected<number> => ({
    description: `a whole number ${describeBounds(bounds)}`,
    accepts: (value: unknown): value is number => Number.isInteger(value) && within(value as number, bounds),
  }),
  /** A duration in milliseconds, or `false` for none. */
  durationOrOff: {
    description: "milliseconds above 0 (at most 2147483647), or false for no limit",
    accepts: (value: unknown): value is number | false =>
      value === false || (typeof value === "number" && value > 0 && value <= LONGEST_TIMER_MS),
  },
  oneOf: <const T extends string>(values: readonly T[]): Expected<T> => ({
    description: `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`,
    accepts: (value: unknown): value is T => values.some((item) => item === value),
  }),
  func: {
    description: "a function",
    accepts: (value: unknown): value is (...args: never) => unknown => typeof value === "function",
  },
  /** An object with a method of that name, such as a strategy. */
  having: <T>(method: string, description: string): Expected<T> => ({
    description,
    accepts: (value: unknown): value is T => isRecord(value) && typeof value[method] === "function",
  }),
};

/** `setTimeout` keeps 31 bits; beyond them it fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function within(value: number, { min, max, above, below }: Bounds): boolean {
  return (
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
}

function describeBounds({ min, max, above, below }: Bounds): string {
  const signs = { "≥": min, ">": above, "≤": max, "<": below };
  return Object.entries(signs)
    .flatMap(([sign, bound]) => (bound === undefined ? [] : [`${sign} ${bound}`]))
    .join(" and ");
}

/** The value in short. What may carry a secret in a URL is left out: user and password, query, fragment. */
function show(value: unknown): string {
  if (typeof value !== "string")
    return typeof value === "number" || typeof value === "boolean" ? String(value) : kindOf(value);
  const masked = value.replace(/[^/\s]*@/g, "…@").replace(/[?#].*$/s, "…");
  return JSON.stringify(masked.length > 80 ? `${masked.slice(0, 79)}…` : masked);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (value === null || value === undefined) return String(value);
  const article = typeof value === "object" ? "an" : "a";
  return `${article} ${typeof value === "string" ? "text" : typeof value}`;
}

/** The key with the fewest edits, if that is less than half of the name. */
export function nearest(name: string, keys: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length * 0.45)) + 1;
  for (const key of keys) {
    const edits = distance(name.toLowerCase(), key.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      best = key;
    }
  }
  return best;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
