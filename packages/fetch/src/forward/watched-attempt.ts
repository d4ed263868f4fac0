import { DelegatedAttempt, type Report } from "@fairlead/core";

/** An attempt of which it is known when nobody holds it any more: its body, or its tunnel, has ended. */
export class WatchedAttempt extends DelegatedAttempt {
  #holds = 0;
  #late: Report | undefined = undefined;
  #whenFree: ((late: Report | undefined) => void) | undefined = undefined;

  override hold(): (late?: Report) => void {
    const release = super.hold();
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
