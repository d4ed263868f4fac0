import { type Expected, expected } from "../../options.ts";
import type { BackendStatistics } from "./detector.ts";
import type { OutlierDetectionSettings } from "./outlier-settings.ts";

/**
 * Which failures a detector looks at: `all` of them; those that the `backend` answered with, as if the others had not been
 * tried; or those of `local` origin, for which any answer is a success.
 */
export type FailureOrigin = "all" | "backend" | "local";

/** What detectors of failures have in common. */
export interface FailureRateOptions {
  /** With fewer backends of enough volume than this, nobody is judged; whole, ≥ 1. Default 5, as in Envoy. */
  readonly minBackends?: number | undefined;
  /** The chance in percent, 0…100, that an outlier is ejected. Default 100. */
  readonly enforcingPercent?: number | undefined;
  /** Default `all`; with `splitLocalOriginErrors` it is `backend`. */
  readonly origin?: FailureOrigin | undefined;
}

/** What one backend's attempts came to. */
export interface FailureRate extends Pick<BackendStatistics, "backend"> {
  readonly failed: number;
  readonly total: number;
  readonly failedPercent: number;
  readonly successPercent: number;
}

export const count: Expected<number> = expected.integer({ min: 1 });
export const failureOrigin: Expected<FailureOrigin | undefined> = expected.oneOf(["all", "backend", "local"]);

/** The name of a detector, which tells apart what it looks at. */
export function nameFor(name: string, origin: FailureOrigin | undefined): string {
  return origin === "local" ? `localOrigin${name}` : name.charAt(0).toLowerCase() + name.slice(1);
}

/** Of the backends with at least `volume` attempts; those with fewer tell nothing, neither of themselves nor of the others. */
export function ratesOf(
  backends: readonly BackendStatistics[],
  volume: number,
  origin: FailureOrigin | undefined,
  { splitLocalOriginErrors }: OutlierDetectionSettings,
): readonly FailureRate[] {
  const of = origin ?? (splitLocalOriginErrors ? "backend" : "all");
  const rates: FailureRate[] = [];
  for (const { backend, successes, failures, localOriginFailures: local } of backends) {
    const failed = of === "all" ? failures : of === "local" ? local : failures - local;
    const total = of === "backend" ? successes + failed : successes + failures;
    if (total < volume) continue;
    // Multiplied first: whole percents come out whole, and may be compared.
    const failedPercent = (100 * failed) / total;
    rates.push({ backend, failed, total, failedPercent, successPercent: (100 * (total - failed)) / total });
  }
  return rates;
}

/** A number as people read it. */
export function shown(value: number): string {
  return String(Math.round(value * 10) / 10);
}
