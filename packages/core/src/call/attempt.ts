import type { Backend, RequestKind } from "../backend.ts";
import type { CallSignal } from "../call-signal.ts";
import type { Balancer } from "../contract.ts";
import type { RateGate } from "../gate/rate/rate-gate.ts";
import type { AttemptResult, Classifier } from "./classifier.ts";
import type { Fallback } from "./fallback.ts";
import type { HedgePolicy } from "./hedge.ts";
import type { Report } from "./outcome.ts";
import type { FailedAttempt, RetryOptions } from "./retry-settings.ts";

/** A function, or an object that has it as `abort`: that spares a closure where one object stands for the attempt. */
export type AbortListener = ((reason: unknown) => void) | { abort(reason: unknown): void };

/** What the function that makes one attempt is given. */
export interface Attempt {
  readonly backend: Backend;
  /** Whose backend it is: not the one that was called where a fallback or a mirror takes the call. */
  readonly balancer: Balancer;
  /** 1 for the first. */
  readonly number: number;
  /** Aborted when the attempt is given up: timeout, the caller's abort (with its reason), close. Made when first read. */
  readonly signal: AbortSignal;
  /** Milliseconds until this attempt is given up; `Infinity` without limits. */
  readonly remainingMs: number;
  /** Cheaper than `signal`: `listener` is called once, with the reason, when the attempt is given up. */
  onAbort(listener: AbortListener): void;
  /**
   * Says whether the request may have been sent. An attempt that says `false` first and never `true` is `unreached` when
   * it fails. Without a word, only errors that prove it (connection refused) are.
   */
  markSent(sent?: boolean): void;
  /**
   * Says that something of the body has come. What is held and has said so, and then nothing for longer than
   * `bodyIdleTimeoutMs`, is taken back where a request may be gone without a word (workerd).
   */
  touch(): void;
  /** Keeps the lease after the attempt has its verdict (a body streams) until the returned function is called. */
  hold(): (late?: Report) => void;
}

/** How one call differs from what the balancer does by default. */
export interface CallOptions<T> {
  readonly kind?: RequestKind | undefined;
  /** Whether repeating the call does no harm. Default `false`: only attempts that were never sent are repeated. */
  readonly idempotent?: boolean | undefined;
  /** The function can't be run twice at the same time, its body being a stream, say: nobody mirrors it. Default `false`. */
  readonly oneShot?: boolean | undefined;
  /** `outcomeRules({ … })` or a function. Not asked about attempts that time out or that the caller aborts. */
  readonly classify?: Classifier | undefined;
  /** An adapter's own verdict, in place of the built-in one: asked when no `classify` has a say. */
  readonly judge?: ((result: AttemptResult) => Report) | undefined;
  readonly hashKey?: string | undefined;
  readonly pinned?: string | undefined;
  readonly pinPolicy?: "redistribute" | "wait" | "fail" | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** An `AbortSignal`, or what is as good as one. Ends the call; it rejects with the signal's reason itself. */
  readonly signal?: CallSignal | undefined;
  readonly attemptTimeoutMs?: number | false | undefined;
  readonly deadlineMs?: number | false | undefined;
  /** Shortens the deadline to this, in milliseconds above 0, and never lengthens it: what a caller of ours has left. */
  readonly deadlineLimitMs?: number | undefined;
  readonly retry?: false | RetryOptions | undefined;
  /**
   * For adapters: asked, and waited for until the deadline, when the call is about to be repeated. `false`: it is not, and
   * what was seen last stands. An error is that of the call, which nobody is blamed for.
   */
  readonly beforeRepeat?: ((attempt: FailedAttempt) => Promise<boolean>) | undefined;
  /** Asks another backend as well when one takes long: `hedging({ … })`. `false`: not for this call. */
  readonly hedge?: false | HedgePolicy | undefined;
  /** Where the answer comes from when no backend has one: `fallbackTo(…)`, `fallbackWith(…)`, `lastGood(…)`. `false`: nowhere. */
  readonly fallback?: false | Fallback | undefined;
  /** What a fallback such as `lastGood()` remembers answers by. */
  readonly fallbackKey?: string | undefined;
  /** Whether an adapter can return what a fallback answers; where it says no, the fallback knows no answer. */
  readonly accepts?: ((answer: unknown) => boolean) | undefined;
  /**
   * For routers: when the call may begin; `undefined`: now. Asked once, before a backend is chosen. What it rejects with is how
   * the call fails, unless its fallback knows an answer.
   */
  readonly turn?: RateGate["admit"] | undefined;
  /** Called with a value that will not be returned, because another attempt replaces it or nobody waits for it. */
  readonly discard?: ((value: T) => void) | undefined;
}
