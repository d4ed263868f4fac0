import type { Balancer } from "../contract.ts";
import type { FairleadError } from "../errors.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import { ActiveAttempt, type AttemptOwner } from "./active-attempt.ts";
import type { Attempt, CallOptions } from "./attempt.ts";
import type { Budget } from "./budget.ts";
import type { CallHost } from "./call-host.ts";
import type { Ending, Last } from "./ending.ts";
import { type Rivals, rivalsOf } from "./hedge.ts";
import type { ActiveLease } from "./lease.ts";
import { IGNORED, type Report } from "./outcome.ts";
import { type Repeats, timeoutError } from "./repeats.ts";
import { pickRequestOf, withTried } from "./request.ts";
import { discardValue, judge } from "./verdict.ts";

/** A timer is this late at most, where the event loop is busy. */
const LATENESS_MS = 5_000;

/**
 * The attempts of one call: begins them, ends them, and brings each to its verdict. The base of a call and no object of
 * its own: nearly all calls have one attempt, and none should cost more than that.
 */
export abstract class CallAttempts<T> implements AttemptOwner {
  protected readonly host: CallHost;
  protected readonly run: (attempt: Attempt) => Promise<T>;
  protected readonly options: CallOptions<T>;
  protected readonly deadlineAtMs: number;
  protected request: PickRequest;
  /** Made when an attempt is no success. */
  protected repeats: Repeats<T> | undefined = undefined;
  /** The newest attempt under way, or the one whose answer is still held. */
  #attempt: ActiveAttempt | undefined = undefined;
  #count = 0;
  /** Beside it: rivals in a hedge, and attempts that the call is done with, but whose leases are not back. */
  #others: Set<ActiveAttempt> | undefined = undefined;
  /** Of a call that may be hedged. */
  readonly #rivals: Rivals | undefined;

  constructor(host: CallHost, run: (attempt: Attempt) => Promise<T>, options: CallOptions<T>, nowMs: number) {
    this.host = host;
    this.run = run;
    this.options = options;
    const deadlineMs = options.deadlineMs ?? host.settings.deadlineMs;
    const longestMs = deadlineMs === false ? Number.POSITIVE_INFINITY : deadlineMs;
    this.deadlineAtMs = nowMs + Math.min(longestMs, options.deadlineLimitMs ?? longestMs);
    this.#rivals = rivalsOf(host, options, nowMs);
    this.request = pickRequestOf(options);
  }

  /** It has its verdict: a success. */
  protected abstract succeeded(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void;
  /** It has its verdict, and that is none. `timeout`: the error that ended it, if time did. */
  protected abstract unsuccessful(last: Last<T>, timeout: FairleadError | undefined, nowMs: number): void;
  abstract attemptReleased(attempt: ActiveAttempt): void;

  get balancer(): Balancer {
    return this.host.balancer;
  }

  now(): number {
    return this.host.now();
  }

  callbackFailed(where: string, error: unknown): void {
    this.host.callbackFailed(where, error);
  }

  protected attemptOn(lease: ActiveLease, nowMs: number, paidBy?: Budget): void {
    const giveUpAtMs = this.#giveUpAtMs(nowMs);
    const attempt = new ActiveAttempt(this, lease, ++this.#count, giveUpAtMs, paidBy);
    if (this.#attempt !== undefined) this.#setAside(this.#attempt);
    this.#attempt = attempt;
    if (giveUpAtMs !== Number.POSITIVE_INFINITY) {
      attempt.timer = this.host.clock.schedule(giveUpAtMs - nowMs, () => this.#timedOut(attempt));
    }
    if (this.#rivals !== undefined) this.#hedgeLater(this.#rivals, nowMs);
    attempt.start(this.run).then(
      (value) => this.#fulfilled(attempt, value),
      (error: unknown) => this.#rejected(attempt, error),
    );
  }

  #giveUpAtMs(nowMs: number): number {
    const timeoutMs = this.options.attemptTimeoutMs ?? this.host.settings.attemptTimeoutMs;
    return timeoutMs === false ? this.deadlineAtMs : Math.min(nowMs + timeoutMs, this.deadlineAtMs);
  }

  #fulfilled(attempt: ActiveAttempt, value: T): void {
    attempt.end();
    if (attempt.lease.settled) {
      // Nobody waits for it any more: it timed out, lost to a rival, or the caller left.
      discardValue(this.host, this.options, value);
      attempt.finish();
    } else {
      const ending = { failed: false, value, sent: true } as const;
      this.#settle(attempt, judge(this.host, this.options, ending), ending, undefined);
    }
  }

  #rejected(attempt: ActiveAttempt, error: unknown): void {
    attempt.end();
    if (attempt.lease.settled) attempt.finish();
    else {
      const sent = attempt.sent !== false;
      const report = judge(this.host, this.options, { failed: true, error, sent });
      this.#settle(attempt, report, { failed: true, error }, undefined);
    }
  }

  #timedOut(attempt: ActiveAttempt): void {
    const nowMs = this.now();
    const outcome = attempt.sent === false ? "unreached" : "failure";
    const records = this.repeats?.records ?? [];
    const error = timeoutError(this.host.name, attempt, outcome, nowMs, this.deadlineAtMs, records);
    this.host.counters.timeouts++;
    this.#setAside(attempt);
    this.#settle(attempt, { outcome, origin: "local", errorCode: error.code }, { failed: true, error }, error);
    attempt.abort(error);
  }

  #settle(attempt: ActiveAttempt, report: Report, ending: Ending<T>, timeout: FairleadError | undefined): void {
    attempt.timer?.cancel();
    const nowMs = this.now();
    attempt.lease.settleAt(report, nowMs);
    if (attempt.lost) {
      if (!ending.failed) discardValue(this.host, this.options, ending.value);
      attempt.finish();
    } else if (report.outcome === "success") {
      this.#rivals?.hedging.observe(nowMs - attempt.lease.startedAtMs, nowMs);
      this.succeeded(attempt, ending, report);
    } else this.unsuccessful({ attempt, report, ending }, timeout, nowMs);
  }

