import { circuitBreaker } from "@fairlead/breaker";
import {
  type BalancerOptions,
  failurePercentage,
  functionCheck,
  latencyOutliers,
  outlierDetection,
  successRate,
} from "@fairlead/core";

/** Far above what is ever under way here: limits are counted against, and never reached. */
const MORE_THAN_ENOUGH = 10_000;
/** Fewer than Envoy's five, since there are three backends over HTTP: they are to be judged as well. */
const minBackends = 3;

/** Timeouts, deadlines and retries switched off. */
export const UNARMED = {
  retry: false,
  connectTimeoutMs: false,
  attemptTimeoutMs: false,
  deadlineMs: false,
  bodyIdleTimeoutMs: false,
} as const;

/** All that guards backends beside the defaults, with nothing amiss: what it costs while it is not needed. */
export function everythingOn(): Partial<BalancerOptions> {
  return {
    healthCheck: functionCheck(() => Promise.resolve(), { intervalMs: 60_000 }),
    ejection: outlierDetection({
      detectors: [successRate({ minBackends }), failurePercentage({ minBackends }), latencyOutliers({ minBackends })],
    }),
    breaker: circuitBreaker(),
    limits: { maxConcurrent: MORE_THAN_ENOUGH, maxConcurrentPerBackend: MORE_THAN_ENOUGH },
  };
}
