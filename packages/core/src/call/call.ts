import type { FairleadError } from "../errors.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import { ActiveAttempt, type AttemptOwner } from "./active-attempt.ts";
import type { Attempt, CallOptions } from "./attempt.ts";
import type { CallHost } from "./call-host.ts";
import type { Ending, Last } from "./ending.ts";
import type { ActiveLease } from "./lease.ts";
import type { OpenCall } from "./open-calls.ts";
import { IGNORED, type Report } from "./outcome.ts";
import { type Adopter, promiseOf } from "./promise.ts";
import { type Repeat, Repeats, timeoutError } from "./repeats.ts";
import { pickRequestOf, withTried } from "./request.ts";
import { discardValue, judge } from "./verdict.ts";

/** Runs one call: attempts one after the other until one is the answer, the caller gives up, or nothing is left. */
export class Call<T> implements Adopter<T>, AttemptOwner, OpenCall {
  previous: OpenCall | undefined = undefined;
  next: OpenCall | undefined = undefined;
  readonly #host: CallHost;
  readonly #run: (attempt: Attempt) => Promise<T>;
  readonly #options: CallOptions<T>;
  readonly #deadlineAtMs: number;
  #request: PickRequest;
  #resolve: ((value: T) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;
  #answered = false;
  /** The attempt under way, or the one whose answer is still held. */
  #attempt: ActiveAttempt | undefined = undefined;
  #attempts = 0;
  /** Attempts that the call is done with, but whose leases are not back: they timed out, or somebody holds them. */
  #abandoned: Set<ActiveAttempt> | undefined = undefined;
  /** Made when an attempt is no success. */
  #repeats: Repeats | undefined = undefined;
  /** What the repeat that is being prepared will replace. */
  #replaced: Last<T> | undefined = undefined;
  /** Ends the present wait: back-off or queue. */
  #endWait: (() => void) | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;

  constructor(host: CallHost, run: (attempt: Attempt) => Promise<T>, options: CallOptions<T>, nowMs: number) {
    this.#host = host;
    this.#run = run;
    this.#options = options;
    const deadlineMs = options.deadlineMs ?? host.settings.deadlineMs;
    this.#deadlineAtMs = deadlineMs === false ? Number.POSITIVE_INFINITY : nowMs + deadlineMs;
    this.#request = pickRequestOf(options);
  }

  start(nowMs: number): Promise<T> {
    const promise = promiseOf(this);
    this.#host.upstream.calls.add(this);
    const { signal } = this.#options;
    if (signal?.aborted === true) this.#abortedByCaller(signal);
    else {
      if (signal !== undefined) this.#listenTo(signal);
      this.#acquire(nowMs);
    }
    return promise;
  }

