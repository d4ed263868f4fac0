import { group } from "../option-group.ts";
import { type Expected, expected, type OptionCheck } from "../options.ts";
import type { AdaptiveLimit } from "./limit-adaptive.ts";
import type { RateLimit } from "./rate/rate-gate.ts";

/** How much of an upstream may be under way at once, and how fast calls may come. All off by default. */
export interface LimitOptions {
  /** Requests under way on all backends together; whole, ≥ 1. `false`: no limit. */
  readonly maxConcurrent?: number | false | undefined;
  /** Requests under way on one backend; whole, ≥ 1. A `maxConcurrent` in its specification wins. `false`: no limit. */
  readonly maxConcurrentPerBackend?: number | false | undefined;
  /** Open connections (calls of the kind `connection`) on all backends together; whole, ≥ 1. `false`: no limit. */
  readonly maxConnections?: number | false | undefined;
  /** Open connections of one backend; whole, ≥ 1. A `maxConnections` in its specification wins. `false`: no limit. */
  readonly maxConnectionsPerBackend?: number | false | undefined;
  /** A limit of requests under way that follows latency: `gradient2()`. The lower of it and a fixed one holds. */
  readonly adaptive?: AdaptiveLimit | false | undefined;
  /** How fast calls may begin: `rateLimit({ perSecond })`. */
  readonly rate?: RateLimit | false | undefined;
}

/** `undefined`: no limit. */
export interface LimitSettings {
  readonly maxConcurrent: number | undefined;
  readonly maxConcurrentPerBackend: number | undefined;
  readonly maxConnections: number | undefined;
  readonly maxConnectionsPerBackend: number | undefined;
  readonly adaptive: AdaptiveLimit | undefined;
  readonly rate: RateLimit | undefined;
}

const COUNTS = ["maxConcurrent", "maxConcurrentPerBackend", "maxConnections", "maxConnectionsPerBackend"] as const;

export function resolveLimits(
  check: OptionCheck,
  value: unknown,
  base: LimitSettings | undefined,
): LimitSettings | undefined {
  return group(check, "limits", value, base, [...COUNTS, "adaptive", "rate"], (input) => {
    const read = <K extends keyof LimitSettings>(
      key: K,
      wanted: Expected<NonNullable<LimitSettings[K]>>,
    ): LimitSettings[K] | undefined => {
      const given = input[key];
      return given === false ? undefined : (check.optional(`limits.${key}`, given, wanted) ?? base?.[key]);
    };
    const count = expected.integer({ min: 1 });
    return {
      maxConcurrent: read("maxConcurrent", count),
      maxConcurrentPerBackend: read("maxConcurrentPerBackend", count),
      maxConnections: read("maxConnections", count),
      maxConnectionsPerBackend: read("maxConnectionsPerBackend", count),
      adaptive: read(
        "adaptive",
        expected.having<AdaptiveLimit>("createLimit", "an adaptive limit, such as gradient2()"),
      ),
      rate: read(
        "rate",
        expected.having<RateLimit>("createGate", "a rate limit, such as rateLimit({ perSecond: 10 })"),
      ),
    };
  });
}
