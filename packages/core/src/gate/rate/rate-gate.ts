import type { CallSignal } from "../../call-signal.ts";
import type { Clock } from "../../clock.ts";
import type { PickRequest } from "../../strategy/strategy.ts";

/** What a rate limit is given of its upstream. */
export interface RateLimitContext {
  readonly upstream: string;
  readonly clock: Clock;
  /** Who waits, waits no longer than `timeoutMs`; and no more than `size` do. */
  readonly queue: () => { readonly size: number; readonly timeoutMs: number };
  /** Counts and announces a call that is turned away. Returns its error. */
  refuse(why: string, retryAfterMs?: number): Error;
  callbackFailed(where: string, error: unknown): void;
}

/** A rate limit, as `rateLimit()` makes it. */
export interface RateLimit {
  readonly name: string;
  /** Makes the gate of an upstream. */
  createGate(context: RateLimitContext): RateGate;
}

/** How long a call may wait for its turn. */
export interface RateWait {
  readonly signal?: CallSignal | undefined;
  /** Monotonic milliseconds. */
  readonly giveUpAtMs: number;
}

/** Decides when a call may begin. Asked once per call, before a backend is chosen; not for its repeats. */
export interface RateGate {
  /** Whether the call may begin at once; then its token is taken. */
  take(request: PickRequest, nowMs: number): boolean;
  /** What `take` took was not used. */
  giveBack(request: PickRequest): void;
  /** `undefined`: the call may begin now. Else a promise that resolves when it may, or rejects. */
  admit(request: PickRequest, wait: RateWait, nowMs: number): Promise<void> | undefined;
  snapshot(): RateSnapshot;
  /** Lets those who wait go on, or fails them. */
  end(error?: Error): void;
}

/** A rate limit as it stands. */
export interface RateSnapshot {
  /** Calls that wait for a token, or for the store's answer. */
  readonly waiting: number;
  /** Keys with a bucket of their own in this process. */
  readonly keys: number;
  /** Answers that the store has failed to give; 0 without one. */
  readonly storeFailures: number;
  /** Whether the store counts as out of order. */
  readonly storeIsOut: boolean;
}
