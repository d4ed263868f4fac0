import { group } from "../option-group.ts";
import { expected, type OptionCheck } from "../options.ts";

/** Passive health: taking a backend that fails out of play for a time. */
export interface EjectionOptions {
  /** Failures in a row that eject; whole, ≥ 1. Default 5. */
  readonly consecutiveFailures?: number | undefined;
  /** The first ejection in milliseconds; each further one doubles it. Default 5,000. */
  readonly baseMs?: number | undefined;
  /** The longest ejection in milliseconds, jitter included. Default 300,000. */
  readonly maxMs?: number | undefined;
  /** Share by which each ejection varies at random, 0…1. Default 0.2. */
  readonly jitter?: number | undefined;
}

export interface EjectionSettings {
  /** Failures in a row that eject. */
  readonly consecutiveFailures: number;
  /** The first ejection, milliseconds; each further one doubles it. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Share by which each duration varies at random, up or down. */
  readonly jitter: number;
}

export const DEFAULT_EJECTION: EjectionSettings = {
  consecutiveFailures: 5,
  baseMs: 5_000,
  maxMs: 300_000,
  jitter: 0.2,
};

export function resolveEjection(
  check: OptionCheck,
  value: unknown,
  base: EjectionSettings | undefined,
): EjectionSettings | undefined {
  const keys = ["consecutiveFailures", "baseMs", "maxMs", "jitter"];
  return group(check, "ejection", value, base, keys, (input) => {
    const from = base ?? DEFAULT_EJECTION;
    const baseMs = check.optional("ejection.baseMs", input["baseMs"], expected.number({ above: 0 })) ?? from.baseMs;
    const maxMs =
      check.optional("ejection.maxMs", input["maxMs"], expected.number({ above: 0 })) ?? Math.max(from.maxMs, baseMs);
    if (maxMs < baseMs) check.problem("ejection.maxMs", maxMs, `at least baseMs (${baseMs})`);
    return {
      consecutiveFailures:
        check.optional("ejection.consecutiveFailures", input["consecutiveFailures"], expected.integer({ min: 1 })) ??
        from.consecutiveFailures,
      baseMs,
      maxMs,
      jitter: check.optional("ejection.jitter", input["jitter"], expected.number({ min: 0, max: 1 })) ?? from.jitter,
    };
  });
}
