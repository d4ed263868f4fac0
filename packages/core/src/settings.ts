import type { Classifier } from "./call/classifier.ts";
import type { BalancerOptions, DeriveOptions, ReconfigurableOptions } from "./contract.ts";
import type { EjectionSettings } from "./health/ejection.ts";
import type { SlowStartSettings } from "./health/slow-start.ts";
import { DEFAULT_MEMBERSHIP, type MembershipSettings, resolveMembership } from "./membership/membership-settings.ts";
import { type Expected, expected, type OptionCheck } from "./options.ts";
import { peakEwma } from "./strategy/peak-ewma.ts";
import type { Strategy } from "./strategy/strategy.ts";
import { DEFAULT_TOPOLOGY, resolveTopology, TOPOLOGY_KEYS, type TopologySettings } from "./topology-settings.ts";

export interface RetrySettings {
  readonly limit: number;
  readonly statusCodes: ReadonlySet<number>;
  readonly retryOnTimeout: boolean;
  readonly backoffBaseMs: number;
  readonly backoffLimitMs: number;
  readonly rateLimitScope: "upstream" | "backend";
}

export interface BudgetSettings {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly burst: number;
}

/** The options that belong to one balancer; a derived one has its own. */
export interface CallSettings {
  readonly strategy: Strategy;
  /** `undefined`: off. */
  readonly retry: RetrySettings | undefined;
  /** Milliseconds; `false`: no limit. So are the three below. */
  readonly connectTimeoutMs: number | false;
  readonly attemptTimeoutMs: number | false;
  readonly deadlineMs: number | false;
  readonly bodyIdleTimeoutMs: number | false;
  readonly classify: Classifier | undefined;
}

/** The options that all balancers over the same members share. */
export interface SharedSettings extends TopologySettings {
  readonly ejection: EjectionSettings | undefined;
  readonly slowStart: SlowStartSettings | undefined;
  readonly retryBudget: BudgetSettings | undefined;
  readonly requeueBudget: BudgetSettings | undefined;
  readonly pauseLimitMs: number;
  readonly queue: { readonly size: number; readonly timeoutMs: number };
  readonly membership: MembershipSettings;
}

/** Every option with its default filled in. */
export interface Settings extends CallSettings, SharedSettings {}

/** RFC 9110 §15.5.9, §15.5.20, §15.6.3–5 and RFC 8470 §5.2: statuses that say another try may do better. */
const RETRIED_STATUSES = [408, 421, 425, 502, 503, 504];

const DERIVE_KEYS = [
  "strategy",
  "retry",
  "connectTimeoutMs",
  "attemptTimeoutMs",
  "deadlineMs",
  "bodyIdleTimeoutMs",
  "classify",
] as const;
const SHARED_KEYS = [
  ...TOPOLOGY_KEYS,
  "ejection",
  "slowStart",
  "retryBudget",
  "requeueBudget",
  "pauseLimitMs",
  "queue",
  "membership",
] as const;
const OWN_KEYS = ["name", "backends", "discovery", "origin", "breaker", "clock", "random"] as const;

export const BALANCER_KEYS: readonly (keyof BalancerOptions)[] = [...OWN_KEYS, ...DERIVE_KEYS, ...SHARED_KEYS];
export const RECONFIGURABLE_KEYS: readonly (keyof ReconfigurableOptions)[] = [...DERIVE_KEYS, ...SHARED_KEYS];
export const DERIVABLE_KEYS: readonly (keyof DeriveOptions)[] = DERIVE_KEYS;

export const DEFAULT_RETRY: RetrySettings = {
  limit: 2,
  statusCodes: new Set(RETRIED_STATUSES),
  retryOnTimeout: true,
  backoffBaseMs: 25,
  backoffLimitMs: 1_000,
  rateLimitScope: "upstream",
};

/** A strategy keeps state, so each balancer has its own. */
export function defaultCallSettings(): CallSettings {
  return {
    strategy: peakEwma(),
    retry: DEFAULT_RETRY,
    connectTimeoutMs: 1_000,
    attemptTimeoutMs: 10_000,
    deadlineMs: 30_000,
    bodyIdleTimeoutMs: 300_000,
    classify: undefined,
  };
}

const DEFAULT_EJECTION: EjectionSettings = { consecutiveFailures: 5, baseMs: 5_000, maxMs: 300_000, jitter: 0.2 };
const DEFAULT_SLOW_START: SlowStartSettings = { windowMs: 10_000, aggression: 1, minWeight: 0.1 };

export const DEFAULT_SHARED_SETTINGS: SharedSettings = {
  ...DEFAULT_TOPOLOGY,
  ejection: DEFAULT_EJECTION,
  slowStart: DEFAULT_SLOW_START,
  retryBudget: { ratio: 0.2, minPerSecond: 1, burst: 10 },
  requeueBudget: { ratio: 1, minPerSecond: 1, burst: 10 },
  pauseLimitMs: 60_000,
  queue: { size: 1_000, timeoutMs: 1_000 },
  membership: DEFAULT_MEMBERSHIP,
};

