import { expected, OptionCheck } from "../../options.ts";
import type { PickRequest } from "../../strategy/strategy.ts";
import type { RateLimit } from "./rate-gate.ts";
import type { RateStore } from "./rate-store.ts";
import { TokenGate } from "./token-gate.ts";

export interface RateLimitOptions {
  /** Calls per second in the long run, > 0. */
  readonly perSecond: number;
  /** Calls that may come at once; whole, ≥ 1. Default: those of one second, at least 1. */
  readonly burst?: number | undefined;
  /**
   * What has a rate of its own, such as `({ hashKey }) => hashKey`. A call for which it says `undefined` is not limited.
   * Default: all calls of the upstream share one rate.
   */
  readonly key?: ((request: PickRequest) => string | undefined) | undefined;
  /**
   * What becomes of a call that comes too fast: refused at once (`false`, default), or kept until it may begin, within
   * the bounds of `queue` and its deadline.
   */
  readonly delay?: boolean | undefined;
  /** Keys that are remembered; the least recently used ones are forgotten. Whole, ≥ 1. Default 10,000. */
  readonly maxKeys?: number | undefined;
  /** Keeps the count for a whole fleet: a limiter of the package `rate-limiter-flexible`, whose own points hold then. */
  readonly store?: RateStore | undefined;
  /**
   * What holds while the store is out of order: `perSecond` and `burst` for this process alone (`"local"`, default), no
   * limit (`"allow"`), or no calls (`"refuse"`).
   */
  readonly onStoreFailure?: "local" | "allow" | "refuse" | undefined;
  /** The longest wait for the store's answer, milliseconds > 0. Default 100. */
  readonly storeTimeoutMs?: number | undefined;
}

export interface RateLimitSettings {
  readonly perSecond: number;
  readonly burst: number;
  readonly key: ((request: PickRequest) => unknown) | undefined;
  readonly delay: boolean;
  readonly maxKeys: number;
  readonly store: RateStore | undefined;
  readonly onStoreFailure: "local" | "allow" | "refuse";
  readonly storeTimeoutMs: number;
}

const KEYS: readonly (keyof RateLimitOptions)[] = [
  "perSecond",
  "burst",
  "key",
  "delay",
  "maxKeys",
  "store",
  "onStoreFailure",
  "storeTimeoutMs",
];

/**
 * Limits how fast the calls of an upstream may begin, all together or by key: a token bucket in this process, or a limiter
 * that a whole fleet shares. It counts calls and leases, not their repeats.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  const check = new OptionCheck();
  const input = check.record("", options, KEYS) ?? {};
  const perSecond = check.required("perSecond", input["perSecond"], expected.number({ above: 0 })) ?? 1;
  const burst = check.optional("burst", input["burst"], expected.integer({ min: 1 }));
  const settings: RateLimitSettings = {
    perSecond,
    burst: burst ?? Math.max(1, Math.ceil(perSecond)),
    key: check.optional("key", input["key"], expected.func) as RateLimitSettings["key"],
    delay: check.optional("delay", input["delay"], expected.boolean) ?? false,
    maxKeys: check.optional("maxKeys", input["maxKeys"], expected.integer({ min: 1 })) ?? 10_000,
    store: check.optional(
      "store",
      input["store"],
      expected.having<RateStore>("consume", "a limiter of rate-limiter-flexible, with a method `consume`"),
    ),
    onStoreFailure:
      check.optional("onStoreFailure", input["onStoreFailure"], expected.oneOf(["local", "allow", "refuse"])) ??
      "local",
    storeTimeoutMs: check.optional("storeTimeoutMs", input["storeTimeoutMs"], expected.number({ above: 0 })) ?? 100,
  };
  check.throwIfAny("rateLimit");
  return { name: "rateLimit", createGate: (context) => new TokenGate(context, settings) };
}
