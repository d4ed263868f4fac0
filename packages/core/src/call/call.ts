import type { CallSignal } from "../call-signal.ts";
import type { FairleadError } from "../errors.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { ActiveAttempt } from "./active-attempt.ts";
import { CallAttempts } from "./attempts.ts";
import type { Budget } from "./budget.ts";
import { awaitConsent } from "./consent.ts";
import type { Ending, Last } from "./ending.ts";
import { fallBack, observeSuccess } from "./fallback.ts";
import type { ActiveLease } from "./lease.ts";
import type { OpenCall } from "./open-calls.ts";
import type { Report } from "./outcome.ts";
import { type Adopter, promiseOf } from "./promise.ts";
import { failedAttempt, type Repeat, Repeats } from "./repeats.ts";
import { withTried } from "./request.ts";
import { turnOf } from "./turn.ts";
import { discardValue } from "./verdict.ts";

/** Runs one call: attempts one after the other until one is the answer, the caller gives up, or nothing is left. */
export class Call<T> extends CallAttempts<T> implements Adopter<T>, OpenCall {
  previous: OpenCall | undefined = undefined;
  next: OpenCall | undefined = undefined;
  #resolve: ((value: T) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;
  #answered = false;
  /** What the repeat that is being prepared will replace. */
  #replaced: Last<T> | undefined = undefined;
  /** What has paid for a repeat that has not begun. */
  #unspent: Budget | undefined = undefined;
  /** Ends the present wait: back-off, queue or fallback. */
  #endWait: ((reason?: unknown) => void) | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;

  /** Now or, where a route or a rate limit says when, when its turn has come. */
  begin(nowMs: number): Promise<T> {
    const { host, request, options, deadlineAtMs } = this;
    const turn = (options.turn ?? host.limits.rate) && turnOf(host, request, options, deadlineAtMs, nowMs);
    if (turn === undefined) return this.#start(nowMs, undefined);
    return turn.then(
      () => this.#start(this.now(), undefined),
      (error: unknown) => this.#start(this.now(), { failed: true, error }),
    );
  }

