import { type Expected, expected, type OptionCheck } from "@fairlead/core";

/** Checks the value at `path`; what is wrong goes to `check`. */
export type Rule = (check: OptionCheck, path: string, value: unknown) => void;

/** What a value must be, by the keys that may be there. */
export type Shape = Readonly<Record<string, Rule>>;

type Bounds = Parameters<typeof expected.number>[0];

export const anything: Rule = () => {};
export const text: Rule = must(expected.text);
export const boolean: Rule = must(expected.boolean);

export function must<T>(wanted: Expected<T>): Rule {
  return (check, path, value) => void check.required(path, value, wanted);
}

export function number(bounds: Bounds): Rule {
  return must(expected.number(bounds));
}

export function integer(bounds: Bounds): Rule {
  return must(expected.integer(bounds));
}

export function optional(rule: Rule): Rule {
  return (check, path, value) => {
    if (value !== undefined) rule(check, path, value);
  };
}

export function listOf(rule: Rule): Rule {
  return (check, path, value) => {
    if (!Array.isArray(value)) check.problem(path, value, "a list");
    else for (const [index, item] of value.entries()) rule(check, `${path}[${index}]`, item);
  };
}

/** An object with these keys, and no others. */
export function record(shape: Shape): Rule {
  return (check, path, value) => {
    const input = check.record(path, value, Object.keys(shape));
    if (input === undefined) return;
    for (const [key, rule] of Object.entries(shape)) rule(check, path === "" ? key : `${path}.${key}`, input[key]);
  };
}

/** A record whose `kind` says what else it holds. */
export function oneKind(kinds: Readonly<Record<string, Shape>>, common: Shape): Rule {
  return (check, path, value) => {
    const kind: unknown = typeof value === "object" && value !== null ? (value as { kind?: unknown }).kind : undefined;
    const shape = typeof kind === "string" && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (shape === undefined) check.problem(`${path}.kind`, kind, `one of ${Object.keys(kinds).join(", ")}`);
    else record({ kind: text, ...common, ...shape })(check, path, value);
  };
}
