import type { Report } from "../call/outcome.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { Breaker, BreakerState } from "./breaker.ts";

/**
 * A user's breaker that cannot throw into a pick or a settlement: where it throws, it admits, and the exception is
 * reported. `undefined` if it could not even be made.
 */
export function guardBreaker(
  create: () => Breaker,
  failed: (where: string, error: unknown) => void,
): GuardedBreaker | undefined {
  try {
    return new GuardedBreaker(create(), failed);
  } catch (error) {
    failed("breaker.create", error);
    return undefined;
  }
}

export class GuardedBreaker implements Breaker {
  readonly #inner: Breaker;
  readonly #failed: (where: string, error: unknown) => void;

  constructor(inner: Breaker, failed: (where: string, error: unknown) => void) {
    this.#inner = inner;
    this.#failed = failed;
  }

  get state(): BreakerState {
    return this.#ask("state", "closed", (inner) => inner.state);
  }

  get passes(): boolean {
    return this.#ask("passes", true, (inner) => inner.passes === true);
  }

  stateFor(nowMs: number, request: PickRequest): BreakerState {
    return this.#ask("state", "closed", (inner) => inner.stateFor?.(nowMs, request) ?? inner.state);
  }

  admits(nowMs: number, request: PickRequest): boolean {
    try {
      return this.#inner.admits(nowMs, request);
    } catch (error) {
      this.#failed("breaker.admits", error);
      return true;
    }
  }

  enter(nowMs: number, request: PickRequest): number {
    try {
      return this.#inner.enter(nowMs, request);
    } catch (error) {
      this.#failed("breaker.enter", error);
      return 0;
    }
  }

  report(generation: number, report: Report, nowMs: number, latencyMs: number): void {
    try {
      this.#inner.report(generation, report, nowMs, latencyMs);
    } catch (error) {
      this.#failed("breaker.report", error);
    }
  }

  [Symbol.dispose](): void {
    this.#ask("dispose", undefined, (inner) => inner[Symbol.dispose]());
  }

  /** For what is not asked at every pick: there the functions would cost more than the question. */
  #ask<T>(what: string, instead: T, ask: (inner: Breaker) => T): T {
    try {
      return ask(this.#inner);
    } catch (error) {
      this.#failed(`breaker.${what}`, error);
      return instead;
    }
  }
}