  adopt(resolve: (value: T) => void, reject: (error: unknown) => void): void {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  now(): number {
    return this.#host.now();
  }

  close(error: FairleadError): void {
    this.#attempt?.abort(error);
    if (!this.#answered) this.#fail(error, IGNORED);
    this.#attempt?.releaseNow();
    for (const attempt of this.#abandoned ?? []) attempt.releaseNow();
  }

  callbackFailed(where: string, error: unknown): void {
    this.#host.callbackFailed(where, error);
  }

  stopRepeating(): void {
    if (this.#replaced === undefined) return;
    this.#stopWaiting();
    this.#exhausted(this.#replaced);
  }

  attemptReleased(attempt: ActiveAttempt): void {
    if (attempt === this.#attempt) this.#attempt = undefined;
    this.#abandoned?.delete(attempt);
    if (this.#answered) this.#endIfDone();
  }

  #acquire(nowMs: number): void {
    const lease = this.#host.firstLease(this.#request, nowMs);
    if (lease === undefined) this.#wait(this.#request, (error) => this.#fail(error, undefined));
    else this.#attemptOn(lease, nowMs);
  }

  #wait(
    request: PickRequest,
    fail: (error: unknown) => void,
    go: (lease: ActiveLease) => void = (lease) => this.#attemptOn(lease, this.now()),
  ): void {
    const serve = (lease: ActiveLease): void => {
      this.#endWait = undefined;
      go(lease);
    };
    this.#endWait = this.#host.waitForLease(request, this.#deadlineAtMs - this.now(), serve, fail);
  }

  #attemptOn(lease: ActiveLease, nowMs: number): void {
    const giveUpAtMs = this.#giveUpAtMs(nowMs);
    const attempt = new ActiveAttempt(this, lease, ++this.#attempts, giveUpAtMs);
    if (this.#attempt !== undefined) this.#abandon(this.#attempt);
    this.#attempt = attempt;
    if (giveUpAtMs !== Number.POSITIVE_INFINITY) {
      attempt.timer = this.#host.clock.schedule(giveUpAtMs - nowMs, () => this.#timedOut(attempt));
    }
    attempt.start(this.#run).then(
      (value) => this.#fulfilled(attempt, value),
      (error: unknown) => this.#rejected(attempt, error),
    );
  }

  #giveUpAtMs(nowMs: number): number {
    const timeoutMs = this.#options.attemptTimeoutMs ?? this.#host.settings.attemptTimeoutMs;
    return timeoutMs === false ? this.#deadlineAtMs : Math.min(nowMs + timeoutMs, this.#deadlineAtMs);
  }

  #fulfilled(attempt: ActiveAttempt, value: T): void {
    attempt.end();
    if (attempt.lease.settled) {
      // Nobody waits for it any more: it timed out, or the caller left.
      discardValue(this.#host, this.#options, value);
      attempt.finish();
    } else {
      const ending = { failed: false, value, sent: true } as const;
      this.#settle(attempt, judge(this.#host, this.#options, ending), ending, undefined);
    }
  }

  #rejected(attempt: ActiveAttempt, error: unknown): void {
    attempt.end();
    if (attempt.lease.settled) attempt.finish();
    else {
      const sent = attempt.sent !== false;
      const report = judge(this.#host, this.#options, { failed: true, error, sent });
      this.#settle(attempt, report, { failed: true, error }, undefined);
    }
  }

  #timedOut(attempt: ActiveAttempt): void {
    const nowMs = this.now();
    const outcome = attempt.sent === false ? "unreached" : "failure";
    const error = timeoutError(
      this.#host.name,
      attempt,
      outcome,
      nowMs,
      this.#deadlineAtMs,
      this.#repeats?.records ?? [],
    );
    this.#host.counters.timeouts++;
    this.#abandon(attempt);
    this.#settle(attempt, { outcome, origin: "local", errorCode: error.code }, { failed: true, error }, error);
    attempt.abort(error);
  }

  #abandon(attempt: ActiveAttempt): void {
    this.#abandoned ??= new Set();
    this.#abandoned.add(attempt);
    this.#attempt = undefined;
  }

  #settle(attempt: ActiveAttempt, report: Report, ending: Ending<T>, timeout: FairleadError | undefined): void {
    attempt.timer?.cancel();
    const nowMs = this.now();
    attempt.lease.settleAt(report, nowMs);
    if (report.outcome === "success") this.#answer(attempt, ending, report);
    else this.#repeatOrAnswer({ attempt, report, ending }, timeout, nowMs);
  }

  #repeatOrAnswer(last: Last<T>, timeout: FairleadError | undefined, nowMs: number): void {
    this.#repeats ??= new Repeats(this.#host, this.#options);
    const next = this.#repeats.after(last.attempt, last.report, timeout, nowMs, this.#deadlineAtMs);
    if (next.kind === "answer") this.#answer(last.attempt, last.ending, last.report);
    else if (next.kind === "exhausted") this.#exhausted(last);
    else {
      this.#request = withTried(this.#request, last.attempt.backend);
      // An error leaves nothing behind; an answer keeps its place until another attempt replaces it.
      if (last.ending.failed) last.attempt.finish();
      this.#replaced = last;
      if (next.delayMs === 0) this.#again(last, next);
      else this.#pause(next.delayMs, () => this.#again(last, next));
    }
  }

