import type { Backend } from "../backend.ts";
import type { Balancer } from "../contract.ts";
import type { AbortListener, Attempt } from "./attempt.ts";
import type { Report } from "./outcome.ts";

/** An attempt that leaves everything to another: for whoever wants to see or change a part of what is done with it. */
export class DelegatedAttempt implements Attempt {
  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get backend(): Backend {
    return this.#attempt.backend;
  }

  get balancer(): Balancer {
    return this.#attempt.balancer;
  }

  get number(): number {
    return this.#attempt.number;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get remainingMs(): number {
    return this.#attempt.remainingMs;
  }

  onAbort(listener: AbortListener): void {
    this.#attempt.onAbort(listener);
  }

  markSent(sent?: boolean): void {
    this.#attempt.markSent(sent);
  }

  touch(): void {
    this.#attempt.touch();
  }

  hold(): (late?: Report) => void {
    return this.#attempt.hold();
  }
}
