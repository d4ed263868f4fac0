import { fillIn } from "../../option-group.ts";
import { expected, OptionCheck } from "../../options.ts";
import type { Detector } from "./detector.ts";
import {
  count,
  type FailureOrigin,
  type FailureRateOptions,
  failureOrigin,
  nameFor,
  ratesOf,
  shown,
} from "./failure-rates.ts";
import { percent } from "./outlier-settings.ts";

export interface FailurePercentageOptions extends FailureRateOptions {
  /** Attempts in an interval without which a backend is not judged; whole, ≥ 1. Default 50. */
  readonly requestVolume?: number | undefined;
  /** Failures in percent, 0…100. Default 85. */
  readonly threshold?: number | undefined;
  /** Whether just the threshold is too much: `>=` (default), as in Envoy, or `>`, as in gRPC. */
  readonly equality?: ">=" | ">" | undefined;
}

const DEFAULTS = {
  minBackends: 5,
  requestVolume: 50,
  threshold: 85,
  equality: ">=" as ">=" | ">",
  enforcingPercent: 100,
  origin: undefined as FailureOrigin | undefined,
};

/**
 * Ejects those of whose attempts too many fail, whatever the others do.
 *
 * Sources: Envoy `outlier_detection_impl.cc` (`processSuccessRateEjections`), gRFC A50.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function failurePercentage(options: FailurePercentageOptions = {}): Detector {
  const check = new OptionCheck();
  const input = check.record("", options, Object.keys(DEFAULTS)) ?? {};
  const { threshold, equality, requestVolume, minBackends, ...settings } = fillIn(check, "", input, DEFAULTS, {
    minBackends: count,
    requestVolume: count,
    threshold: percent,
    equality: expected.oneOf([">=", ">"]),
    enforcingPercent: percent,
    origin: failureOrigin,
  });
  check.throwIfAny("failurePercentage");
  const sign = equality === ">=" ? "≥" : ">";
  return {
    name: nameFor("FailurePercentage", settings.origin),
    enforcingPercent: settings.enforcingPercent,
    judge: (backends, detection) => {
      const rates = ratesOf(backends, requestVolume, settings.origin, detection);
      if (rates.length < minBackends) return [];
      return rates
        .filter(({ failedPercent }) => (equality === ">" ? failedPercent > threshold : failedPercent >= threshold))
        .sort((a, b) => b.failedPercent - a.failedPercent)
        .map(({ backend, failed, total, failedPercent }) => ({
          backend,
          reason: `${shown(failedPercent)} % of attempts failed ${sign} ${threshold} % (${failed} of ${total})`,
        }));
    },
  };
}
