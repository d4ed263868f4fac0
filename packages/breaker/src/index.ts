// For balancers.
export { type CircuitBreaker, circuitBreaker } from "./balanced/circuit-breaker.ts";
export type { CircuitBreakerOptions, KeyedScope } from "./balanced/options.ts";
export type { BreakerIdentity, BreakerSnapshot } from "./balanced/snapshot.ts";
// For opossum's ecosystem.
export type { Circuit, CircuitEvents, CircuitState, CircuitStats, CircuitStatus } from "./circuit/contract.ts";
export type { CacheTransport, CoalesceReset } from "./function/cache-options.ts";
export type { FallbackFunction, FireOptions, FunctionBreaker } from "./function/contract.ts";
// For any function.
export { createBreaker } from "./function/create-breaker.ts";
export { type BreakerError, type BreakerErrorCode, isOurError } from "./function/errors.ts";
export type { CreateBreakerOptions } from "./function/options.ts";
// What both have in common.
export type { BreakerRules, GrowthOptions, ProbeOptions, SlowCallOptions } from "./settings.ts";
