import type { ActiveAttempt } from "./active-attempt.ts";
import type { Report } from "./outcome.ts";

/** How an attempt came out, until the call knows whether that is its answer. */
export type Ending<T> =
  | { readonly failed: false; readonly value: T }
  | { readonly failed: true; readonly error: unknown };

/** An attempt that was no success, with its verdict and what came of it. */
export interface Last<T> {
  readonly attempt: ActiveAttempt;
  readonly report: Report;
  readonly ending: Ending<T>;
}
