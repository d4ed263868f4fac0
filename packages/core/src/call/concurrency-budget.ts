import { expected, OptionCheck } from "../options.ts";
import type { Budget, BudgetProvider } from "./budget.ts";

export interface ConcurrencyBudgetOptions {
  /** Extra attempts at once, as a share of the requests under way, 0 to 1. Default 0.2. */
  readonly ratio?: number | undefined;
  /** Extra attempts at once that are allowed however few requests there are; whole, ≥ 0. Default 3. */
  readonly minConcurrency?: number | undefined;
}

/**
 * A budget as Envoy has it: at any moment, extra attempts under way or waiting for their back-off are at most
 * `max(minConcurrency, ratio · requests under way)`. It needs no history, but a fast failure frees its place at once: of a
 * service that refuses everything quickly, it lets more through than a share of the calls.
 *
 * Source: Envoy `circuit_breaker.proto` (`RetryBudget`), `resource_manager_impl.h`.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function concurrencyBudget(options: ConcurrencyBudgetOptions = {}): BudgetProvider {
  const check = new OptionCheck();
  const input = check.record("", options, ["ratio", "minConcurrency"]) ?? {};
  const ratio = check.optional("ratio", input["ratio"], expected.number({ min: 0, max: 1 })) ?? 0.2;
  const minConcurrency = check.optional("minConcurrency", input["minConcurrency"], expected.integer({ min: 0 })) ?? 3;
  check.throwIfAny("concurrencyBudget");
  return {
    name: "concurrency",
    create: (context) => new ConcurrencyBudget(ratio, minConcurrency, () => context.inFlight()),
  };
}

class ConcurrencyBudget implements Budget {
  readonly #ratio: number;
  readonly #minConcurrency: number;
  readonly #inFlight: () => number;
  #extra = 0;

  constructor(ratio: number, minConcurrency: number, inFlight: () => number) {
    this.#ratio = ratio;
    this.#minConcurrency = minConcurrency;
    this.#inFlight = inFlight;
  }

  deposit(): void {
    // What is under way counts, not what has been.
  }

  withdraw(): boolean {
    if (this.available() === 0) return false;
    this.#extra++;
    return true;
  }

  giveBack(): void {
    this.ended();
  }

  ended(): void {
    if (this.#extra > 0) this.#extra--;
  }

  available(): number {
    return Math.max(0, Math.max(this.#minConcurrency, Math.floor(this.#ratio * this.#inFlight())) - this.#extra);
  }
}
