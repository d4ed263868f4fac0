import type { Clock, Timer } from "@fairlead/core";
import { EventQueue, SimulationEvent } from "./event-queue.ts";

/** Where the wall clock begins; any fixed date would do. */
const WALL_START = Date.UTC(2026, 0, 1);

/** The clock of a run: its time is that of the event that is happening, and its timers are events as well. */
export class SimulationClock implements Clock {
  readonly #events = new EventQueue();
  #nowMs = 0;
  /** Whether code that may have settled a promise ran since somebody asked. */
  #touched = false;

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return WALL_START + this.#nowMs;
  }

  schedule(delayMs: number, callback: () => void): Timer {
    const timer = new ScheduledCallback(this, callback);
    this.add(timer, Math.max(0, delayMs));
    return timer;
  }

  add(event: SimulationEvent, delayMs: number): void {
    this.#events.add(event, this.#nowMs + delayMs);
  }

  remove(event: SimulationEvent): void {
    this.#events.remove(event);
  }

  /** When the next event happens; `Infinity` if there is none. */
  get nextMs(): number {
    return this.#events.nextMs;
  }

  /** Goes to the next moment at which something happens, and lets everything happen that is due then. */
  step(): void {
    const dueMs = this.#events.nextMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#nowMs = dueMs;
    while (this.#events.nextMs === dueMs) this.#events.take()?.happen();
  }

  /** Promises may have something to do now. */
  touch(): void {
    this.#touched = true;
  }

  takeTouched(): boolean {
    const touched = this.#touched;
    this.#touched = false;
    return touched;
  }
}

class ScheduledCallback extends SimulationEvent implements Timer {
  readonly #clock: SimulationClock;
  readonly #callback: () => void;

  constructor(clock: SimulationClock, callback: () => void) {
    super();
    this.#clock = clock;
    this.#callback = callback;
  }

  happen(): void {
    this.#clock.touch();
    this.#callback();
  }

  cancel(): void {
    this.#clock.remove(this);
  }
}
