import { type Clock, createRandom, expected, OptionCheck, type Random, systemClock } from "@fairlead/core";
import type { CircuitState, CircuitStats } from "../circuit/contract.ts";
import { type BreakerRules, type BreakerSettings, RULE_KEYS, resolveRules } from "../settings.ts";
import { type CacheSettings, type CacheTransport, type CoalesceReset, resolveCache } from "./cache-options.ts";

/** opossum's options, and ours. */
export interface CreateBreakerOptions<Args extends readonly unknown[] = readonly unknown[]> extends BreakerRules {
  /** Default: the function's name, or one at random. */
  readonly name?: string | undefined;
  /** For exporters. Default: the name. */
  readonly group?: string | undefined;
  /** A call takes no longer, milliseconds; `false`: as long as it likes. Default 10,000. */
  readonly timeout?: number | false | undefined;
  /** Errors for which it says `true` are nobody's failure: they are handed on, and count neither way. */
  readonly errorFilter?: ((error: unknown, ...args: Args) => boolean) | undefined;
  /** `true`: the function gets a signal of the call, after its arguments; aborted on time-out, or when the caller leaves. */
  readonly passSignal?: boolean | undefined;
  /** Percentiles of latencies in `stats`, of a sample of at most 100 per bucket. Default `true`. */
  readonly rollingPercentilesEnabled?: boolean | undefined;
  /** What `toJSON().state` of an earlier one said: an opening lasts for what is left of it. */
  readonly state?: Partial<CircuitState> | undefined;
  /** What `toJSON().status` of an earlier one said, or its `status`: counts go on from there. */
  readonly status?: Partial<CircuitStats> | { readonly stats: Partial<CircuitStats> } | undefined;
  /** Hands out the result of a successful call again. Default `false`. */
  readonly cache?: boolean | undefined;
  /** For how long, milliseconds; 0: for ever. Default 0. */
  readonly cacheTTL?: number | undefined;
  /** Results that are kept. Default 2²⁴ − 1. */
  readonly cacheSize?: number | undefined;
  /** Default: `JSON.stringify` of the arguments. */
  readonly cacheGetKey?: ((...args: Args) => string) | undefined;
  /** Where results are kept. Default: in memory. */
  readonly cacheTransport?: CacheTransport | undefined;
  /** Calls with the same key share one run. Default `false`. */
  readonly coalesce?: boolean | undefined;
  /** For how long, milliseconds. Default: `timeout`. */
  readonly coalesceTTL?: number | undefined;
  readonly coalesceSize?: number | undefined;
  /** What ends the sharing before. Default: nothing. */
  readonly coalesceResetOn?: readonly CoalesceReset[] | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export interface FunctionSettings {
  readonly rules: BreakerSettings;
  readonly name: string | undefined;
  readonly group: string | undefined;
  readonly timeout: number | false;
  readonly errorFilter: ((error: unknown, ...args: unknown[]) => unknown) | undefined;
  readonly passSignal: boolean;
  readonly percentiles: boolean;
  readonly state: Partial<CircuitState> | undefined;
  readonly stats: Partial<CircuitStats> | undefined;
  readonly cache: CacheSettings;
  readonly clock: Clock;
  readonly random: Random;
}

const OWN_KEYS: readonly string[] = [
  "name",
  "group",
  "timeout",
  "errorFilter",
  "passSignal",
  "rollingPercentilesEnabled",
  "state",
  "status",
  "cache",
  "cacheTTL",
  "cacheSize",
  "cacheGetKey",
  "cacheTransport",
  "coalesce",
  "coalesceTTL",
  "coalesceSize",
  "coalesceResetOn",
  "clock",
  "random",
];

const record = {
  description: "an object",
  accepts: (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null,
};

/** @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems */
export function resolveFunctionOptions(action: unknown, options: unknown): FunctionSettings {
  const check = new OptionCheck();
  check.required("action", action, expected.func);
  const input = check.record("", options, [...RULE_KEYS, ...OWN_KEYS]) ?? {};
  const timeout = check.optional("timeout", input["timeout"], expected.durationOrOff) ?? 10_000;
  const state = check.optional("state", input["state"], record) as Partial<CircuitState> | undefined;
  const status = check.optional("status", input["status"], record);
  const settings = {
    rules: resolveRules(check, state?.warmUp === true ? { ...input, allowWarmUp: true } : input),
    name: check.optional("name", input["name"], expected.text),
    group: check.optional("group", input["group"], expected.text),
    timeout,
    errorFilter: check.optional("errorFilter", input["errorFilter"], expected.func) as FunctionSettings["errorFilter"],
    passSignal: check.optional("passSignal", input["passSignal"], expected.boolean) ?? false,
    percentiles:
      check.optional("rollingPercentilesEnabled", input["rollingPercentilesEnabled"], expected.boolean) ?? true,
    state,
    stats: (status !== undefined && "stats" in status ? status["stats"] : status) as FunctionSettings["stats"],
    cache: resolveCache(check, input, timeout),
    clock:
      check.optional("clock", input["clock"], expected.having<Clock>("schedule", "a clock, such as systemClock()")) ??
      systemClock(),
    random:
      check.optional(
        "random",
        input["random"],
        expected.having<Random>("next", "a generator, such as createRandom(seed)"),
      ) ?? createRandom(),
  };
  check.throwIfAny("createBreaker");
  return settings;
}
