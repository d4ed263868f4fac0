import type { Clock, Timer } from "../clock.ts";
import type { Ending } from "./ending.ts";

/**
 * Asks, and waits for the answer; none until `limitAtMs` is a no. Returns how to stop waiting: the answer then comes too
 * late.
 */
export function awaitConsent(
  ask: () => Promise<boolean>,
  clock: Clock,
  limitAtMs: number,
  then: (answer: Ending<boolean>) => void,
): () => void {
  let waits = true;
  let timer: Timer | undefined;
  const stop = (): void => {
    waits = false;
    timer?.cancel();
  };
  const over = (answer: Ending<boolean>): void => {
    if (!waits) return;
    stop();
    then(answer);
  };
  const given = (value: boolean): void => over({ failed: false, value });
  if (limitAtMs < Number.POSITIVE_INFINITY) timer = clock.schedule(limitAtMs - clock.now(), () => given(false));
  new Promise<boolean>((resolve) => resolve(ask())).then(given, (error: unknown) => over({ failed: true, error }));
  return stop;
}
