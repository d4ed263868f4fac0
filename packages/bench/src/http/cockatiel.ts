import {
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from "cockatiel";
import type { Send } from "./load.ts";

/** As our defaults: two retries, 10 s per attempt, open when half of the calls of ten seconds failed. */
const MAX_RETRIES = 2;
const ATTEMPT_TIMEOUT_MS = 10_000;
const OPEN_MS = 30_000;
const SAMPLING = { threshold: 0.5, duration: 10_000 };

/** Each call in a retry, a circuit breaker and a timeout of cockatiel, from the outside in. `send` must heed the signal. */
export function withCockatiel(send: (signal: AbortSignal) => Promise<unknown>): Send {
  const policy = wrap(
    retry(handleAll, { maxAttempts: MAX_RETRIES, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, { halfOpenAfter: OPEN_MS, breaker: new SamplingBreaker(SAMPLING) }),
    timeout(ATTEMPT_TIMEOUT_MS, TimeoutStrategy.Cooperative),
  );
  return () => policy.execute(({ signal }) => send(signal));
}
