import type { Timer } from "../clock.ts";
import type { Balancer } from "../contract.ts";
import type { Member } from "../membership/member.ts";
import { catchLater } from "../telemetry/callbacks.ts";
import type { AbortListener, Attempt } from "./attempt.ts";
import type { Budget } from "./budget.ts";
import type { ActiveLease } from "./lease.ts";
import type { Report } from "./outcome.ts";

/** What an attempt needs of the call it belongs to. */
export interface AttemptOwner {
  readonly balancer: Balancer;
  now(): number;
  /** The lease is back: nothing of the call is left on a backend. */
  attemptReleased(attempt: ActiveAttempt): void;
  callbackFailed(where: string, error: unknown): void;
}

/**
 * One attempt under way. Its lease ends when its function has settled, the call is done with its result, and nobody
 * holds it: an attempt that was given up but goes on working still takes up its backend.
 */
export class ActiveAttempt implements Attempt {
  readonly lease: ActiveLease;
  readonly number: number;
  readonly giveUpAtMs: number;
  /** The budget that pays for it, if it is an extra one. */
  readonly paidBy: Budget | undefined;
  readonly #owner: AttemptOwner;
  timer: Timer | undefined = undefined;
  /** A rival was faster; it goes on only because it is a test of its backend. */
  lost = false;
  /** When something was last heard of its body; `Infinity`: nobody says. */
  heardAtMs: number = Number.POSITIVE_INFINITY;
  /** `undefined`: nothing is known. */
  sent: boolean | undefined = undefined;
  #holds = 0;
  /** The function has settled. */
  #ended = false;
  /** The call is done with the result. */
  #finished = false;
  #late: Report | undefined = undefined;
  #aborted = false;
  #reason: unknown = undefined;
  #controller: AbortController | undefined = undefined;
  /** One, as a rule; more are rare enough for a list. */
  #listeners: AbortListener | AbortListener[] | undefined = undefined;

  constructor(owner: AttemptOwner, lease: ActiveLease, number: number, giveUpAtMs: number, paidBy?: Budget) {
    this.#owner = owner;
    this.lease = lease;
    this.number = number;
    this.giveUpAtMs = giveUpAtMs;
    this.paidBy = paidBy;
  }

  /** Runs the function that makes the attempt; one that throws instead of rejecting is no different. */
  start<T>(run: (attempt: Attempt) => Promise<T>): Promise<T> {
    try {
      return Promise.resolve(run(this));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  get backend(): Member {
    return this.lease.backend;
  }

  get balancer(): Balancer {
    return this.#owner.balancer;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return this.giveUpAtMs === Number.POSITIVE_INFINITY
      ? this.giveUpAtMs
      : Math.max(0, this.giveUpAtMs - this.#owner.now());
  }

  onAbort(listener: AbortListener): void {
    const listeners = this.#listeners;
    if (this.#aborted) this.#notify(listener);
    else if (listeners === undefined) this.#listeners = listener;
    else if (Array.isArray(listeners)) listeners.push(listener);
    else this.#listeners = [listeners, listener];
  }

  markSent(sent = true): void {
    // Once sent is sent.
    if (this.sent !== true) this.sent = sent;
  }

  touch(): void {
    this.heardAtMs = this.#owner.now();
  }

  hold(): (late?: Report) => void {
    this.#holds++;
    let held = true;
    return (late) => {
      if (!held) return;
      held = false;
      this.#holds--;
      this.#late ??= late;
      this.#releaseIfDone();
    };
  }

  get held(): boolean {
    return this.#holds > 0;
  }

  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    this.#controller?.abort(reason);
    if (Array.isArray(listeners)) for (const listener of listeners) this.#notify(listener);
    else if (listeners !== undefined) this.#notify(listeners);
  }

  #notify(listener: AbortListener): void {
    try {
      const answer: unknown = typeof listener === "function" ? listener(this.#reason) : listener.abort(this.#reason);
      catchLater(answer, (error) => this.#owner.callbackFailed("onAbort", error));
    } catch (error) {
      this.#owner.callbackFailed("onAbort", error);
    }
  }

  /** The function that made the attempt has settled. */
  end(): void {
    this.#ended = true;
    this.#releaseIfDone();
  }

  /** The call has no more use for the result. */
  finish(): void {
    this.#finished = true;
    this.#releaseIfDone();
  }

  /** Gives the place back though somebody still holds it: the balancer is closing. */
  releaseNow(): void {
    this.#ended = true;
    this.#finished = true;
    this.#holds = 0;
    this.#releaseIfDone();
  }

  #releaseIfDone(): void {
    if (!this.#ended || !this.#finished || this.#holds > 0 || this.lease.released) return;
    this.lease.release(this.#late);
    this.#owner.attemptReleased(this);
  }
}
