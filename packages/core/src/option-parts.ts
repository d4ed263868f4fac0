import { FairleadError } from "./errors.ts";
import { nearest, type OptionCheck } from "./options.ts";

/** One of these names; if it is none, a problem, with the name that was probably meant. */
export function named<T extends string>(
  check: OptionCheck,
  path: string,
  value: unknown,
  names: readonly T[],
  wanted: string,
): T | undefined {
  const known = names.find((name) => name === value);
  if (known === undefined)
    check.problem(path, value, wanted, typeof value === "string" ? nearest(value, names) : undefined);
  return known;
}

/** Makes the part at `path`, and takes over what that finds wrong with its options. */
export function within<T>(check: OptionCheck, path: string, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof FairleadError) || error.problems.length === 0) throw error;
    for (const problem of error.problems)
      check.adopt({ ...problem, path: [path, problem.path].filter((part) => part !== "").join(".") });
    return undefined;
  }
}
