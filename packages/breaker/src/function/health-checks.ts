import type { Clock, Timer } from "@fairlead/core";

/** The checks of one breaker, each on its own beat. */
export class HealthChecks {
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  readonly #stops = new Set<() => void>();

  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock;
    this.#failed = failed;
  }

  /** Checks now and every `intervalMs`, but never twice at once: a check that hangs is not joined by others. */
  start(check: () => unknown, intervalMs: number): () => void {
    let timer: Timer | undefined;
    let stopped = false;
    let running = false;
    const stop = (): void => {
      stopped = true;
      timer?.cancel();
      this.#stops.delete(stop);
    };
    const run = async (): Promise<void> => {
      running = true;
      try {
        await check();
      } catch (error) {
        if (!stopped) this.#failed(error);
      } finally {
        running = false;
      }
    };
    const beat = (): void => {
      timer = this.#clock.schedule(intervalMs, beat, { background: true });
      // It has no way to reject.
      if (!running) run().catch(() => {});
    };
    this.#stops.add(stop);
    beat();
    return stop;
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}
