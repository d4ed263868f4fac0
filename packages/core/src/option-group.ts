import { type Expected, expected, type OptionCheck } from "./options.ts";

/** A group of options that `false` turns off: off, left as it was, or its record for `fill`. */
export function group<T>(
  check: OptionCheck,
  path: string,
  value: unknown,
  base: T | undefined,
  keys: readonly string[],
  fill: (input: Record<string, unknown>) => T,
): T | undefined {
  if (value === undefined) return base;
  if (value === false) return undefined;
  const input = check.record(path, value, keys);
  return input === undefined ? base : fill(input);
}

/** An imported value with that method, or `false` for none. */
export function switchable<T>(
  check: OptionCheck,
  path: string,
  value: unknown,
  method: string,
  example: string,
  base: T | undefined,
): T | undefined {
  if (value === undefined) return base;
  if (value === false) return undefined;
  return check.required(path, value, expected.having<T>(method, `false, or a value such as ${example}`)) ?? base;
}

/** The record `base` with those of `wanted` that are given in `input`, checked. */
export function fillIn<T extends object>(
  check: OptionCheck,
  path: string,
  input: Record<string, unknown>,
  base: T,
  wanted: { readonly [Key in keyof T]?: Expected<T[Key]> },
): T {
  const given: Record<string, unknown> = {};
  for (const [key, expects] of Object.entries<Expected<unknown> | undefined>(wanted)) {
    const value = expects && check.optional(path === "" ? key : `${path}.${key}`, input[key], expects);
    if (value !== undefined) given[key] = value;
  }
  return { ...base, ...given };
}
