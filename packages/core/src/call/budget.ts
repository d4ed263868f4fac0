import { type BudgetSettings, isProvider } from "./budget-settings.ts";
import { ShareBudget } from "./share-budget.ts";

/** Says how many extra attempts the calls of an upstream may cause together. Must not throw. */
export interface Budget {
  /** A call begins. */
  deposit(nowMs: number): void;
  /** Takes one extra attempt; false if there is none left. */
  withdraw(nowMs: number): boolean;
  /** What was taken is not used after all. */
  giveBack(nowMs: number): void;
  /** An extra attempt has ended, body included. */
  ended(): void;
  /** Extra attempts that could be taken now. */
  available(nowMs: number): number;
}

export interface BudgetContext {
  readonly nowMs: number;
  /** Requests of the upstream under way now, first and extra attempts alike. */
  inFlight(): number;
}

/** A kind of budget, such as `concurrencyBudget()`. */
export interface BudgetProvider {
  readonly name: string;
  create(context: BudgetContext): Budget;
}

/** A budget that can be changed while it is in use; what it has counted stays, as long as its kind is the same. */
export class AdjustableBudget {
  #settings: BudgetSettings | undefined;
  #current: Budget | undefined;
  readonly #inFlight: () => number;

  constructor(settings: BudgetSettings | undefined, inFlight: () => number, nowMs: number) {
    this.#inFlight = inFlight;
    this.configure(settings, nowMs);
  }

  /** `undefined`: unlimited. */
  get current(): Budget | undefined {
    return this.#current;
  }

  configure(settings: BudgetSettings | undefined, nowMs: number): void {
    if (settings === this.#settings) return;
    this.#settings = settings;
    if (settings === undefined) this.#current = undefined;
    else if (isProvider(settings)) this.#current = settings.create({ nowMs, inFlight: this.#inFlight });
    else if (this.#current instanceof ShareBudget) this.#current.configure(settings);
    else this.#current = new ShareBudget(settings, nowMs);
  }
}
