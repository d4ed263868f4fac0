import { expected, type OptionCheck } from "@fairlead/core";

/** When a breaker opens, for how long, and what closes it. Names that opossum has mean what they mean there. */
export interface BreakerRules {
  /**
   * Opens when more than this share of the finished calls in the window has failed, percent, 0 ≤ x < 100; `false`: the
   * share does not matter. Default 50, or `false` where `consecutiveFailures` is given.
   */
  readonly errorThresholdPercentage?: number | false | undefined;
  /** Shares count from this many finished calls in the window on; whole, ≥ 0. Default 10, or `windowCalls` if that is less. */
  readonly volumeThreshold?: number | undefined;
  /** How long it stays open, milliseconds > 0. Default 30,000. */
  readonly resetTimeout?: number | undefined;
  /** Length of the window, milliseconds > 0. Default 10,000. */
  readonly rollingCountTimeout?: number | undefined;
  /** Parts in which the window moves on, 1 to 1,000. Default 10. */
  readonly rollingCountBuckets?: number | undefined;
  /** The window is the last so many finished calls instead of a time, 1 to 10,000. */
  readonly windowCalls?: number | undefined;
  /** Calls at once; whole, ≥ 1. Default: no limit. */
  readonly capacity?: number | undefined;
  /** Opens after so many failures in a row, in whatever time; whole, ≥ 1. Default: does not. */
  readonly consecutiveFailures?: number | undefined;
  /** Opens when too many finished calls were slow, failed ones included. Default: does not. */
  readonly slowCalls?: false | SlowCallOptions | undefined;
  /** The calls that may try whether it works again. */
  readonly probes?: ProbeOptions | undefined;
  /** Makes each opening longer than the one before. Default: all last `resetTimeout`. */
  readonly growth?: false | GrowthOptions | undefined;
  /** `false`: lets everything through and counts nothing. Default `true`. */
  readonly enabled?: boolean | undefined;
  /** `true`: does not open in its first `rollingCountTimeout` milliseconds. Default `false`. */
  readonly allowWarmUp?: boolean | undefined;
}

export interface SlowCallOptions {
  /** A call that takes longer is slow, milliseconds > 0. */
  readonly aboveMs: number;
  /** Opens when more than this share is slow, percent, 0 ≤ x < 100. Default 50. */
  readonly percentage?: number | undefined;
}

export interface ProbeOptions {
  /** How many calls try, at most at once; 1 to 1,000. Default 1. */
  readonly count?: number | undefined;
  /** Closes when at least this share of them works, else opens again; percent, 0 < x ≤ 100. Default 100. */
  readonly successPercentage?: number | undefined;
  /** Probes without a verdict so long after the last of them began have failed, milliseconds > 0. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

export interface GrowthOptions {
  /** Each opening lasts so many times the one before, ≥ 1. Default 2. */
  readonly factor?: number | undefined;
  /** The longest opening, jitter included, milliseconds ≥ `resetTimeout`. Default 300,000, or `resetTimeout` if that is more. */
  readonly limitMs?: number | undefined;
  /** Share by which each varies at random, up or down, 0 to 1. Default 0.2. */
  readonly jitter?: number | undefined;
}

/** The rules with every default filled in; percentages and limits that are off are `Infinity`. */
export interface BreakerSettings {
  readonly errorThresholdPercentage: number;
  readonly volumeThreshold: number;
  readonly resetTimeout: number;
  readonly rollingCountTimeout: number;
  readonly rollingCountBuckets: number;
  readonly windowCalls: number | undefined;
  readonly capacity: number;
  readonly consecutiveFailures: number;
  readonly slowAboveMs: number;
  readonly slowPercentage: number;
  readonly probes: number;
  /** So many probes must work. */
  readonly probesNeeded: number;
  readonly probeTimeoutMs: number;
  readonly growthFactor: number;
  readonly longestOpenMs: number;
  readonly jitter: number;
  readonly enabled: boolean;
  readonly allowWarmUp: boolean;
}

/**
 * Ten calls in a window are one a second. Of a backend with 5 % errors, six of ten fail once in 360,000 windows; of one
 * with 20 %, once in 157. opossum's 0 opens on the first failure after a quiet time.
 */
const VOLUME = 10;
/** Three default attempt timeouts: longer than any call of a balancer should be without a verdict. */
const PROBE_TIMEOUT_MS = 30_000;
/** Timers and clocks hold no more. */
const LONGEST_MS = 2 ** 31 - 1;

const milliseconds = expected.number({ above: 0, max: LONGEST_MS });
const share = expected.number({ min: 0, below: 100 });

export const RULE_KEYS: readonly (keyof BreakerRules)[] = [
  "errorThresholdPercentage",
  "volumeThreshold",
  "resetTimeout",
  "rollingCountTimeout",
  "rollingCountBuckets",
  "windowCalls",
  "capacity",
  "consecutiveFailures",
  "slowCalls",
  "probes",
  "growth",
  "enabled",
  "allowWarmUp",
];

