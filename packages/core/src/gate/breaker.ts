import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { PickRequest } from "../strategy/strategy.ts";

export type BreakerState = "closed" | "open" | "half-open";

/**
 * The gate of one backend. The balancer asks `admits` of candidates, `enter`s the chosen one, and reports the verdict
 * with the generation that `enter` gave, so that a late answer never changes a later state.
 */
export interface Breaker extends Disposable {
  readonly state: BreakerState;
  /** Its state for one request, of a breaker that tells requests apart; `state` is a summary then. Pure. */
  stateFor?(nowMs: number, request: PickRequest): BreakerState;
  /**
   * Whether it admits everything, so that it need not be asked; a breaker that has this calls `gateChanged` whenever it
   * changes. Default `false`: it is asked about every candidate of every pick.
   */
  readonly passes?: boolean | undefined;
  /** Pure: asking changes nothing. */
  admits(nowMs: number, request: PickRequest): boolean;
  /** For the chosen backend only; takes a probe's place where there is one. Returns the generation. */
  enter(nowMs: number, request: PickRequest): number;
  /**
   * Exactly once per `enter`. A report of an older generation changes nothing; `ignored` only gives the place back.
   *
   * @param latencyMs from `enter` to the verdict, without the time that this process stood still
   */
  report(generation: number, report: Report, nowMs: number, latencyMs: number): void;
}

/** What a breaker has done. */
export interface BreakerChange {
  /** In words, such as `7 of 12 calls failed`. */
  readonly reason: string;
  /** When an open one may be tried again, milliseconds since 1970; null: not by itself, or it is not open. */
  readonly untilAt: number | null;
  /** Null: not of one backend, but of the upstream. Default: the backend that the breaker was made for. */
  readonly backend?: string | null;
  /** Which requests it is about, of a breaker that tells them apart. */
  readonly key?: string | null;
}

export interface BreakerContext {
  readonly upstream: string;
  readonly backend: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Call it when `admits` may have turned true other than by a report, so that waiting calls are looked at again. */
  changed(): void;
  /** Call it when `passes` has changed. */
  gateChanged(): void;
  /** Makes it one of the balancer's events. */
  announce(event: "breakerOpened" | "breakerHalfOpened" | "breakerClosed", change: BreakerChange): void;
  /** A function of the user, called by the breaker, threw. */
  callbackFailed(where: string, error: unknown): void;
}

/** Makes the breaker of each backend when the backend first appears; disposed of when the backend has gone. */
export interface BreakerProvider {
  readonly name: string;
  create(context: BreakerContext): Breaker;
}