  /** `refusal`: its turn has not come, and nobody is asked but its fallback. */
  #start(nowMs: number, refusal: (Ending<T> & { readonly failed: true }) | undefined): Promise<T> {
    const promise = promiseOf(this);
    this.host.upstream.calls.add(this);
    const { signal } = this.options;
    if (signal?.aborted === true) this.#abortedByCaller(signal);
    else if (refusal !== undefined && this.host.upstream.closing) this.#closed(refusal.error);
    else {
      if (signal !== undefined) this.#listenTo(signal);
      if (refusal === undefined) this.#acquire(nowMs);
      else this.#failed(refusal);
    }
    return promise;
  }

  adopt(resolve: (value: T) => void, reject: (error: unknown) => void): void {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  #acquire(nowMs: number): void {
    const lease = this.host.firstLease(this.request, nowMs);
    if (lease === undefined) this.#wait(this.request, (error) => this.#failed({ failed: true, error }));
    else this.attemptOn(lease, nowMs);
  }

  #wait(
    request: PickRequest,
    fail: (error: unknown) => void,
    go: (lease: ActiveLease) => void = (lease) => this.attemptOn(lease, this.now()),
  ): void {
    let waits = true;
    const over = (): void => {
      waits = false;
      this.#endWait = undefined;
    };
    const serve = (lease: ActiveLease): void => {
      over();
      go(lease);
    };
    const failed = (error: unknown): void => {
      over();
      fail(error);
    };
    const leave = this.host.waitForLease(request, this.deadlineAtMs - this.now(), serve, failed);
    // Where waiting is hopeless it has failed already, and the call may wait for its fallback.
    if (waits) this.#endWait = leave;
  }

  #pause(delayMs: number, then: () => void): void {
    const timer = this.host.clock.schedule(delayMs, () => {
      this.#endWait = undefined;
      then();
    });
    this.#endWait = () => timer.cancel();
  }

  #stopWaiting(reason?: unknown): void {
    this.#endWait?.(reason);
    this.#endWait = undefined;
    this.#giveBack();
  }

  /** The repeat will not be made. */
  #giveBack(): void {
    this.#unspent?.giveBack(this.now());
    this.#unspent = undefined;
  }

  // Again

  protected unsuccessful(last: Last<T>, timeout: FairleadError | undefined, nowMs: number): void {
    this.repeats ??= new Repeats(this.host, this.options);
    const wanted = this.repeats.wanted(last, timeout, nowMs);
    if (wanted === undefined) this.#answer(last.attempt, last.ending, last.report);
    else {
      this.request = withTried(this.request, last.attempt.backend);
      this.#replaced = last;
      // A rival may do better.
      if (this.running.length > 0) this.#dropReplaced();
      else this.#repeat(wanted, last, nowMs);
    }
  }

  #repeat(wanted: Repeat["kind"], last: Last<T>, nowMs: number): void {
    this.stopHedging();
    const repeat = this.repeats?.next(wanted, last.report, nowMs, this.deadlineAtMs);
    if (repeat === undefined) this.#exhausted(last);
    else {
      this.#unspent = repeat.budget;
      // An error leaves nothing behind; an answer keeps its place until another attempt replaces it.
      if (last.ending.failed) last.attempt.finish();
      if (repeat.delayMs === 0) this.#askAndRepeat(last, repeat);
      else this.#pause(repeat.delayMs, () => this.#askAndRepeat(last, repeat));
    }
  }

  #askAndRepeat(last: Last<T>, repeat: Repeat): void {
    const { beforeRepeat } = this.options;
    if (beforeRepeat === undefined) return this.#again(last, repeat);
    const ask = (): Promise<boolean> => beforeRepeat(failedAttempt(last));
    this.#endWait = awaitConsent(ask, this.host.clock, this.deadlineAtMs, (consent) => {
      this.#endWait = undefined;
      if (consent.failed) {
        this.host.counters.ignored++;
        this.#end(consent.error);
      } else if (consent.value) this.#again(last, repeat);
      else this.#denied(last);
    });
  }

  /** The repeat is not made. */
  #denied(last: Last<T>): void {
    this.#giveBack();
    this.#exhausted(last);
  }

  /** Another backend; for a retry any backend that admits it; or none: then the last ending stands. */
  #again(last: Last<T>, repeat: Repeat): void {
    const nowMs = this.now();
    const lease = this.host.leaseForRepeat(this.request, repeat.kind, nowMs);
    const nobody = (): void => this.#denied(last);
    const { askedMs } = repeat;
    if (lease !== undefined) this.#repeatOn(lease, repeat, nowMs);
    else if (last.ending.failed) {
      const request = this.host.worthWaitingFor(this.request);
      this.#wait(request, nobody, (served) => this.#repeatOn(served, repeat, this.now()));
    } else if (askedMs !== undefined && nowMs + askedMs < this.deadlineAtMs) {
      this.#pause(askedMs, () => this.#again(last, { ...repeat, askedMs: undefined }));
    } else nobody();
  }

  #repeatOn(lease: ActiveLease, repeat: Repeat, nowMs: number): void {
    this.#unspent = undefined;
    this.repeats?.begun(repeat);
    this.#dropReplaced();
    this.attemptOn(lease, nowMs, repeat.budget);
  }

  /** What another attempt replaces, or nobody waits for any more. */
  #dropReplaced(): void {
    const last = this.#replaced;
    this.#replaced = undefined;
    if (last === undefined) return;
    if (!last.ending.failed) discardValue(this.host, this.options, last.ending.value);
    last.attempt.finish();
  }

  /** Nothing is left to try: the last answer, or an error that names every attempt. */
  #exhausted({ attempt, report, ending }: Last<T>): void {
    this.#replaced = undefined;
    if (!ending.failed) this.#answer(attempt, ending, report);
    else this.#answer(attempt, { failed: true, error: this.repeats?.exhausted(ending.error) ?? ending.error }, report);
  }

  // The answer

  protected succeeded(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void {
    this.host.counters.succeeded++;
    if (!ending.failed) observeSuccess(this.host, this.options, ending.value);
    this.#answer(attempt, ending, report);
  }

  #answer(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void {
    if (this.#answered) return;
    this.endRivalsOf(attempt, ending);
    if (report.outcome === "ignored") this.host.counters.ignored++;
    if (report.outcome === "success" || report.outcome === "ignored") this.#conclude(ending);
    else this.#failed(ending);
    attempt.finish();
    this.#endIfDone();
  }

  /** Unless its fallback knows an answer, what was seen last is the answer. */
  #failed(ending: Ending<T>): void {
    const { run, options, deadlineAtMs } = this;
    this.#endWait = fallBack(this.host, { ending, run, options, deadlineAtMs }, (answer) => {
      this.#endWait = undefined;
      if (answer === undefined) this.host.counters.failed++;
      this.#conclude(answer ?? ending);
      this.#endIfDone();
    });
  }

  /** Settles the promise and lets go of it: a body that is forgotten must not be kept alive by a call that waits for its end. */
  #conclude(ending: Ending<T>): void {
    this.#answered = true;
    if (ending.failed) this.#reject?.(ending.error);
    else this.#resolve?.(ending.value);
    this.#resolve = undefined;
    this.#reject = undefined;
  }

  // The end from outside

  #listenTo(signal: CallSignal): void {
    this.#onAbort = () => this.#abortedByCaller(signal);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  #abortedByCaller(signal: CallSignal): void {
    if (!this.#answered) this.host.counters.aborted++;
    this.#end(signal.reason);
  }

  close(error: FairleadError): void {
    this.#closed(error);
    this.releaseAll();
  }

  #closed(error: unknown): void {
    if (!this.#answered) this.host.counters.failed++;
    this.#end(error);
  }

  /** Ends the call, or the body of its answer; attempts under way blame nobody. */
  #end(reason: unknown): void {
    this.abortAll(reason);
    if (this.#answered) return;
    this.#stopWaiting(reason);
    this.ignoreRunning();
    this.#conclude({ failed: true, error: reason });
    this.#dropReplaced();
    this.#endIfDone();
  }

  isGone(nowMs: number): boolean {
    return nowMs > this.goneAtMs(this.#answered);
  }

  abandon(): void {
    this.#giveBack();
    this.dropAll();
    this.host.upstream.calls.delete(this);
  }

  stopRepeating(): void {
    this.stopHedging();
    this.endTests();
    if (this.#replaced === undefined) return;
    this.#stopWaiting();
    this.#exhausted(this.#replaced);
  }

  attemptReleased(attempt: ActiveAttempt): void {
    this.forget(attempt);
    if (this.#answered) this.#endIfDone();
  }

  /** The caller's signal is heard until the answer's body has ended, the call itself until all its leases are back. */
  #endIfDone(): void {
    if (!this.#answered || !this.ended) return;
    if (this.#onAbort !== undefined) this.options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.allBack) this.host.upstream.calls.delete(this);
  }
}
