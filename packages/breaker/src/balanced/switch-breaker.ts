import type { Breaker, BreakerState, Report } from "@fairlead/core";
import type { Switch } from "./switch.ts";

/** What a backend's gate asks where its breaker, or that of the upstream, is the same for all requests. */
export class SwitchBreaker implements Breaker {
  readonly #switch: Switch;
  readonly #released: () => void;

  constructor(of: Switch, released: () => void) {
    this.#switch = of;
    this.#released = released;
  }

  get state(): BreakerState {
    return this.#switch.state;
  }

  stateFor(nowMs: number): BreakerState {
    return this.#switch.stateFor(nowMs);
  }

  get passes(): boolean {
    return this.#switch.passes;
  }

  admits(nowMs: number): boolean {
    return this.#switch.admits(nowMs);
  }

  enter(nowMs: number): number {
    return this.#switch.enter(nowMs);
  }

  report(ticket: number, report: Report, nowMs: number, latencyMs: number): void {
    this.#switch.report(ticket, report, nowMs, latencyMs);
  }

  [Symbol.dispose](): void {
    this.#released();
  }
}
