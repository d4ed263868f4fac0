import type { Timer } from "../clock.ts";
import type { CallOptions } from "./attempt.ts";
import type { CallHost } from "./call-host.ts";

/** When a second attempt is made beside one that takes long, for one upstream. */
export interface Hedging {
  /** Attempts beside the first of a call. */
  readonly limit: number;
  /** A call begins that may be hedged. */
  deposit(nowMs: number): void;
  /** How long an attempt is waited for, milliseconds; `undefined`: not enough is known yet. */
  delayMs(nowMs: number): number | undefined;
  /** An attempt has succeeded after so many milliseconds. */
  observe(latencyMs: number, nowMs: number): void;
  /** Takes one attempt out of the budget; false if there is none left. */
  withdraw(nowMs: number): boolean;
  /** Nobody took it. */
  giveBack(nowMs: number): void;
}

/** A rule for hedging, such as `hedging({ delayMs: 50 })`. */
export interface HedgePolicy {
  readonly name: string;
  /** Calls that are not idempotent are never hedged, unless this is false. */
  readonly idempotentOnly: boolean;
  /** Asked for each call: the state of one upstream, made when first asked for. */
  of(upstream: object, nowMs: number): Hedging;
}

/** What a call that may be hedged keeps of it. */
export interface Rivals {
  readonly hedging: Hedging;
  /** Until the next one. */
  timer: Timer | undefined;
  count: number;
}

/** `undefined`: the call is not hedged. */
export function rivalsOf(
  host: CallHost,
  { hedge = host.settings.hedge, idempotent, pinned }: Pick<CallOptions<never>, "hedge" | "idempotent" | "pinned">,
  nowMs: number,
): Rivals | undefined {
  // A session stays where it lives, however long that takes.
  if (hedge === undefined || hedge === false || pinned !== undefined) return undefined;
  if (hedge.idempotentOnly && idempotent !== true) return undefined;
  const hedging = hedge.of(host.upstream, nowMs);
  hedging.deposit(nowMs);
  return { hedging, timer: undefined, count: 0 };
}
