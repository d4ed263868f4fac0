import { expected, type OptionCheck } from "../../options.ts";

/** When backends are checked, and how many checks change their health. Every kind of check takes these options. */
export interface CheckSchedule {
  /** Milliseconds from one check of a backend to the next. Default 5,000. */
  readonly intervalMs?: number | undefined;
  /** The same while its health is changing: after the first failed check, or the first that passed. Default `intervalMs`. */
  readonly fastIntervalMs?: number | undefined;
  /** The same while it is down. Default `intervalMs`. */
  readonly downIntervalMs?: number | undefined;
  /** The longest that a check takes, milliseconds. Default 5,000, or `intervalMs` if that is less. */
  readonly timeoutMs?: number | undefined;
  /** Passed checks in a row that bring a backend up; whole, ≥ 1. Default 2. */
  readonly rise?: number | undefined;
  /** Failed checks in a row that take it down; whole, ≥ 1. Default 3. */
  readonly fall?: number | undefined;
  /** Share by which each interval varies at random, 0…1. Default 0: processes and backends are spread anyway. */
  readonly jitter?: number | undefined;
  /**
   * What a new backend is until it has been checked. `up` (default): it takes calls. `check-first`: it takes none until one
   * check has passed. `down`: it takes none until `rise` checks have.
   */
  readonly initial?: "up" | "down" | "check-first" | undefined;
  /**
   * Leaves out the check of a backend that is up if calls have succeeded there since the last one, and none has failed.
   * Default `false`: a health endpoint may know more than calls tell, such as an end that is near.
   */
  readonly liveSuccesses?: boolean | undefined;
  /** Whether a passed check brings back a backend that calls had ejected. Default `true`. */
  readonly unejects?: boolean | undefined;
  /** Checks under way at once, over all backends; whole, ≥ 1. Default 500. */
  readonly maxParallel?: number | undefined;
}

/** The same, complete. */
export type CheckScheduleSettings = { readonly [K in keyof CheckSchedule]-?: NonNullable<CheckSchedule[K]> };

export const SCHEDULE_KEYS: readonly (keyof CheckSchedule)[] = [
  "intervalMs",
  "fastIntervalMs",
  "downIntervalMs",
  "timeoutMs",
  "rise",
  "fall",
  "jitter",
  "initial",
  "liveSuccesses",
  "unejects",
  "maxParallel",
];

const INTERVAL_MS = 5_000;
const LONGEST_TIMEOUT_MS = 5_000;
/** `setTimeout` keeps 31 bits. */
const LONGEST_MS = 2 ** 31 - 1;

export function resolveSchedule(check: OptionCheck, input: Record<string, unknown>): CheckScheduleSettings {
  const ms = (key: keyof CheckSchedule, otherwise: number): number =>
    check.optional(key, input[key], expected.number({ above: 0, max: LONGEST_MS })) ?? otherwise;
  const count = (key: keyof CheckSchedule, otherwise: number): number =>
    check.optional(key, input[key], expected.integer({ min: 1 })) ?? otherwise;
  const flag = (key: keyof CheckSchedule, otherwise: boolean): boolean =>
    check.optional(key, input[key], expected.boolean) ?? otherwise;
  const intervalMs = ms("intervalMs", INTERVAL_MS);
  return {
    intervalMs,
    fastIntervalMs: ms("fastIntervalMs", intervalMs),
    downIntervalMs: ms("downIntervalMs", intervalMs),
    timeoutMs: ms("timeoutMs", Math.min(intervalMs, LONGEST_TIMEOUT_MS)),
    rise: count("rise", 2),
    fall: count("fall", 3),
    jitter: check.optional("jitter", input["jitter"], expected.number({ min: 0, max: 1 })) ?? 0,
    initial: check.optional("initial", input["initial"], expected.oneOf(["up", "down", "check-first"])) ?? "up",
    liveSuccesses: flag("liveSuccesses", false),
    unejects: flag("unejects", true),
    maxParallel: count("maxParallel", 500),
  };
}
