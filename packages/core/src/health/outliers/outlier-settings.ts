import { fillIn } from "../../option-group.ts";
import { type Expected, expected, type OptionCheck } from "../../options.ts";
import { type EjectionOptions, inRow } from "../ejection-settings.ts";
import type { Detector } from "./detector.ts";

/** Which failures in a row eject, by the name of the option that says how many. */
const CONSECUTIVE_KINDS = [
  "consecutiveFailures",
  "consecutiveGatewayFailures",
  "consecutiveLocalOriginFailures",
] as const;
type ConsecutiveKind = (typeof CONSECUTIVE_KINDS)[number];

/** Everything that `ejection` takes, and other causes of ejections and limits to them. */
export interface OutlierDetectionOptions extends Omit<EjectionOptions, "detection"> {
  /** Failures in a row that eject, of 502, 503, 504 and of local origin (but see below); `false`: off. Default off. */
  readonly consecutiveGatewayFailures?: number | false | undefined;
  /** The same of failures seen on this side: no connection, reset, timeout. Default off; 5 with the option below. */
  readonly consecutiveLocalOriginFailures?: number | false | undefined;
  /** Failures of local origin count for `consecutiveLocalOriginFailures` alone. Default `false`. */
  readonly splitLocalOriginErrors?: boolean | undefined;
  /** Compare the backends: `successRate()`, `failurePercentage()`, `latencyOutliers()`, your own. Default none. */
  readonly detectors?: readonly Detector[] | undefined;
  /** The chance in percent, 0…100, that failures in a row eject. Default 100 each. */
  readonly enforcing?: { readonly [Kind in ConsecutiveKind]?: number | undefined } | undefined;
  /** The share of the backends in percent, 0…100, that may be out at once. Default 100: no limit, panic is the guard. */
  readonly maxEjectionPercent?: number | undefined;
  /** `envoy` (default): with one more the share must not exceed that. `grpc`: before one more it must be below that. */
  readonly maxEjectionReading?: "envoy" | "grpc" | undefined;
  /** One may be out whatever the limit. Default `false`. */
  readonly alwaysEjectOne?: boolean | undefined;
  /** Nobody is ejected; `ejectionSkipped` says who would have been. Default `false`. */
  readonly dryRun?: boolean | undefined;
}

/** The options that `outlierDetection` adds, as they apply. */
export interface OutlierDetectionSettings {
  readonly consecutiveGatewayFailures: number | false;
  readonly consecutiveLocalOriginFailures: number | false;
  readonly splitLocalOriginErrors: boolean;
  readonly detectors: readonly Detector[];
  readonly enforcing: Readonly<Record<ConsecutiveKind, number>>;
  readonly maxEjectionPercent: number;
  readonly maxEjectionReading: "envoy" | "grpc";
  readonly alwaysEjectOne: boolean;
  readonly dryRun: boolean;
}

export const DEFAULT_DETECTION: OutlierDetectionSettings = {
  consecutiveGatewayFailures: false,
  consecutiveLocalOriginFailures: false,
  splitLocalOriginErrors: false,
  detectors: [],
  enforcing: { consecutiveFailures: 100, consecutiveGatewayFailures: 100, consecutiveLocalOriginFailures: 100 },
  maxEjectionPercent: 100,
  maxEjectionReading: "envoy",
  alwaysEjectOne: false,
  dryRun: false,
};

/** With `splitLocalOriginErrors`, as in Envoy. */
const LOCAL_ORIGIN_FAILURES = 5;

/** Names under which ejections are counted that no detector has found. */
const TAKEN: readonly string[] = [...CONSECUTIVE_KINDS, "failedTest"];

export const percent: Expected<number> = expected.number({ min: 0, max: 100 });

/** Those that are given, of the options and of the chances. */
export type GivenDetection = Partial<Omit<OutlierDetectionSettings, "enforcing">> & {
  readonly enforcing?: Partial<OutlierDetectionSettings["enforcing"]>;
};

/** Those of the options that are given, checked. */
export function checkDetection(check: OptionCheck, input: Record<string, unknown>): GivenDetection {
  const none: GivenDetection = {};
  const given = fillIn(check, "", input, none, {
    consecutiveGatewayFailures: inRow,
    consecutiveLocalOriginFailures: inRow,
    splitLocalOriginErrors: expected.boolean,
    maxEjectionPercent: percent,
    maxEjectionReading: expected.oneOf(["envoy", "grpc"]),
    alwaysEjectOne: expected.boolean,
    dryRun: expected.boolean,
  });
  const { detectors, enforcing } = input;
  return {
    ...given,
    ...(detectors === undefined ? {} : { detectors: checkDetectors(check, detectors) }),
    ...(enforcing === undefined ? {} : { enforcing: checkEnforcing(check, enforcing) }),
  };
}

function checkDetectors(check: OptionCheck, value: unknown): readonly Detector[] {
  const list = check.required("detectors", value, {
    description: "a list of detectors, such as [successRate()]",
    accepts: (given): given is readonly Detector[] => Array.isArray(given),
  });
  const names = new Set(TAKEN);
  for (const [index, detector] of (list ?? []).entries()) {
    const path = `detectors[${index}]`;
    if (
      check.required(path, detector, expected.having<Detector>("judge", "a detector, such as successRate()")) ===
      undefined
    )
      continue;
    const { name, enforcingPercent } = detector;
    check.required(`${path}.name`, name, expected.text);
    check.optional(`${path}.enforcingPercent`, enforcingPercent, percent);
    if (names.has(name)) check.problem(`${path}.name`, name, "a name that nothing else has");
    names.add(name);
  }
  return [...(list ?? [])];
}

function checkEnforcing(check: OptionCheck, value: unknown): Partial<OutlierDetectionSettings["enforcing"]> {
  const input = check.record("enforcing", value, CONSECUTIVE_KINDS) ?? {};
  const none: Partial<OutlierDetectionSettings["enforcing"]> = {};
  return fillIn(check, "enforcing", input, none, {
    consecutiveFailures: percent,
    consecutiveGatewayFailures: percent,
    consecutiveLocalOriginFailures: percent,
  });
}

/** What is given over what applied before. */
export function mergeDetection(given: GivenDetection, before: OutlierDetectionSettings): OutlierDetectionSettings {
  const { splitLocalOriginErrors, consecutiveLocalOriginFailures } = { ...before, ...given };
  // Nothing else counts them then: they must not go unseen unless that is said.
  const unseen = splitLocalOriginErrors && !before.splitLocalOriginErrors && consecutiveLocalOriginFailures === false;
  return {
    ...before,
    ...(unseen ? { consecutiveLocalOriginFailures: LOCAL_ORIGIN_FAILURES } : {}),
    ...given,
    enforcing: { ...before.enforcing, ...given.enforcing },
  };
}
