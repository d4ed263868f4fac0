import type { AbortListener, Attempt, Backend, Balancer, Report } from "@fairlead/core";

/** An attempt of which it is known when nobody holds it any more: its body, or its tunnel, has ended. */
export class WatchedAttempt implements Attempt {
  readonly #attempt: Attempt;
  #holds = 0;
  #late: Report | undefined = undefined;
  #whenFree: ((late: Report | undefined) => void) | undefined = undefined;

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

  hold(): (late?: Report) => void {
    const release = this.#attempt.hold();
    let held = true;
    this.#holds++;
    return (late) => {
      release(late);
      if (!held) return;
      held = false;
      this.#late ??= late;
      if (--this.#holds === 0) this.#whenFree?.(this.#late);
    };
  }

  /** Calls `listener` once nobody holds it; at once if nobody does. */
  whenFree(listener: (late: Report | undefined) => void): void {
    if (this.#holds === 0) listener(this.#late);
    else this.#whenFree = listener;
  }
}
