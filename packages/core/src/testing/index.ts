export { checkStrategy, type StrategyConformanceOptions } from "./strategy-conformance.ts";
export { type VirtualClock, virtualClock } from "./virtual-clock.ts";
