import { expected, OptionCheck } from "../options.ts";
import type { BudgetOptions, ShareSettings } from "./budget-settings.ts";
import { resolveShare } from "./budget-settings.ts";
import type { HedgePolicy, Hedging } from "./hedge.ts";
import { RecentLatency } from "./recent-latency.ts";
import { ShareBudget } from "./share-budget.ts";

/** At most one of the two first ones; without any, `percentile: 95`. */
export interface HedgingOptions {
  /** Milliseconds without an answer after which another backend is asked as well, ≥ 0. */
  readonly delayMs?: number | undefined;
  /** The same as a percentile of the latest latencies of the upstream, above 0 to below 100. Default 95. */
  readonly percentile?: number | undefined;
  /** The least delay that a percentile gives, milliseconds. Default 1. */
  readonly minDelayMs?: number | undefined;
  /** Attempts beside the first of a call; whole, 1 to 10. Default 1. */
  readonly limit?: number | undefined;
  /** What hedges may cost together. Default a ratio of 0.05, 1 per second, burst 10. `false`: unlimited. */
  readonly budget?: false | BudgetOptions | undefined;
  /** Whether only idempotent calls are hedged. Default `true`: others would be carried out twice. */
  readonly idempotentOnly?: boolean | undefined;
}

interface HedgeSettings {
  readonly delayMs: number | undefined;
  readonly percentile: number;
  readonly minDelayMs: number;
  readonly limit: number;
  readonly budget: ShareSettings | undefined;
}

const KEYS = ["delayMs", "percentile", "minDelayMs", "limit", "budget", "idempotentOnly"];

/**
 * Asks another backend as well when one takes long: the first good answer counts, the other attempt is ended and blames
 * nobody. Cuts the tail that single slow answers make, for a few per cent more requests.
 *
 * Source: Dean and Barroso, "The Tail at Scale" (2013); Finagle `BackupRequestFilter` (delay by percentile, budget);
 * gRFC A6 (a failed attempt doesn't end the call while a rival runs).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function hedging(options: HedgingOptions = {}): HedgePolicy {
  const check = new OptionCheck();
  const input = check.record("", options, KEYS) ?? {};
  if (input["delayMs"] !== undefined && input["percentile"] !== undefined)
    check.problem("percentile", input["percentile"], "either `delayMs` or `percentile`, not both");
  const settings: HedgeSettings = {
    delayMs: check.optional("delayMs", input["delayMs"], expected.number({ min: 0 })),
    percentile: check.optional("percentile", input["percentile"], expected.number({ above: 0, below: 100 })) ?? 95,
    minDelayMs: check.optional("minDelayMs", input["minDelayMs"], expected.number({ min: 0 })) ?? 1,
    limit: check.optional("limit", input["limit"], expected.integer({ min: 1, max: 10 })) ?? 1,
    budget: resolveShare(check, "budget", input["budget"], { ratio: 0.05, minPerSecond: 1, burst: 10 }),
  };
  const idempotentOnly = check.optional("idempotentOnly", input["idempotentOnly"], expected.boolean) ?? true;
  check.throwIfAny("hedging");
  const states = new WeakMap<object, Hedging>();
  return {
    name: "hedging",
    idempotentOnly,
    of: (upstream, nowMs) => {
      const known = states.get(upstream);
      if (known !== undefined) return known;
      const state = new UpstreamHedging(settings, nowMs);
      states.set(upstream, state);
      return state;
    },
  };
}

class UpstreamHedging implements Hedging {
  readonly limit: number;
  readonly #settings: HedgeSettings;
  readonly #budget: ShareBudget | undefined;
  readonly #latency: RecentLatency | undefined;

  constructor(settings: HedgeSettings, nowMs: number) {
    this.limit = settings.limit;
    this.#settings = settings;
    this.#budget = settings.budget === undefined ? undefined : new ShareBudget(settings.budget, nowMs);
    this.#latency = settings.delayMs === undefined ? new RecentLatency(nowMs) : undefined;
  }

  deposit(nowMs: number): void {
    this.#budget?.deposit(nowMs);
  }

  delayMs(nowMs: number): number | undefined {
    const { delayMs, percentile, minDelayMs } = this.#settings;
    if (this.#latency === undefined) return delayMs;
    const ms = this.#latency.quantile(percentile / 100, nowMs);
    return ms === undefined ? undefined : Math.max(ms, minDelayMs);
  }

  observe(latencyMs: number, nowMs: number): void {
    this.#latency?.record(latencyMs, nowMs);
  }

  withdraw(nowMs: number): boolean {
    return this.#budget?.withdraw(nowMs) ?? true;
  }

  giveBack(nowMs: number): void {
    this.#budget?.giveBack(nowMs);
  }
}
