import type { Breaker, BreakerState, PickRequest, Report } from "@fairlead/core";
import { UNCOUNTED } from "../machine/state-machine.ts";
import type { KeyedSwitches } from "./keyed-switches.ts";

/** What a backend's gate asks where requests have breakers by key. */
export class KeyedBreaker implements Breaker {
  readonly #switches: KeyedSwitches;
  readonly #released: () => void;

  constructor(switches: KeyedSwitches, released: () => void) {
    this.#switches = switches;
    this.#released = released;
  }

  /** It lets some requests in, whatever has become of others. */
  get state(): BreakerState {
    return "closed";
  }

  stateFor(nowMs: number, request: PickRequest): BreakerState {
    const key = this.#switches.keys.of(request);
    return key === undefined ? "closed" : (this.#switches.get(key)?.stateFor(nowMs) ?? "closed");
  }

  admits(nowMs: number, request: PickRequest): boolean {
    const key = this.#switches.keys.of(request);
    return key === undefined || this.#switches.get(key)?.admits(nowMs) !== false;
  }

  enter(nowMs: number, request: PickRequest): number {
    const key = this.#switches.keys.of(request);
    return key === undefined ? UNCOUNTED : this.#switches.enter(key, nowMs);
  }

  report(ticket: number, report: Report, nowMs: number, latencyMs: number): void {
    if (ticket !== UNCOUNTED) this.#switches.report(ticket, report, nowMs, latencyMs);
  }

  [Symbol.dispose](): void {
    this.#released();
  }
}
