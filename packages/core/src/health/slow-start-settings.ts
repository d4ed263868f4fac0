import { fillIn, group } from "../option-group.ts";
import { expected, type OptionCheck } from "../options.ts";

/** How a backend that comes back from an ejection, or joins others that were there before, gets to its share. */
export interface SlowStartOptions {
  /** Milliseconds to full weight. Default 10,000. */
  readonly windowMs?: number | undefined;
  /** 1 (default) grows linearly, more grows faster at first; > 0. */
  readonly aggression?: number | undefined;
  /** The share of its weight it begins with, above 0 to 1. Default 0.1. */
  readonly minWeight?: number | undefined;
}

export interface SlowStartSettings {
  /** Time from return to full weight, milliseconds. */
  readonly windowMs: number;
  /** 1: linear; above 1: faster at first. */
  readonly aggression: number;
  /** The share of its weight a backend begins with, in (0, 1]. */
  readonly minWeight: number;
}

export const DEFAULT_SLOW_START: SlowStartSettings = { windowMs: 10_000, aggression: 1, minWeight: 0.1 };

export function resolveSlowStart(
  check: OptionCheck,
  value: unknown,
  base: SlowStartSettings | undefined,
): SlowStartSettings | undefined {
  const positive = expected.number({ above: 0 });
  return group(check, "slowStart", value, base, Object.keys(DEFAULT_SLOW_START), (input) =>
    fillIn(check, "slowStart", input, base ?? DEFAULT_SLOW_START, {
      windowMs: positive,
      aggression: positive,
      minWeight: expected.number({ above: 0, max: 1 }),
    }),
  );
}
