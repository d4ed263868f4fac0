import { fillIn, group } from "../option-group.ts";
import { type Expected, expected, type OptionCheck } from "../options.ts";
import type { OutlierDetection } from "./outliers/detection.ts";

/** Passive health: taking a backend that fails out of play for a time. */
export interface EjectionOptions {
  /** Failures in a row that eject; whole, ≥ 1, or `false`: off. Default 5. */
  readonly consecutiveFailures?: number | false | undefined;
  /** The first ejection in milliseconds. Default 5,000. */
  readonly baseMs?: number | undefined;
  /** The longest ejection in milliseconds, jitter included. Default 300,000, or `baseMs` if that is more. */
  readonly maxMs?: number | undefined;
  /** The n-th ejection lasts base · 2ⁿ⁻¹ (`exponential`, default), base · n (`linear`) or always base (`fixed`). */
  readonly growth?: "exponential" | "linear" | "fixed" | undefined;
  /** Share by which each ejection varies at random, 0…1. Default 0.2. */
  readonly jitter?: number | undefined;
  /** A backend that stays in for this many milliseconds has one step of growth forgiven. Default 10,000. */
  readonly intervalMs?: number | undefined;
  /** Other causes of ejections, and limits to them: what `outlierDetection({ … })` adds. `false` turns it off. Default off. */
  readonly detection?: false | OutlierDetection | undefined;
}

export interface EjectionSettings {
  /** Failures in a row that eject. */
  readonly consecutiveFailures: number | false;
  /** The first ejection, milliseconds. */
  readonly baseMs: number;
  readonly maxMs: number;
  readonly growth: "exponential" | "linear" | "fixed";
  /** Share by which each duration varies at random, up or down. */
  readonly jitter: number;
  /** In play for so long, one step of growth is forgiven; where there are detectors, they judge as often. Milliseconds. */
  readonly intervalMs: number;
  readonly detection: OutlierDetection | undefined;
}

export const DEFAULT_EJECTION: EjectionSettings = {
  consecutiveFailures: 5,
  baseMs: 5_000,
  maxMs: 300_000,
  growth: "exponential",
  jitter: 0.2,
  // Envoy's.
  intervalMs: 10_000,
  detection: undefined,
};

/** So many failures in a row, or none: off. */
export const inRow: Expected<number | false> = {
  description: "a whole number ≥ 1, or false",
  accepts: (value): value is number | false => value === false || expected.integer({ min: 1 }).accepts(value),
};

export function resolveEjection(
  check: OptionCheck,
  value: unknown,
  base: EjectionSettings | undefined,
): EjectionSettings | undefined {
  return group(check, "ejection", value, base, Object.keys(DEFAULT_EJECTION), (input) => {
    const from = base ?? DEFAULT_EJECTION;
    const positive = expected.number({ above: 0 });
    const settings = fillIn(check, "ejection", input, from, {
      consecutiveFailures: inRow,
      baseMs: positive,
      maxMs: positive,
      growth: expected.oneOf(["exponential", "linear", "fixed"]),
      jitter: expected.number({ min: 0, max: 1 }),
      intervalMs: positive,
    });
    const maxMs = input["maxMs"] === undefined ? Math.max(settings.maxMs, settings.baseMs) : settings.maxMs;
    if (maxMs < settings.baseMs) check.problem("ejection.maxMs", maxMs, `at least baseMs (${settings.baseMs})`);
    return { ...settings, maxMs, detection: resolveDetection(check, input["detection"], from.detection) };
  });
}

function resolveDetection(
  check: OptionCheck,
  value: unknown,
  base: OutlierDetection | undefined,
): OutlierDetection | undefined {
  if (value === false) return undefined;
  return (
    check
      .optional("ejection.detection", value, expected.having<OutlierDetection>("over", "what outlierDetection() makes"))
      ?.over(base) ?? base
  );
}
