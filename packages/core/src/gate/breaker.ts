import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";

export type BreakerState = "closed" | "open" | "half-open";

/**
 * The gate of one backend. The balancer asks `admits` of candidates, `enter`s the chosen one, and reports the verdict
 * with the generation that `enter` gave, so that a late answer never changes a later state.
 */
export interface Breaker extends Disposable {
  readonly state: BreakerState;
  /** Pure: asking changes nothing. */
  admits(nowMs: number): boolean;
  /** For the chosen backend only; takes a probe's place where there is one. Returns the generation. */
  enter(nowMs: number): number;
  /** Exactly once per `enter`. A report of an older generation changes nothing; `ignored` only gives the place back. */
  report(generation: number, report: Report, nowMs: number): void;
}

export interface BreakerContext {
  readonly upstream: string;
  readonly backend: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Call it when `admits` may have turned true other than by a report, so that waiting calls are looked at again. */
  changed(): void;
}

/** Makes the breaker of each backend when the backend first appears; disposed of when the backend has gone. */
export interface BreakerProvider {
  readonly name: string;
  create(context: BreakerContext): Breaker;
}
