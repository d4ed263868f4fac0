import type { RequestKind } from "../backend.ts";
import type { Clock, Timer } from "../clock.ts";
import { type AttemptRecord, describeAttempts, FairleadError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { RetrySettings, Settings } from "../settings.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { CallCounters } from "../telemetry/counters.ts";
import type { Announcer } from "../telemetry/events.ts";
import { ActiveAttempt, type AttemptOwner } from "./active-attempt.ts";
import type { Attempt, CallOptions } from "./attempt.ts";
import type { Budget } from "./budget.ts";
import { type AttemptResult, type Classifier, classifyResult, isReport, toReport } from "./classifier.ts";
import type { ActiveLease } from "./lease.ts";
import { IGNORED, type Report, SUCCESS } from "./outcome.ts";
import { backoffMs, mergeRetry, type RepeatKind, repeatKind } from "./retry.ts";

/** What a call needs of the balancer it runs on. */
export interface CallHost {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: Settings;
  readonly defaultRetry: RetrySettings;
  readonly counters: CallCounters;
  readonly announcer: Announcer;
  readonly retryBudget: Budget | undefined;
  readonly requeueBudget: Budget | undefined;
  /** Backends a call could go to, if not now. */
  readonly size: number;
  tryLease(request: PickRequest, nowMs: number): ActiveLease | undefined;
  /** Waits for a lease, as long as the queue lets it and `limitMs` at most. Returns how to leave. */
  waitForLease(
    request: PickRequest,
    limitMs: number,
    serve: (lease: ActiveLease) => void,
    fail: (error: unknown) => void,
  ): () => void;
  started(call: OpenCall): void;
  ended(call: OpenCall): void;
  callbackFailed(where: string, error: unknown): void;
}

/** What a closing balancer does with the calls that are left. */
export interface OpenCall {
  close(error: FairleadError): void;
}

/** How an attempt came out, until the call knows whether that is its answer. */
type Ending<T> = { readonly failed: false; readonly value: T } | { readonly failed: true; readonly error: unknown };

const REQUEST: PickRequest = { replayable: false };
const REPLAYABLE: PickRequest = { replayable: true };

/** Runs one call: attempts one after the other until one is the answer, the caller gives up, or nothing is left. */
export class Call<T> implements AttemptOwner, OpenCall {
  readonly #host: CallHost;
  readonly #run: (attempt: Attempt) => Promise<T>;
  readonly #options: CallOptions<T>;
  readonly #retry: RetrySettings | undefined;
  readonly #deadlineAtMs: number;
  #request: PickRequest;
  #resolve: (value: T) => void = unreachable;
  #reject: (error: unknown) => void = unreachable;
  #answered = false;
  /** The attempt under way, or the one whose answer is still held. */
  #attempt: ActiveAttempt | undefined = undefined;
  #number = 0;
  #retries = 0;
  #requeues = 0;
  #records: AttemptRecord[] | undefined = undefined;
  /** Ends the present wait: back-off or queue. */
  #endWait: (() => void) | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;

  constructor(host: CallHost, run: (attempt: Attempt) => Promise<T>, options: CallOptions<T>, nowMs: number) {
    const { settings } = host;
    this.#host = host;
    this.#run = run;
    this.#options = options;
    this.#retry =
      options.retry === undefined ? settings.retry : mergeRetry(settings.retry, options.retry, host.defaultRetry);
    const deadlineMs = options.deadlineMs ?? settings.deadlineMs;
    this.#deadlineAtMs = deadlineMs === false ? Number.POSITIVE_INFINITY : nowMs + deadlineMs;
    this.#request = pickRequestOf(options);
  }

  start(nowMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#host.started(this);
      const { signal } = this.#options;
      if (signal?.aborted === true) this.#abortedByCaller(signal);
      else {
        if (signal !== undefined) this.#listenTo(signal);
        this.#acquire(nowMs);
      }
    });
  }

  now(): number {
    return this.#host.clock.now();
  }

  /** The balancer closes: the call ends, whatever it is doing, body included. */
  close(error: FairleadError): void {
    this.#attempt?.abort(error);
    if (!this.#answered) this.#fail(error, IGNORED);
    this.#attempt?.releaseNow();
  }

  attemptReleased(attempt: ActiveAttempt): void {
    if (attempt === this.#attempt) this.#attempt = undefined;
    if (this.#answered && this.#attempt === undefined) this.#end();
  }

  // Getting a backend

  #acquire(nowMs: number): void {
    const lease = this.#host.tryLease(this.#request, nowMs);
    if (lease === undefined) this.#wait((error) => this.#fail(error, undefined));
    else this.#attemptOn(lease, nowMs);
  }

  #wait(fail: (error: unknown) => void): void {
    this.#endWait = this.#host.waitForLease(
      this.#request,
      this.#deadlineAtMs - this.now(),
      (lease) => {
        this.#endWait = undefined;
        this.#attemptOn(lease, this.now());
      },
      fail,
    );
  }

  // One attempt

  #attemptOn(lease: ActiveLease, nowMs: number): void {
    const giveUpAtMs = this.#giveUpAtMs(nowMs);
    const attempt = new ActiveAttempt(this, lease, ++this.#number, giveUpAtMs);
    this.#attempt = attempt;
    if (giveUpAtMs !== Number.POSITIVE_INFINITY)
      attempt.timer = this.#host.clock.schedule(giveUpAtMs - nowMs, () => this.#timedOut(attempt));
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
      return;
    }
    const report = this.#judge({ failed: false, value, sent: true });
    this.#settle(attempt, report, { failed: false, value }, false);
  }

  #rejected(attempt: ActiveAttempt, error: unknown): void {
    attempt.end();
    if (attempt.lease.settled) {
      attempt.finish();
      return;
    }
    const report = this.#judge({ failed: true, error, sent: attempt.sent !== false });
    this.#settle(attempt, report, { failed: true, error }, false);
  }

  #timedOut(attempt: ActiveAttempt): void {
    const total = this.now() >= this.#deadlineAtMs;
    const what = total ? "the deadline" : "the attempt timeout";
    const ms = this.now() - attempt.lease.startedAtMs;
    const error = this.#error(
      "FAIRLEAD_ERR_TIMEOUT",
      `${attempt.backend.id} gave no answer within ${what} (${ms.toFixed(0)} ms)`,
      attempt,
    );
    this.#host.counters.timeouts++;
    const outcome = attempt.sent === false ? "unreached" : "failure";
    this.#settle(attempt, { outcome, origin: "local", errorCode: error.code }, { failed: true, error }, true);
    attempt.abort(error);
  }

  /** The verdict: the option of the call, else that of the balancer, else the built-in one. */
  #judge(result: AttemptResult): Report {
    const classify = this.#options.classify;
    const ofBalancer = this.#host.settings.classify;
    if (classify === undefined && ofBalancer === undefined) return result.failed ? classifyResult(result) : SUCCESS;
    return this.#ask(classify, result) ?? this.#ask(ofBalancer, result) ?? classifyResult(result);
  }

  #ask(classify: Classifier | undefined, result: AttemptResult): Report | undefined {
    if (classify === undefined) return undefined;
    try {
      const verdict = classify(result);
      if (verdict === undefined) return undefined;
      if (isReport(verdict)) return toReport(verdict);
      throw new TypeError(`a classifier must return an outcome, a report or undefined, not ${String(verdict)}`);
    } catch (error) {
      this.#host.callbackFailed("classify", error);
      return undefined;
    }
  }

  // After the attempt

  #settle(attempt: ActiveAttempt, report: Report, ending: Ending<T>, timedOut: boolean): void {
    attempt.timer?.cancel();
    const nowMs = this.now();
    attempt.lease.settleAt(report, nowMs);
    if (report.outcome === "success") this.#answer(attempt, ending, report);
    else this.#repeatOrAnswer(attempt, report, ending, timedOut, nowMs);
  }

  #repeatOrAnswer(attempt: ActiveAttempt, report: Report, ending: Ending<T>, timedOut: boolean, nowMs: number): void {
    const kind = this.#repeatKind(report, timedOut);
    const delayMs = kind === undefined ? 0 : this.#delayMs(kind, report);
    if (kind !== undefined || this.#records !== undefined) this.#record(attempt, report, nowMs);
    if (kind === undefined) {
      this.#answer(attempt, ending, report);
    } else if (nowMs + delayMs >= this.#deadlineAtMs || !this.#withdraw(kind, nowMs)) {
      this.#exhausted(attempt, ending, report);
    } else {
      this.#repeat(attempt, ending, report, kind, delayMs);
    }
  }

  /** Which allowance a repeat would draw on, if one is allowed at all. */
  #repeatKind(report: Report, timedOut: boolean): RepeatKind {
    const kind = repeatKind(
      report,
      this.#options.idempotent === true,
      timedOut,
      this.#retry ?? this.#host.defaultRetry,
    );
    if (kind === "requeue" && this.#requeues < this.#host.size - 1) return kind;
    if (kind === undefined || this.#retry === undefined || this.#retries >= this.#retry.limit) return undefined;
    return "retry";
  }

  /** Elsewhere at once if nothing was sent or the backend only asked for less; else after a back-off. */
  #delayMs(kind: RepeatKind, report: Report): number {
    if (kind === "requeue" || report.outcome === "overload" || this.#retry === undefined) return 0;
    return backoffMs(this.#retries + 1, this.#retry, this.#host.random);
  }

  #withdraw(kind: "retry" | "requeue", nowMs: number): boolean {
    const { counters, announcer, name } = this.#host;
    const budget = kind === "retry" ? this.#host.retryBudget : this.#host.requeueBudget;
    if (budget !== undefined && !budget.withdraw(nowMs)) {
      counters.retriesDenied++;
      announcer.emit("budgetExhausted", () => ({ upstream: name, budget: kind }));
      return false;
    }
    if (kind === "retry") {
      this.#retries++;
      counters.retries++;
    } else {
      this.#requeues++;
      counters.requeues++;
    }
    return true;
  }

  #repeat(attempt: ActiveAttempt, ending: Ending<T>, report: Report, kind: RepeatKind, delayMs: number): void {
    const { announcer, name } = this.#host;
    const record = this.#records?.at(-1);
    if (record !== undefined) announcer.emit("attemptRetried", () => ({ upstream: name, attempt: record, delayMs }));
    this.#request = { ...this.#request, tried: new Set([...(this.#request.tried ?? []), attempt.backend]) };
    // An error leaves nothing behind; an answer keeps its place until another attempt replaces it.
    if (ending.failed) attempt.finish();
    if (delayMs === 0) this.#again(attempt, ending, report, kind);
    else this.#pause(delayMs, () => this.#again(attempt, ending, report, kind));
  }

  #pause(delayMs: number, then: () => void): void {
    const timer: Timer = this.#host.clock.schedule(delayMs, () => {
      this.#endWait = undefined;
      then();
    });
    this.#endWait = () => timer.cancel();
  }

  /** Another backend, any backend that admits it, or none: then the last ending stands. */
  #again(attempt: ActiveAttempt, ending: Ending<T>, report: Report, kind: RepeatKind): void {
    const nowMs = this.now();
    const lease = this.#host.tryLease(this.#request, nowMs) ?? this.#anyLease(kind, nowMs);
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

  #anyLease(kind: RepeatKind, nowMs: number): ActiveLease | undefined {
    // What was refused a moment ago is refused again: a requeue goes elsewhere or waits.
    if (kind === "requeue") return undefined;
    return this.#host.tryLease(lastResort(this.#request), nowMs);
  }

  // The end

  #answer(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void {
    if (this.#answered) return;
    this.#answered = true;
    if (report.outcome === "success") this.#host.counters.succeeded++;
    else if (report.outcome !== "ignored") this.#host.counters.failed++;
    if (ending.failed) this.#reject(ending.error);
    else this.#resolve(ending.value);
    attempt.finish();
    if (this.#attempt === undefined) this.#end();
  }

  /** Nothing is left to try: the last answer, or an error that names every attempt. */
  #exhausted(attempt: ActiveAttempt, ending: Ending<T>, report: Report): void {
    if (!ending.failed || (this.#records?.length ?? 0) < 2) {
      this.#answer(attempt, ending, report);
      return;
    }
    const error = new FairleadError(
      "FAIRLEAD_ERR_RETRIES_EXHAUSTED",
      `${this.#host.name}: no backend answered in ${this.#number} attempts: ${describeAttempts(this.#records ?? [])}`,
      { cause: ending.error, attempts: this.#records },
    );
    this.#answer(attempt, { failed: true, error }, report);
  }

  #abortedByCaller(signal: AbortSignal): void {
    const reason: unknown = signal.reason;
    this.#attempt?.abort(reason);
    if (this.#answered) return;
    this.#host.counters.aborted++;
    this.#fail(reason, IGNORED);
  }

  /** Ends the call from outside the attempt; with `report`, the attempt under way gets that verdict. */
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
    if (attempt === undefined) this.#end();
  }

  #end(): void {
    this.#host.ended(this);
    if (this.#onAbort !== undefined) this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  #listenTo(signal: AbortSignal): void {
    this.#onAbort = () => this.#abortedByCaller(signal);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  #discard(value: T): void {
    try {
      this.#options.discard?.(value);
    } catch (error) {
      this.#host.callbackFailed("discard", error);
    }
  }

  #record(attempt: ActiveAttempt, report: Report, nowMs: number): void {
    this.#records ??= [];
    this.#records.push({
      backend: attempt.backend.id,
      outcome: report.outcome,
      status: report.status,
      errorCode: report.errorCode,
      ms: nowMs - attempt.lease.startedAtMs,
      sent: report.outcome !== "unreached",
    });
  }

  #error(code: FairleadError["code"], message: string, attempt: ActiveAttempt): FairleadError {
    const ms = this.now() - attempt.lease.startedAtMs;
    const current: AttemptRecord = {
      backend: attempt.backend.id,
      outcome: "failure",
      errorCode: code,
      ms,
      sent: attempt.sent !== false,
    };
    return new FairleadError(code, `${this.#host.name}: ${message}`, {
      attempts: [...(this.#records ?? []), current],
    });
  }
}

/** Most calls say nothing that a pick depends on, and share one of two requests. */
function pickRequestOf<T>(options: CallOptions<T>): PickRequest {
  const { kind, hashKey, pinned, pinPolicy, labels, idempotent } = options;
  if (kind === undefined && hashKey === undefined && pinned === undefined && labels === undefined)
    return idempotent === true ? REPLAYABLE : REQUEST;
  const requestKind: RequestKind | undefined = kind;
  return { kind: requestKind, hashKey, pinned, pinPolicy, labels, replayable: idempotent === true };
}

/** A retry that nobody new can take: failed and tried backends may. */
function lastResort(request: PickRequest): PickRequest & { readonly lastResort: true } {
  return { ...request, tried: undefined, lastResort: true };
}

function unreachable(): never {
  throw new Error("a call settled before it began");
}
