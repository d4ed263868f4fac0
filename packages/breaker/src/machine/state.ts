import type { HalfOpen } from "./half-open.ts";

/** What a state machine is in, with what matters there only. */
export type State =
  | { readonly kind: "closed" }
  /** `untilMs` is `Infinity` when only a hand can end it. */
  | { readonly kind: "open"; readonly untilMs: number; readonly reason: string }
  | HalfOpen;

/** What a state machine has done. */
export interface Change {
  readonly from: State["kind"];
  readonly to: State["kind"];
  readonly reason: string;
  /** Of `open`: when it may be tried again; `Infinity`: not by itself. */
  readonly untilMs: number | undefined;
}

/** A verdict as far as breakers are concerned. `none`: about nothing that should open or close one. */
export type Verdict = "worked" | "failed" | "none";

/** State that outlives a process. Times are milliseconds since 1970. */
export interface SavedState {
  readonly state: State["kind"];
  /** It ends by hand only. */
  readonly isolated: boolean;
  /** When an open one may be tried again; null: not by itself, or it is not open. */
  readonly openUntilAt: number | null;
  /** Openings since it last worked for long: what the growth of the next one goes by. */
  readonly level: number;
}