  #stopWaiting(): void {
    this.#endWait?.();
    this.#endWait = undefined;
  }

  #pause(delayMs: number, then: () => void): void {
    const timer = this.#host.clock.schedule(delayMs, () => {
      this.#endWait = undefined;
      then();
    });
    this.#endWait = () => timer.cancel();
  }

  /** Another backend; for a retry any backend that admits it; or none: then the last ending stands. */
  #again(last: Last<T>, repeat: Repeat): void {
    const nowMs = this.now();
    const lease = this.#host.leaseForRepeat(this.#request, repeat.kind, nowMs);
    const nobody = (): void => {
      this.#repeats?.abandoned(repeat.kind, this.now());
      this.#exhausted(last);
    };
    if (lease !== undefined) this.#repeatOn(lease, repeat, nowMs);
    else if (last.ending.failed) {
      const request = this.#host.worthWaitingFor(this.#request);
      this.#wait(request, nobody, (served) => this.#repeatOn(served, repeat, this.now()));
    } else nobody();
  }

  #repeatOn(lease: ActiveLease, repeat: Repeat, nowMs: number): void {
    this.#repeats?.begun(repeat.kind, repeat.delayMs);
    this.#dropReplaced();
    this.#attemptOn(lease, nowMs);
  }

  /** What another attempt replaces, or nobody waits for any more. */
  #dropReplaced(): void {
    const last = this.#replaced;
    this.#replaced = undefined;
    if (last === undefined || last.ending.failed) return;
    discardValue(this.#host, this.#options, last.ending.value);
    last.attempt.finish();
  }

  #answer(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void {
    if (this.#answered) return;
    if (report.outcome === "success") this.#host.counters.succeeded++;
    else if (report.outcome !== "ignored") this.#host.counters.failed++;
    this.#conclude(ending);
    attempt.finish();
    this.#endIfDone();
  }

  /** Settles the promise and lets go of it: a body that is forgotten must not be kept alive by a call that waits for its end. */
  #conclude(ending: Ending<T>): void {
    this.#answered = true;
    if (ending.failed) this.#reject?.(ending.error);
    else this.#resolve?.(ending.value);
    this.#resolve = undefined;
    this.#reject = undefined;
  }

  /** Nothing is left to try: the last answer, or an error that names every attempt. */
  #exhausted({ attempt, report, ending }: Last<T>): void {
    this.#replaced = undefined;
    if (!ending.failed) this.#answer(attempt, ending, report);
    else this.#answer(attempt, { failed: true, error: this.#repeats?.exhausted(ending.error) ?? ending.error }, report);
  }

  #listenTo(signal: AbortSignal): void {
    this.#onAbort = () => this.#abortedByCaller(signal);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Also ends the body of an answer that is still held. */
  #abortedByCaller(signal: AbortSignal): void {
    const reason: unknown = signal.reason;
    this.#attempt?.abort(reason);
    if (this.#answered) return;
    this.#host.counters.aborted++;
    this.#fail(reason, IGNORED);
  }

  /** Ends the call from outside the attempt, which gets `report` as its verdict. */
  #fail(error: unknown, report: Report | undefined): void {
    this.#stopWaiting();
    const attempt = this.#attempt;
    attempt?.timer?.cancel();
    if (report === undefined) this.#host.counters.failed++;
    else attempt?.lease.settle(report);
    this.#conclude({ failed: true, error });
    this.#dropReplaced();
    attempt?.finish();
    this.#endIfDone();
  }

  /** The caller's signal is heard until the answer's body has ended, the call itself until all its leases are back. */
  #endIfDone(): void {
    if (this.#attempt !== undefined) return;
    if (this.#onAbort !== undefined) this.#options.signal?.removeEventListener("abort", this.#onAbort);
    if ((this.#abandoned?.size ?? 0) === 0) this.#host.upstream.calls.delete(this);
  }
}