  /** Another attempt takes its place, or the call is done with it. */
  #setAside(attempt: ActiveAttempt): void {
    this.#others ??= new Set();
    this.#others.add(attempt);
    if (attempt === this.#attempt) this.#attempt = undefined;
  }

  /** Its lease is back. */
  protected forget(attempt: ActiveAttempt): void {
    attempt.paidBy?.ended();
    if (attempt === this.#attempt) this.#attempt = undefined;
    this.#others?.delete(attempt);
  }

  /** No answer is held or under way, but for attempts that the call is done with. */
  protected get ended(): boolean {
    return this.#attempt === undefined;
  }

  /** No lease is out. */
  protected get allBack(): boolean {
    return this.#attempt === undefined && (this.#others === undefined || this.#others.size === 0);
  }

  /** Attempts that have no verdict yet. */
  protected get running(): readonly ActiveAttempt[] {
    return this.#all().filter(({ lease }) => !lease.settled);
  }

  /** When something was last heard of the body of the answer. */
  protected get heardAtMs(): number {
    return this.#attempt?.heardAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** From when on the call should have ended: if it has not, its request is gone, and all timers with it. */
  protected goneAtMs(answered: boolean): number {
    const { bodyIdleTimeoutMs } = this.host.settings;
    const idleMs = bodyIdleTimeoutMs === false ? Number.POSITIVE_INFINITY : bodyIdleTimeoutMs;
    return (answered ? this.heardAtMs + idleMs : this.deadlineAtMs) + LATENESS_MS;
  }

  /** Gives back what it holds, as if it had never begun. */
  protected dropAll(): void {
    this.ignoreRunning();
    this.releaseAll();
  }

  /** Also ends the body of an answer that is still held. */
  protected abortAll(reason: unknown): void {
    this.endTests();
    for (const attempt of this.#all()) attempt.abort(reason);
  }

  /** Gives places back though somebody still holds them. */
  protected releaseAll(): void {
    for (const attempt of this.#all()) attempt.releaseNow();
  }

  /** Ends every attempt that has no verdict; that blames nobody. */
  protected ignoreRunning(): void {
    this.stopHedging();
    for (const attempt of this.running) ignore(attempt);
  }

  /** Ends what goes on though a rival was faster. */
  protected endTests(): void {
    if (this.#others === undefined) return;
    for (const attempt of this.running) if (attempt.lost) this.#drop(attempt);
  }

  #drop(attempt: ActiveAttempt): void {
    ignore(attempt);
    attempt.abort(new DOMException("another attempt was faster", "AbortError"));
  }

  /** Its backend has to prove itself: on probation, or with a half-open breaker. */
  #isTest({ lease, backend }: ActiveAttempt): boolean {
    return lease.probe || backend.breaker?.stateFor(this.now(), this.request) === "half-open";
  }

  #all(): readonly ActiveAttempt[] {
    const others = this.#others === undefined ? [] : [...this.#others];
    return this.#attempt === undefined ? others : [this.#attempt, ...others];
  }

  // Hedging

  /** Unless there is an answer by then, another attempt is made beside it. */
  #hedgeLater(rivals: Rivals, nowMs: number): void {
    this.stopHedging();
    if (rivals.count >= rivals.hedging.limit) return;
    const delayMs = rivals.hedging.delayMs(nowMs);
    if (delayMs !== undefined) rivals.timer = this.host.clock.schedule(delayMs, () => this.#hedge(rivals));
  }

  protected stopHedging(): void {
    this.#rivals?.timer?.cancel();
  }

  #hedge(rivals: Rivals): void {
    const nowMs = this.now();
    const { running } = this;
    if (running.length === 0 || this.host.upstream.closing) return;
    for (const { backend } of running) this.request = withTried(this.request, backend);
    const lease = this.host.hedgeLease(rivals.hedging, this.request, nowMs);
    if (lease === undefined) return;
    rivals.count++;
    this.attemptOn(lease, nowMs);
  }

  /**
   * One of several rivals has won: the others are ended, which blames nobody, and it alone is heard of from now on. Tests go
   * on to their verdict: else a backend that is slower than the hedge would never be done with proving itself.
   */
  protected endRivalsOf(winner: ActiveAttempt, { failed }: Ending<T>): void {
    this.stopHedging();
    if (this.#others === undefined) return;
    const losers = this.running;
    if (winner !== this.#attempt) {
      if (this.#attempt !== undefined) this.#setAside(this.#attempt);
      // One that has timed out leaves no answer behind, however long its function goes on.
      if (!failed) {
        this.#others.delete(winner);
        this.#attempt = winner;
      }
    }
    for (const loser of losers) {
      if (this.#isTest(loser)) loser.lost = true;
      else this.#drop(loser);
    }
  }
}

function ignore(attempt: ActiveAttempt): void {
  attempt.timer?.cancel();
  attempt.lease.settle(IGNORED);
  attempt.finish();
}
