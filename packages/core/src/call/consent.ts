import type { Clock } from "../clock.ts";

/** What came of asking: an answer, or an error in place of one. */
export type Consent =
  | { readonly failed: false; readonly given: boolean }
  | { readonly failed: true; readonly error: unknown };

/**
 * Asks, and waits for the answer; none until `limitAtMs` is a no. Returns how to stop waiting: the answer then comes too
 * late.
 */
export function awaitConsent(
  ask: () => Promise<boolean>,
  clock: Clock,
  limitAtMs: number,
  then: (consent: Consent) => void,
): () => void {
  let waits = true;
  const timer =
    limitAtMs === Number.POSITIVE_INFINITY
      ? undefined
      : clock.schedule(limitAtMs - clock.now(), () => answered({ failed: false, given: false }));
  const stop = (): void => {
    waits = false;
    timer?.cancel();
  };
  const answered = (consent: Consent): void => {
    if (!waits) return;
    stop();
    then(consent);
  };
  new Promise<boolean>((resolve) => resolve(ask())).then(
    (given) => answered({ failed: false, given }),
    (error: unknown) => answered({ failed: true, error }),
  );
  return stop;
}
