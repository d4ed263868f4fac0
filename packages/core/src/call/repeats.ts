import { type AttemptRecord, describeAttempts, FairleadError } from "../errors.ts";
import { catchLater } from "../telemetry/callbacks.ts";
import type { ActiveAttempt } from "./active-attempt.ts";
import type { CallOptions } from "./attempt.ts";
import type { Budget } from "./budget.ts";
import type { CallHost } from "./call-host.ts";
import type { Last } from "./ending.ts";
import type { Report } from "./outcome.ts";
import { backoffMs, limitsUpstream, type RepeatKind, repeatKind, retryAfterMs, spreadMs } from "./retry.ts";
import { DEFAULT_RETRY, type FailedAttempt, mergeRetry, type RetrySettings } from "./retry-settings.ts";

/** Another attempt, as soon as `delayMs` have passed. */
export interface Repeat {
  readonly kind: "retry" | "requeue";
  readonly delayMs: number;
  /** Where nobody else takes it: the service may again after so many milliseconds. */
  readonly askedMs: number | undefined;
  /** What pays for it, if that is limited. */
  readonly budget: Budget | undefined;
}

/** The history of a call that did not succeed at once, and what it may still try. */
export class Repeats<T> {
  readonly #host: CallHost;
  readonly #retry: RetrySettings | undefined;
  readonly #idempotent: boolean;
  readonly #records: AttemptRecord[] = [];
  #retries = 0;
  #requeues = 0;
  /** The wait before the last retry. */
  #backoffMs = 0;
  /** The last attempt timed out: its error names every attempt itself. */
  #timeout: FairleadError | undefined = undefined;

  constructor(host: CallHost, { retry, idempotent }: Pick<CallOptions<never>, "retry" | "idempotent">) {
    const { settings } = host;
    this.#host = host;
    this.#retry = retry === undefined ? settings.retry : mergeRetry(settings.retry, retry);
    this.#idempotent = idempotent === true;
  }

