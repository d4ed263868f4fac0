import type { Random } from "@fairlead/core";
import type { BreakerSettings } from "../settings.ts";
import type { Window } from "./window.ts";

/** Why it should open now, if it should. */
export function tripReason(
  settings: BreakerSettings,
  failuresInRow: number,
  window: Window | undefined,
): string | undefined {
  if (failuresInRow >= settings.consecutiveFailures)
    return `${failuresInRow} failure${failuresInRow === 1 ? "" : "s"} in a row`;
  if (window === undefined || window.finished < settings.volumeThreshold) return undefined;
  const { finished, failed, slow } = window;
  if (failed * 100 > settings.errorThresholdPercentage * finished) return `${failed} of ${finished} calls failed`;
  if (slow * 100 > settings.slowPercentage * finished) {
    return `${slow} of ${finished} calls took longer than ${settings.slowAboveMs} ms`;
  }
  return undefined;
}

/** base · factor^level, varied by ± jitter; never above the limit, which liveness relies on. */
export function openMs(
  { resetTimeout, growthFactor, longestOpenMs, jitter }: BreakerSettings,
  level: number,
  random: Random,
): number {
  const grown = growthFactor === 1 ? resetTimeout : Math.min(resetTimeout * growthFactor ** level, longestOpenMs);
  return jitter === 0 ? grown : Math.min(grown * (1 + jitter * (2 * random.next() - 1)), longestOpenMs);
}
