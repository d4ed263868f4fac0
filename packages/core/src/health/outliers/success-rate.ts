import { fillIn } from "../../option-group.ts";
import { expected, OptionCheck } from "../../options.ts";
import type { Detector, Outlier } from "./detector.ts";
import {
  count,
  type FailureOrigin,
  type FailureRate,
  type FailureRateOptions,
  failureOrigin,
  nameFor,
  ratesOf,
  shown,
} from "./failure-rates.ts";
import { percent } from "./outlier-settings.ts";

export interface SuccessRateOptions extends FailureRateOptions {
  /** Attempts in an interval without which a backend does not count; whole, ≥ 1. Default 100. */
  readonly requestVolume?: number | undefined;
  /**
   * How many standard deviations below the mean is too far; ≥ 0. Default 1.9. Among n backends none can be further away
   * than √(n − 1), so 1.9 takes at least five.
   */
  readonly stdevFactor?: number | undefined;
}

const DEFAULTS = {
  minBackends: 5,
  requestVolume: 100,
  stdevFactor: 1.9,
  enforcingPercent: 100,
  origin: undefined as FailureOrigin | undefined,
};

/** Rates that are equal must not differ from their mean by what sums of fractions are off. */
const ROUNDING = 1e-9;

/**
 * Ejects those whose success rate is lower than `mean − stdevFactor · σ`, with the mean and the population standard
 * deviation of all rates: 50, 100, 100, 100, 100 % have a mean of 90 and a σ of 20, so 52 is the least that is good enough.
 *
 * Sources: Envoy `outlier_detection_impl.cc` (`successRateEjectionThreshold`), gRFC A50.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function successRate(options: SuccessRateOptions = {}): Detector {
  const check = new OptionCheck();
  const input = check.record("", options, Object.keys(DEFAULTS)) ?? {};
  const settings = fillIn(check, "", input, DEFAULTS, {
    minBackends: count,
    requestVolume: count,
    stdevFactor: expected.number({ min: 0 }),
    enforcingPercent: percent,
    origin: failureOrigin,
  });
  check.throwIfAny("successRate");
  return {
    name: nameFor("SuccessRate", settings.origin),
    enforcingPercent: settings.enforcingPercent,
    judge: (backends, detection) => {
      const rates = ratesOf(backends, settings.requestVolume, settings.origin, detection);
      return rates.length < settings.minBackends ? [] : farBelow(rates, settings.stdevFactor);
    },
  };
}

function farBelow(rates: readonly FailureRate[], stdevFactor: number): readonly Outlier[] {
  const mean = rates.reduce((sum, { successPercent }) => sum + successPercent, 0) / rates.length;
  const variance = rates.reduce((sum, { successPercent }) => sum + (successPercent - mean) ** 2, 0) / rates.length;
  const stdev = Math.sqrt(variance);
  const least = mean - stdevFactor * stdev;
  return rates
    .filter(({ successPercent }) => successPercent < least - ROUNDING)
    .sort((a, b) => a.successPercent - b.successPercent)
    .map(({ backend, successPercent }) => ({
      backend,
      reason: `success rate ${shown(successPercent)} % < ${shown(least)} % (mean ${shown(mean)} %, σ ${shown(stdev)} %)`,
    }));
}
