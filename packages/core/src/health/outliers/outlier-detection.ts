import { OptionCheck } from "../../options.ts";
import { DEFAULT_EJECTION, type EjectionOptions } from "../ejection-settings.ts";
import type { OutlierDetection, OutlierWatch, WatchContext } from "./detection.ts";
import {
  checkDetection,
  DEFAULT_DETECTION,
  type GivenDetection,
  mergeDetection,
  type OutlierDetectionOptions,
  type OutlierDetectionSettings,
} from "./outlier-settings.ts";
import { Watch } from "./watch.ts";

const OWN_KEYS = Object.keys(DEFAULT_DETECTION);
const EJECTION_KEYS = Object.keys(DEFAULT_EJECTION).filter((key) => key !== "detection");

/**
 * For the option `ejection`: everything that it takes, other causes of ejections, and limits to them. Given to `configure`,
 * it changes what it names.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, for what it adds; the rest is checked by the balancer
 */
export function outlierDetection(options: OutlierDetectionOptions = {}): EjectionOptions {
  const check = new OptionCheck();
  const input = check.record("", options, [...EJECTION_KEYS, ...OWN_KEYS]) ?? {};
  const given = checkDetection(check, input);
  check.throwIfAny("outlierDetection");
  const ejection: EjectionOptions = Object.fromEntries(EJECTION_KEYS.map((key) => [key, input[key]]));
  return { ...ejection, detection: new AppliedDetection(given, DEFAULT_DETECTION) };
}

class AppliedDetection implements OutlierDetection {
  readonly settings: OutlierDetectionSettings;
  readonly #given: GivenDetection;

  constructor(given: GivenDetection, before: OutlierDetectionSettings) {
    this.#given = given;
    this.settings = mergeDetection(given, before);
  }

  over(before: OutlierDetection | undefined): OutlierDetection {
    return before === undefined ? this : new AppliedDetection(this.#given, before.settings);
  }

  createWatch(context: WatchContext): OutlierWatch {
    return new Watch(context);
  }
}
