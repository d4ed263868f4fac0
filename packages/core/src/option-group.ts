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

/** Imported values, each with a method and an example; `false` for none. What is left out is as in `base`. */
export function switchable<T extends object, K extends keyof T & string>(
  check: OptionCheck,
  input: Record<string, unknown>,
  base: T,
  wanted: Readonly<Record<K, readonly [method: string, example: string]>>,
): Pick<T, K> {
  const filled: Partial<T> = {};
  for (const [key, [method, example]] of Object.entries<readonly [string, string]>(wanted) as [K, [string, string]][]) {
    const value = input[key];
    const wants = expected.having<T[K]>(method, `false, or a value such as ${example}`);
    filled[key] = value === false ? undefined : (check.optional(key, value, wants) ?? base[key]);
  }
  return filled as Pick<T, K>;
}

/** Those of `wanted` as `input` gives them, checked; what it leaves out is as in `base`. */
export function fillIn<T extends object, K extends keyof T & string>(
  check: OptionCheck,
  path: string,
  input: Record<string, unknown>,
  base: T,
  wanted: { readonly [Key in K]: Expected<T[Key]> },
): Pick<T, K> {
  const filled: Partial<T> = {};
  for (const key of Object.keys(wanted) as K[]) {
    const value = check.optional(path === "" ? key : `${path}.${key}`, input[key], wanted[key]) ?? base[key];
    if (value !== undefined) filled[key] = value;
  }
  return filled as Pick<T, K>;
}