/** Checks the rules and fills in what they leave out. */
export function resolveRules(check: OptionCheck, input: Record<string, unknown>): BreakerSettings {
  const consecutiveFailures = check.optional(
    "consecutiveFailures",
    input["consecutiveFailures"],
    expected.integer({ min: 1 }),
  );
  const resetTimeout = check.optional("resetTimeout", input["resetTimeout"], milliseconds) ?? 30_000;
  return {
    ...resolveWindow(check, input),
    errorThresholdPercentage: resolveErrorThreshold(check, input, consecutiveFailures),
    resetTimeout,
    capacity: check.optional("capacity", input["capacity"], expected.integer({ min: 1 })) ?? Number.POSITIVE_INFINITY,
    consecutiveFailures: consecutiveFailures ?? Number.POSITIVE_INFINITY,
    ...resolveSlowCalls(check, input["slowCalls"]),
    ...resolveProbes(check, input["probes"]),
    ...resolveGrowth(check, input["growth"], resetTimeout),
    enabled: check.optional("enabled", input["enabled"], expected.boolean) ?? true,
    allowWarmUp: check.optional("allowWarmUp", input["allowWarmUp"], expected.boolean) ?? false,
  };
}

function resolveErrorThreshold(
  check: OptionCheck,
  { errorThresholdPercentage: value }: Record<string, unknown>,
  consecutiveFailures: number | undefined,
): number {
  if (value === false) return Number.POSITIVE_INFINITY;
  const given = check.optional("errorThresholdPercentage", value, {
    ...share,
    description: "a share ≥ 0 and < 100 (it opens above that), or false",
  });
  return given ?? (consecutiveFailures === undefined ? 50 : Number.POSITIVE_INFINITY);
}

function resolveWindow(
  check: OptionCheck,
  input: Record<string, unknown>,
): Pick<BreakerSettings, "rollingCountTimeout" | "rollingCountBuckets" | "windowCalls" | "volumeThreshold"> {
  const windowCalls = check.optional("windowCalls", input["windowCalls"], expected.integer({ min: 1, max: 10_000 }));
  const volumeThreshold =
    check.optional("volumeThreshold", input["volumeThreshold"], expected.integer({ min: 0 })) ??
    Math.min(VOLUME, windowCalls ?? VOLUME);
  if (windowCalls !== undefined) {
    if (volumeThreshold > windowCalls) {
      check.problem("volumeThreshold", volumeThreshold, `at most windowCalls (${windowCalls}), or it could never open`);
    }
    if (input["rollingCountBuckets"] !== undefined) {
      check.problem("rollingCountBuckets", input["rollingCountBuckets"], "either this or `windowCalls`");
    }
  }
  return {
    windowCalls,
    volumeThreshold,
    rollingCountTimeout: check.optional("rollingCountTimeout", input["rollingCountTimeout"], milliseconds) ?? 10_000,
    rollingCountBuckets:
      check.optional("rollingCountBuckets", input["rollingCountBuckets"], expected.integer({ min: 1, max: 1_000 })) ??
      10,
  };
}

function resolveSlowCalls(check: OptionCheck, value: unknown): Pick<BreakerSettings, "slowAboveMs" | "slowPercentage"> {
  const off = { slowAboveMs: Number.POSITIVE_INFINITY, slowPercentage: Number.POSITIVE_INFINITY };
  if (value === undefined || value === false) return off;
  const input = check.record("slowCalls", value, ["aboveMs", "percentage"]);
  if (input === undefined) return off;
  return {
    slowAboveMs: check.required("slowCalls.aboveMs", input["aboveMs"], milliseconds) ?? off.slowAboveMs,
    slowPercentage: check.optional("slowCalls.percentage", input["percentage"], share) ?? 50,
  };
}

function resolveProbes(
  check: OptionCheck,
  value: unknown,
): Pick<BreakerSettings, "probes" | "probesNeeded" | "probeTimeoutMs"> {
  const input = check.record("probes", value ?? {}, ["count", "successPercentage", "timeoutMs"]) ?? {};
  const probes = check.optional("probes.count", input["count"], expected.integer({ min: 1, max: 1_000 })) ?? 1;
  const percentage =
    check.optional("probes.successPercentage", input["successPercentage"], expected.number({ above: 0, max: 100 })) ??
    100;
  return {
    probes,
    probesNeeded: Math.ceil((probes * percentage) / 100),
    probeTimeoutMs: check.optional("probes.timeoutMs", input["timeoutMs"], milliseconds) ?? PROBE_TIMEOUT_MS,
  };
}

function resolveGrowth(
  check: OptionCheck,
  value: unknown,
  resetTimeout: number,
): Pick<BreakerSettings, "growthFactor" | "longestOpenMs" | "jitter"> {
  const fixed = { growthFactor: 1, longestOpenMs: resetTimeout, jitter: 0 };
  if (value === undefined || value === false) return fixed;
  const input = check.record("growth", value, ["factor", "limitMs", "jitter"]);
  if (input === undefined) return fixed;
  const longestOpenMs =
    check.optional("growth.limitMs", input["limitMs"], milliseconds) ?? Math.max(300_000, resetTimeout);
  if (longestOpenMs < resetTimeout) {
    check.problem("growth.limitMs", longestOpenMs, `at least resetTimeout (${resetTimeout})`);
  }
  return {
    growthFactor: check.optional("growth.factor", input["factor"], expected.number({ min: 1 })) ?? 2,
    longestOpenMs,
    jitter: check.optional("growth.jitter", input["jitter"], expected.number({ min: 0, max: 1 })) ?? 0.2,
  };
}
