import type { FairleadError } from "../errors.ts";
import type { RetrySettings } from "../settings.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import { ActiveAttempt, type AttemptOwner } from "./active-attempt.ts";
import type { Attempt, CallOptions } from "./attempt.ts";
import type { CallHost } from "./call-host.ts";
import { classifyResult } from "./classifier.ts";
import type { ActiveLease } from "./lease.ts";
import type { OpenCall } from "./open-calls.ts";
import { IGNORED, type Report, SUCCESS } from "./outcome.ts";
import { Repeats, timeoutError } from "./repeats.ts";
import { lastResort, pickRequestOf, withTried } from "./request.ts";
import { mergeRetry } from "./retry.ts";
import { judge } from "./verdict.ts";

/** How an attempt came out, until the call knows whether that is its answer. */
type Ending<T> = { readonly failed: false; readonly value: T } | { readonly failed: true; readonly error: unknown };

/** Runs one call: attempts one after the other until one is the answer, the caller gives up, or nothing is left. */
export class Call<T> implements AttemptOwner, OpenCall {
  previous: OpenCall | undefined = undefined;
  next: OpenCall | undefined = undefined;
  readonly #host: CallHost;
  readonly #run: (attempt: Attempt) => Promise<T>;
  readonly #options: CallOptions<T>;
  readonly #deadlineAtMs: number;
  #request: PickRequest;
  #resolve: (value: T) => void = unreachable;
  #reject: (error: unknown) => void = unreachable;
  #answered = false;
  /** The attempt under way, or the one whose answer is still held. */
  #attempt: ActiveAttempt | undefined = undefined;
  #attempts = 0;
  /** Attempts that timed out but whose functions have not settled. */
  #abandoned: Set<ActiveAttempt> | undefined = undefined;
  /** Made when an attempt is no success. */
  #repeats: Repeats | undefined = undefined;
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
    return new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#host.upstream.calls.add(this);
      const { signal } = this.#options;
      if (signal?.aborted === true) this.#abortedByCaller(signal);
      else {
        if (signal !== undefined) this.#listenTo(signal);
        this.#acquire(nowMs);
      }
    });
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

  attemptReleased(attempt: ActiveAttempt): void {
    if (attempt === this.#attempt) this.#attempt = undefined;
    this.#abandoned?.delete(attempt);
    if (this.#answered) this.#endIfDone();
  }

  // A backend

  #acquire(nowMs: number): void {
    const lease = this.#host.tryLease(this.#request, nowMs);
    if (lease === undefined) this.#wait((error) => this.#fail(error, undefined));
    else this.#attemptOn(lease, nowMs);
  }

  #wait(fail: (error: unknown) => void): void {
    const serve = (lease: ActiveLease): void => {
      this.#endWait = undefined;
      this.#attemptOn(lease, this.now());
    };
    this.#endWait = this.#host.waitForLease(this.#request, this.#deadlineAtMs - this.now(), serve, fail);
  }

  // One attempt on it

  #attemptOn(lease: ActiveLease, nowMs: number): void {
    const giveUpAtMs = this.#giveUpAtMs(nowMs);
    const attempt = new ActiveAttempt(this, lease, ++this.#attempts, giveUpAtMs);
    this.#attempt = attempt;
    if (giveUpAtMs !== Number.POSITIVE_INFINITY) {
      attempt.timer = this.#host.clock.schedule(giveUpAtMs - nowMs, () => this.#timedOut(attempt));
    }
    this.#invoke(attempt).then(
      (value) => this.#fulfilled(attempt, value),
      (error: unknown) => this.#rejected(attempt, error),
    );
  }

  #giveUpAtMs(nowMs: number): number {
    const timeoutMs = this.#options.attemptTimeoutMs ?? this.#host.settings.attemptTimeoutMs;
    return timeoutMs === false ? this.#deadlineAtMs : Math.min(nowMs + timeoutMs, this.#deadlineAtMs);
  }

  #invoke(attempt: ActiveAttempt): Promise<T> {
    try {
      return Promise.resolve(this.#run(attempt));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #fulfilled(attempt: ActiveAttempt, value: T): void {
    attempt.end();
    if (attempt.lease.settled) {
      // Nobody waits for it any more: it timed out, or the caller left.
      this.#discard(value);
      attempt.finish();
    } else if (this.#options.classify === undefined && this.#host.settings.classify === undefined) {
      this.#settle(attempt, SUCCESS, { failed: false, value }, false);
    } else {
      const report = this.#judge({ failed: false, value }, true);
      this.#settle(attempt, report, { failed: false, value }, false);
    }
  }

  #rejected(attempt: ActiveAttempt, error: unknown): void {
    attempt.end();
    if (attempt.lease.settled) attempt.finish();
    else {
      const report = this.#judge({ failed: true, error }, attempt.sent !== false);
      this.#settle(attempt, report, { failed: true, error }, false);
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
    this.#abandoned ??= new Set();
    this.#abandoned.add(attempt);
    this.#attempt = undefined;
    this.#settle(attempt, { outcome, origin: "local", errorCode: error.code }, { failed: true, error }, true);
    attempt.abort(error);
  }

  #judge(ending: Ending<T>, sent: boolean): Report {
    const ofCall = this.#options.classify;
    const ofBalancer = this.#host.settings.classify;
    const result = { ...ending, sent };
    if (ofCall === undefined && ofBalancer === undefined) return classifyResult(result);
    return judge(result, ofCall, ofBalancer, (where, error) => this.#host.callbackFailed(where, error));
  }

  // After it

  #settle(attempt: ActiveAttempt, report: Report, ending: Ending<T>, timedOut: boolean): void {
    attempt.timer?.cancel();
    const nowMs = this.now();
    attempt.lease.settleAt(report, nowMs);
    if (report.outcome === "success") this.#answer(attempt, ending, report);
    else this.#repeatOrAnswer(attempt, ending, report, timedOut, nowMs);
  }

  #repeatOrAnswer(attempt: ActiveAttempt, ending: Ending<T>, report: Report, timedOut: boolean, nowMs: number): void {
    this.#repeats ??= new Repeats(this.#host, this.#retrySettings(), this.#options.idempotent === true);
    const next = this.#repeats.after(attempt, report, timedOut, nowMs, this.#deadlineAtMs);
    if (next.kind === "answer") this.#answer(attempt, ending, report);
    else if (next.kind === "exhausted") this.#exhausted(attempt, ending, report);
    else {
      this.#request = withTried(this.#request, attempt.backend);
      // An error leaves nothing behind; an answer keeps its place until another attempt replaces it.
      if (ending.failed) attempt.finish();
      if (next.delayMs === 0) this.#again(attempt, ending, report, next.kind);
      else this.#pause(next.delayMs, () => this.#again(attempt, ending, report, next.kind));
    }
  }

  #retrySettings(): RetrySettings | undefined {
    const { retry } = this.#options;
    return retry === undefined
      ? this.#host.settings.retry
      : mergeRetry(this.#host.settings.retry, retry, this.#host.defaultRetry);
  }

  #pause(delayMs: number, then: () => void): void {
    const timer = this.#host.clock.schedule(delayMs, () => {
      this.#endWait = undefined;
      then();
    });
    this.#endWait = () => timer.cancel();
  }

  /** Another backend; for a retry any backend that admits it; or none: then the last ending stands. */
  #again(attempt: ActiveAttempt, ending: Ending<T>, report: Report, kind: "retry" | "requeue"): void {
    const nowMs = this.now();
    let lease = this.#host.tryLease(this.#request, nowMs);
    // What was refused a moment ago is refused again: a requeue goes elsewhere or waits.
    if (lease === undefined && kind === "retry") lease = this.#host.tryLease(lastResort(this.#request), nowMs);
    if (lease !== undefined) {
      if (!ending.failed) {
        this.#discard(ending.value);
        attempt.finish();
      }
      this.#attemptOn(lease, nowMs);
    } else if (ending.failed) {
      this.#request = lastResort(this.#request);
      this.#wait(() => this.#exhausted(attempt, ending, report));
    } else {
      this.#exhausted(attempt, ending, report);
    }
  }

  #answer(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void {
    if (this.#answered) return;
    this.#answered = true;
    if (report.outcome === "success") this.#host.counters.succeeded++;
    else if (report.outcome !== "ignored") this.#host.counters.failed++;
    if (ending.failed) this.#reject(ending.error);
    else this.#resolve(ending.value);
    attempt.finish();
    this.#endIfDone();
  }

  /** Nothing is left to try: the last answer, or an error that names every attempt. */
  #exhausted(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void {
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
    this.#endWait?.();
    this.#endWait = undefined;
    const attempt = this.#attempt;
    attempt?.timer?.cancel();
    if (report === undefined) this.#host.counters.failed++;
    else attempt?.lease.settle(report);
    this.#answered = true;
    this.#reject(error);
    // The lease is given back when the attempt's function has settled: the work goes on until then.
    attempt?.finish();
    this.#endIfDone();
  }

  /** Nothing of the call is left on any backend. */
  #endIfDone(): void {
    if (this.#attempt !== undefined || (this.#abandoned?.size ?? 0) > 0) return;
    this.#host.upstream.calls.delete(this);
    if (this.#onAbort !== undefined) this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  #discard(value: T): void {
    try {
      this.#options.discard?.(value);
    } catch (error) {
      this.#host.callbackFailed("discard", error);
    }
  }
}

function unreachable(): never {
  throw new Error("a call settled before it began");
}
