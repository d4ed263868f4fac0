import type { Budget } from "./budget.ts";
import type { ShareSettings } from "./budget-settings.ts";

/** The window over which calls earn extra attempts: ten slots of a second. */
const SLOT_MS = 1_000;
const SLOTS = 10;

/**
 * Limits the extra attempts of an upstream to a share of its calls, with a floor for low rates. In any span of time,
 * extra attempts ≤ ratio · (calls in it and the 10 s before) + minPerSecond · seconds + burst.
 *
 * Source: Finagle `RetryBudget.scala`, tower `retry/budget/tps_budget.rs`; the floor is a bucket of its own here, so
 * that it cannot grow with the window.
 */
export class ShareBudget implements Budget {
  #settings: ShareSettings;
  /** Calls, and extra attempts paid for by them, per slot. */
  readonly #calls = new Float64Array(SLOTS);
  readonly #spent = new Float64Array(SLOTS);
  /** Slots since the origin. */
  #slot = 0;
  readonly #originMs: number;
  /** Extra attempts that the floor still grants. */
  #reserve: number;
  #refilledAtMs: number;

  constructor(settings: ShareSettings, nowMs: number) {
    this.#settings = settings;
    this.#reserve = settings.burst;
    this.#refilledAtMs = nowMs;
    this.#originMs = nowMs;
  }

  configure(settings: ShareSettings): void {
    this.#settings = settings;
    this.#reserve = Math.min(this.#reserve, settings.burst);
  }

  /** A call begins. */
  deposit(nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#slot % SLOTS;
    this.#calls[index] = (this.#calls[index] ?? 0) + 1;
  }

  /** Takes one extra attempt; false if there is none left. */
  withdraw(nowMs: number): boolean {
    this.#advance(nowMs);
    if (this.#earned() >= 1) {
      const index = this.#slot % SLOTS;
      this.#spent[index] = (this.#spent[index] ?? 0) + 1;
      return true;
    }
    this.#refill(nowMs);
    if (this.#reserve < 1) return false;
    this.#reserve--;
    return true;
  }

  /** What was taken is not used after all. */
  giveBack(nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#slot % SLOTS;
    if ((this.#spent[index] ?? 0) > 0) this.#spent[index] = (this.#spent[index] ?? 0) - 1;
    else this.#reserve = Math.min(this.#settings.burst, this.#reserve + 1);
  }

  ended(): void {
    // What an extra attempt was worth is spent when it begins.
  }

  /** Extra attempts that could be taken now. */
  available(nowMs: number): number {
    this.#advance(nowMs);
    this.#refill(nowMs);
    return Math.floor(Math.max(0, this.#earned())) + Math.floor(this.#reserve);
  }

  #earned(): number {
    let calls = 0;
    let spent = 0;
    for (let i = 0; i < SLOTS; i++) {
      calls += this.#calls[i] ?? 0;
      spent += this.#spent[i] ?? 0;
    }
    return calls * this.#settings.ratio - spent;
  }

  #refill(nowMs: number): void {
    const { minPerSecond, burst } = this.#settings;
    this.#reserve = Math.min(burst, this.#reserve + ((nowMs - this.#refilledAtMs) / 1_000) * minPerSecond);
    this.#refilledAtMs = nowMs;
  }

  #advance(nowMs: number): void {
    const slot = Math.floor((nowMs - this.#originMs) / SLOT_MS);
    if (slot === this.#slot) return;
    const steps = Math.min(slot - this.#slot, SLOTS);
    for (let i = 1; i <= steps; i++) {
      this.#calls[(this.#slot + i) % SLOTS] = 0;
      this.#spent[(this.#slot + i) % SLOTS] = 0;
    }
    this.#slot = slot;
  }
}
