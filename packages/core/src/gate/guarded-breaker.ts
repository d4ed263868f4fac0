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
    try {
      return this.#inner.state;
    } catch (error) {
      this.#failed("breaker.state", error);
      return "closed";
    }
  }

  get passes(): boolean {
    try {
      return this.#inner.passes === true;
    } catch (error) {
      this.#failed("breaker.passes", error);
      return true;
    }
  }

  stateFor(nowMs: number, request: PickRequest): BreakerState {
    try {
      return this.#inner.stateFor?.(nowMs, request) ?? this.#inner.state;
    } catch (error) {
      this.#failed("breaker.state", error);
      return "closed";
    }
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
    try {
      this.#inner[Symbol.dispose]();
    } catch (error) {
      this.#failed("breaker dispose", error);
    }
  }
}