  /** Notes the attempt and says as what it should be repeated; `undefined`: that would be wrong or useless. */
  wanted(last: Last<T>, timeout: FairleadError | undefined, nowMs: number): RepeatKind {
    const { attempt, report } = last;
    this.#note(attempt, report, nowMs);
    this.#timeout = timeout;
    const settings = this.#retry ?? DEFAULT_RETRY;
    const asUsual = repeatKind(report, this.#idempotent, timeout !== undefined, settings);
    const asked = settings.shouldRetry === undefined ? undefined : this.#ask(settings.shouldRetry, last);
    if (asked === undefined) return asUsual;
    return asked ? (asUsual ?? "retry") : undefined;
  }

  /** The repeat, paid for at once; `undefined` if limit, budget or deadline forbid it. */
  next(wanted: "retry" | "requeue", report: Report, nowMs: number, deadlineAtMs: number): Repeat | undefined {
    const kind = this.#host.upstream.closing ? undefined : this.#allowed(wanted);
    if (kind === undefined) return undefined;
    const { random } = this.#host;
    const settings = this.#retry ?? DEFAULT_RETRY;
    const retryAfter = kind === "retry" ? retryAfterMs(report, settings) : undefined;
    const askedMs = retryAfter === undefined ? undefined : spreadMs(retryAfter, random);
    const waits = askedMs !== undefined && limitsUpstream(report, settings);
    const delayMs = waits ? askedMs : this.#delayMs(kind, report);
    if (nowMs + delayMs >= deadlineAtMs || !this.#withdraw(kind, nowMs)) return undefined;
    return { kind, delayMs, askedMs: waits ? undefined : askedMs, budget: this.#budget(kind) };
  }

  /** The repeat begins. */
  begun({ kind, delayMs }: Repeat): void {
    const { announcer, name, counters } = this.#host;
    if (kind === "retry") counters.retries++;
    else counters.requeues++;
    const record = this.#records.at(-1);
    if (record !== undefined) announcer.emit("attemptRetried", () => ({ upstream: name, attempt: record, delayMs }));
  }

  /** The error of a call that has run out of attempts, naming each; the plain one if it does so or stands alone. */
  exhausted(cause: unknown): unknown {
    if (this.#records.length < 2 || cause === this.#timeout) return cause;
    const message = `${this.#host.name}: no backend answered in ${this.#records.length} attempts: ${describeAttempts(this.#records)}`;
    return new FairleadError("FAIRLEAD_ERR_RETRIES_EXHAUSTED", message, { cause, attempts: this.#records });
  }

  get records(): readonly AttemptRecord[] {
    return this.#records;
  }

  /** A `shouldRetry` that throws or answers nonsense has no say. */
  #ask(shouldRetry: (attempt: FailedAttempt) => unknown, last: Last<T>): boolean | undefined {
    const failed = (error: unknown): void => this.#host.callbackFailed("shouldRetry", error);
    try {
      const answer = shouldRetry(failedAttempt(last));
      if (answer === undefined || typeof answer === "boolean") return answer;
      catchLater(answer, failed);
      failed(new TypeError("shouldRetry must return true, false or undefined"));
    } catch (error) {
      failed(error);
    }
    return undefined;
  }

  /** What was never sent goes elsewhere, once per other backend; beyond that it is a retry like any other. */
  #allowed(wanted: "retry" | "requeue"): RepeatKind {
    if (wanted === "requeue" && this.#requeues < this.#host.size - 1) return "requeue";
    return this.#retry !== undefined && this.#retries < this.#retry.limit ? "retry" : undefined;
  }

  /** Elsewhere at once if nothing was sent or the backend only asked for less; else after a back-off. */
  #delayMs(kind: "retry" | "requeue", report: Report): number {
    if (kind === "requeue" || report.outcome === "overload" || this.#retry === undefined) return 0;
    try {
      this.#backoffMs = backoffMs(this.#retries + 1, this.#retry, this.#backoffMs, this.#host.random);
    } catch (error) {
      this.#host.callbackFailed("retry delay", error);
    }
    return this.#backoffMs;
  }

  #withdraw(kind: "retry" | "requeue", nowMs: number): boolean {
    const { counters, announcer, name } = this.#host;
    if (this.#budget(kind)?.withdraw(nowMs) === false) {
      counters.retriesDenied++;
      announcer.emit("budgetExhausted", () => ({ upstream: name, budget: kind }));
      return false;
    }
    if (kind === "retry") this.#retries++;
    else this.#requeues++;
    return true;
  }

  #budget(kind: "retry" | "requeue"): Budget | undefined {
    return kind === "retry" ? this.#host.retryBudget : this.#host.requeueBudget;
  }

  #note(attempt: ActiveAttempt, report: Report, nowMs: number): void {
    this.#records.push({
      backend: attempt.backend.id,
      outcome: report.outcome,
      status: report.status,
      errorCode: report.errorCode,
      ms: nowMs - attempt.lease.startedAtMs,
      sent: report.outcome !== "unreached",
    });
  }
}

/** What those who are asked about a repeat are shown. */
export function failedAttempt({ attempt, report, ending }: Last<unknown>): FailedAttempt {
  const { backend, number } = attempt;
  const seen = ending.failed ? { error: ending.error } : { value: ending.value };
  return { backend, number, report, sent: report.outcome !== "unreached", ...seen };
}

/** The error of an attempt without an answer in time; names the attempts before it, too. */
export function timeoutError(
  upstream: string,
  attempt: ActiveAttempt,
  outcome: "failure" | "unreached",
  nowMs: number,
  deadlineAtMs: number,
  before: readonly AttemptRecord[],
): FairleadError {
  const errorCode = "FAIRLEAD_ERR_TIMEOUT";
  const ms = nowMs - attempt.lease.startedAtMs;
  const what = nowMs >= deadlineAtMs ? "the deadline" : "the attempt timeout";
  const record = { backend: attempt.backend.id, outcome, errorCode, ms, sent: outcome === "failure" };
  return new FairleadError(
    errorCode,
    `${upstream}: ${record.backend} gave no answer within ${what} (${ms.toFixed(0)} ms)`,
    {
      attempts: [...before, record],
    },
  );
}
