import type { BreakerState } from "@fairlead/core";

/** Which breaker: `backend` is null where the upstream has one, `key` where requests are not told apart. */
export interface BreakerIdentity {
  readonly upstream: string;
  readonly backend: string | null;
  readonly key: string | null;
}

/** One breaker as it is now: plain JSON, for people, and for `state` of a later process. */
export interface BreakerSnapshot extends BreakerIdentity {
  readonly state: BreakerState;
  /** Open until it is closed by hand. */
  readonly isolated: boolean;
  /** When an open one may be tried again, milliseconds since 1970; null: not by itself, or it is not open. */
  readonly openUntilAt: number | null;
  /** Openings that growth remembers. */
  readonly level: number;
  /** Finished calls in the window, and how they ended; 0 where no share matters. */
  readonly finished: number;
  readonly failed: number;
  readonly slow: number;
  /** Calls without a verdict yet. */
  readonly inFlight: number;
}

/** As a key of a map: JSON, because names may hold any character. */
export function identityOf({ upstream, backend, key }: BreakerIdentity): string {
  return JSON.stringify([upstream, backend, key]);
}