/** Checks the options of one balancer and fills in what they leave out from `base`. */
export function resolveCallSettings(
  check: OptionCheck,
  input: Record<string, unknown>,
  base: CallSettings,
): CallSettings {
  return {
    strategy:
      check.optional(
        "strategy",
        input["strategy"],
        expected.having<Strategy>("build", "a strategy, such as peakEwma()"),
      ) ?? base.strategy,
    retry: resolveRetry(check, input["retry"], base.retry),
    connectTimeoutMs:
      check.optional("connectTimeoutMs", input["connectTimeoutMs"], expected.durationOrOff) ?? base.connectTimeoutMs,
    attemptTimeoutMs:
      check.optional("attemptTimeoutMs", input["attemptTimeoutMs"], expected.durationOrOff) ?? base.attemptTimeoutMs,
    deadlineMs: check.optional("deadlineMs", input["deadlineMs"], expected.durationOrOff) ?? base.deadlineMs,
    bodyIdleTimeoutMs:
      check.optional("bodyIdleTimeoutMs", input["bodyIdleTimeoutMs"], expected.durationOrOff) ?? base.bodyIdleTimeoutMs,
    classify: (check.optional("classify", input["classify"], expected.func) as Classifier | undefined) ?? base.classify,
  };
}

/** Checks the options that derived balancers share, and fills in what they leave out from `base`. */
export function resolveSharedSettings(
  check: OptionCheck,
  input: Record<string, unknown>,
  base: SharedSettings,
): SharedSettings {
  return {
    ...resolveTopology(check, input, base),
    ejection: resolveEjection(check, input["ejection"], base.ejection),
    slowStart: resolveSlowStart(check, input["slowStart"], base.slowStart),
    retryBudget: resolveBudget(check, "retryBudget", input["retryBudget"], base.retryBudget, 0.2),
    requeueBudget: resolveBudget(check, "requeueBudget", input["requeueBudget"], base.requeueBudget, 1),
    pauseLimitMs:
      check.optional("pauseLimitMs", input["pauseLimitMs"], expected.number({ min: 0 })) ?? base.pauseLimitMs,
    queue: resolveQueue(check, input["queue"], base.queue),
    membership: resolveMembership(check, input["membership"], base.membership),
  };
}

/** A group of options that `false` turns off: off, left as it was, or its record for `fill`. */
function group<T>(
  check: OptionCheck,
  path: string,
  value: unknown,
  base: T | undefined,
  keys: readonly string[],
  fill: (input: Record<string, unknown>) => T,
): T | undefined {
  if (value === undefined) return base;
  if (value === false) return undefined;
  const input = check.record(path, value, keys);
  return input === undefined ? base : fill(input);
}

/** For the options of one call. */
export function checkRetry(check: OptionCheck, value: unknown): void {
  resolveRetry(check, value, DEFAULT_RETRY);
}

function resolveRetry(check: OptionCheck, value: unknown, base: RetrySettings | undefined): RetrySettings | undefined {
  const keys = ["limit", "statusCodes", "retryOnTimeout", "backoffBaseMs", "backoffLimitMs", "rateLimitScope"];
  return group(check, "retry", value, base, keys, (input) => {
    const from = base ?? DEFAULT_RETRY;
    const read = <T>(key: string, wanted: Expected<T>): T | undefined =>
      check.optional(`retry.${key}`, input[key], wanted);
    const statuses = read("statusCodes", statusCodes);
    return {
      limit: read("limit", expected.integer({ min: 0, max: 100 })) ?? from.limit,
      statusCodes: statuses === undefined ? from.statusCodes : new Set(statuses),
      retryOnTimeout: read("retryOnTimeout", expected.boolean) ?? from.retryOnTimeout,
      backoffBaseMs: read("backoffBaseMs", expected.number({ min: 0 })) ?? from.backoffBaseMs,
      backoffLimitMs: read("backoffLimitMs", expected.number({ min: 0 })) ?? from.backoffLimitMs,
      rateLimitScope: read("rateLimitScope", expected.oneOf(["upstream", "backend"])) ?? from.rateLimitScope,
    };
  });
}

const statusCodes = {
  description: "a list of status codes, 400 to 599",
  accepts: (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 400 && item <= 599),
};

function resolveEjection(
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

function resolveSlowStart(
  check: OptionCheck,
  value: unknown,
  base: SlowStartSettings | undefined,
): SlowStartSettings | undefined {
  return group(check, "slowStart", value, base, ["windowMs", "aggression", "minWeight"], (input) => {
    const from = base ?? DEFAULT_SLOW_START;
    const read = (key: keyof SlowStartSettings, max?: number): number =>
      check.optional(
        `slowStart.${key}`,
        input[key],
        expected.number(max === undefined ? { above: 0 } : { above: 0, max }),
      ) ?? from[key];
    return { windowMs: read("windowMs"), aggression: read("aggression"), minWeight: read("minWeight", 1) };
  });
}

function resolveBudget(
  check: OptionCheck,
  path: string,
  value: unknown,
  base: BudgetSettings | undefined,
  ratio: number,
): BudgetSettings | undefined {
  return group(check, path, value, base, ["ratio", "minPerSecond", "burst"], (input) => ({
    ratio: check.optional(`${path}.ratio`, input["ratio"], expected.number({ min: 0 })) ?? base?.ratio ?? ratio,
    minPerSecond:
      check.optional(`${path}.minPerSecond`, input["minPerSecond"], expected.number({ min: 0 })) ??
      base?.minPerSecond ??
      1,
    burst: check.optional(`${path}.burst`, input["burst"], expected.integer({ min: 0 })) ?? base?.burst ?? 10,
  }));
}

function resolveQueue(check: OptionCheck, value: unknown, base: SharedSettings["queue"]): SharedSettings["queue"] {
  if (value === undefined) return base;
  const input = check.record("queue", value, ["size", "timeoutMs"]);
  if (input === undefined) return base;
  return {
    size: check.optional("queue.size", input["size"], expected.integer({ min: 0 })) ?? base.size,
    timeoutMs: check.optional("queue.timeoutMs", input["timeoutMs"], expected.number({ min: 0 })) ?? base.timeoutMs,
  };
}
