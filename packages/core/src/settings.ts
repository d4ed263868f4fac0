import { type BudgetSettings, resolveBudget } from "./call/budget-settings.ts";
import { CLASSIFIER, type Classifier } from "./call/classifier.ts";
import type { Fallback } from "./call/fallback.ts";
import type { HedgePolicy } from "./call/hedge.ts";
import { type QueueSettings, resolveQueue } from "./call/queue-settings.ts";
import { DEFAULT_RETRY, type RetrySettings, resolveRetry } from "./call/retry-settings.ts";
import { type LimitSettings, resolveLimits } from "./gate/limit-settings.ts";
import type { HealthCheck } from "./health/check/health-check.ts";
import { DEFAULT_EJECTION, type EjectionSettings, resolveEjection } from "./health/ejection-settings.ts";
import { DEFAULT_SLOW_START, resolveSlowStart, type SlowStartSettings } from "./health/slow-start-settings.ts";
import { DEFAULT_MEMBERSHIP, type MembershipSettings, resolveMembership } from "./membership/membership-settings.ts";
import { fillIn, switchable } from "./option-group.ts";
import { expected, type OptionCheck } from "./options.ts";
import { peakEwma } from "./strategy/peak-ewma.ts";
import type { Strategy } from "./strategy/strategy.ts";
import { DEFAULT_TOPOLOGY, resolveTopology, TOPOLOGY_KEYS, type TopologySettings } from "./topology-settings.ts";

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
  readonly hedge: HedgePolicy | undefined;
  readonly fallback: Fallback | undefined;
}

/** The options that all balancers over the same members share. */
export interface SharedSettings extends TopologySettings {
  readonly healthCheck: HealthCheck | undefined;
  readonly ejection: EjectionSettings | undefined;
  readonly slowStart: SlowStartSettings | undefined;
  readonly retryBudget: BudgetSettings | undefined;
  readonly requeueBudget: BudgetSettings | undefined;
  readonly pauseLimitMs: number;
  readonly queue: QueueSettings;
  readonly membership: MembershipSettings;
  /** `undefined`: off. */
  readonly limits: LimitSettings | undefined;
}

/** What makes hedges and fallbacks, with an example. */
export const CALL_SWITCHES = {
  hedge: ["of", "hedging({ percentile: 95 })"],
  fallback: ["answer", "fallbackTo(balancer)"],
} as const;

/** Every option with its default filled in. */
export interface Settings extends CallSettings, SharedSettings {}

const CALL_DEFAULTS: Omit<CallSettings, "strategy"> = {
  retry: DEFAULT_RETRY,
  connectTimeoutMs: 1_000,
  attemptTimeoutMs: 10_000,
  deadlineMs: 30_000,
  bodyIdleTimeoutMs: 300_000,
  classify: undefined,
  hedge: undefined,
  fallback: undefined,
};

const UPSTREAM_DEFAULTS: Omit<SharedSettings, keyof TopologySettings> = {
  healthCheck: undefined,
  ejection: DEFAULT_EJECTION,
  slowStart: DEFAULT_SLOW_START,
  retryBudget: { ratio: 0.2, minPerSecond: 1, burst: 10 },
  requeueBudget: { ratio: 1, minPerSecond: 1, burst: 10 },
  pauseLimitMs: 60_000,
  queue: { size: 1_000, timeoutMs: 1_000 },
  membership: DEFAULT_MEMBERSHIP,
  limits: undefined,
};

export const DEFAULT_SHARED_SETTINGS: SharedSettings = { ...DEFAULT_TOPOLOGY, ...UPSTREAM_DEFAULTS };

/** A strategy keeps state, so each balancer has its own. */
export function defaultCallSettings(): CallSettings {
  return { strategy: peakEwma(), ...CALL_DEFAULTS };
}

export const DERIVABLE_KEYS: readonly string[] = /* @__PURE__ */ (() => ["strategy", ...Object.keys(CALL_DEFAULTS)])();
export const RECONFIGURABLE_KEYS: readonly string[] = /* @__PURE__ */ (() => [
  ...DERIVABLE_KEYS,
  ...TOPOLOGY_KEYS,
  ...Object.keys(UPSTREAM_DEFAULTS),
])();
const OWN_KEYS = ["name", "backends", "discovery", "origin", "breaker", "clock", "random"];
export const BALANCER_KEYS: readonly string[] = /* @__PURE__ */ (() => [...OWN_KEYS, ...RECONFIGURABLE_KEYS])();

/** Checks the options of one balancer and fills in what they leave out from `base`. */
export function resolveCallSettings(
  check: OptionCheck,
  input: Record<string, unknown>,
  base: CallSettings,
): CallSettings {
  return {
    ...fillIn(check, "", input, base, {
      strategy: expected.having<Strategy>("build", "a strategy, such as peakEwma()"),
      connectTimeoutMs: expected.durationOrOff,
      attemptTimeoutMs: expected.durationOrOff,
      deadlineMs: expected.durationOrOff,
      bodyIdleTimeoutMs: expected.durationOrOff,
      classify: CLASSIFIER,
    }),
    retry: resolveRetry(check, input["retry"], base.retry),
    ...switchable(check, input, base, CALL_SWITCHES),
  };
}

/** Checks the options that derived balancers share, and fills in what they leave out from `base`. */
export function resolveSharedSettings(
  check: OptionCheck,
  input: Record<string, unknown>,
  base: SharedSettings,
): SharedSettings {
  return {
    ...fillIn(check, "", input, base, { pauseLimitMs: expected.number({ min: 0 }) }),
    ...resolveTopology(check, input, base),
    ...switchable(check, input, base, { healthCheck: ["start", "httpCheck({ path })"] }),
    ejection: resolveEjection(check, input["ejection"], base.ejection),
    slowStart: resolveSlowStart(check, input["slowStart"], base.slowStart),
    retryBudget: resolveBudget(check, "retryBudget", input["retryBudget"], base.retryBudget, 0.2),
    requeueBudget: resolveBudget(check, "requeueBudget", input["requeueBudget"], base.requeueBudget, 1),
    queue: resolveQueue(check, input["queue"], base.queue),
    membership: resolveMembership(check, input["membership"], base.membership),
    limits: resolveLimits(check, input["limits"], base.limits),
  };
}
