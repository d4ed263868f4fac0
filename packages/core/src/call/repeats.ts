import { type AttemptRecord, describeAttempts, FairleadError } from "../errors.ts";
import type { ActiveAttempt } from "./active-attempt.ts";
import type { CallOptions } from "./attempt.ts";
import type { Budget } from "./budget.ts";
import type { CallHost } from "./call-host.ts";
import type { Report } from "./outcome.ts";
import { backoffMs, mergeRetry, type RepeatKind, repeatKind } from "./retry.ts";
import type { RetrySettings } from "./retry-settings.ts";

/** What follows an attempt that was no success. */
export type Next =
  /** Its result is the answer: repeating it would be wrong or useless. */
  | { readonly kind: "answer" }
  /** It would be repeated, but limit, budget or deadline forbid it. */
  | { readonly kind: "exhausted" }
  | Repeat;

export interface Repeat {
  readonly kind: "retry" | "requeue";
  readonly delayMs: number;
}

/** The history of a call that did not succeed at once, and what it may still try. */
export class Repeats {
  readonly #host: CallHost;
  readonly #retry: RetrySettings | undefined;
  readonly #idempotent: boolean;
  readonly #records: AttemptRecord[] = [];
  #retries = 0;
  #requeues = 0;
  /** The last attempt timed out: its error names every attempt itself. */
  #timeout: FairleadError | undefined = undefined;

  constructor(host: CallHost, { retry, idempotent }: Pick<CallOptions<never>, "retry" | "idempotent">) {
    const { settings, defaultRetry } = host;
    this.#host = host;
    this.#retry = retry === undefined ? settings.retry : mergeRetry(settings.retry, retry, defaultRetry);
    this.#idempotent = idempotent === true;
  }

  /** Notes the attempt and decides what comes next; a repeat is paid for at once. */
  after(
    attempt: ActiveAttempt,
    report: Report,
    timeout: FairleadError | undefined,
    nowMs: number,
    deadlineAtMs: number,
  ): Next {
    this.#note(attempt, report, nowMs);
    this.#timeout = timeout;
    const settings = this.#retry ?? this.#host.defaultRetry;
    const wanted = repeatKind(report, this.#idempotent, timeout !== undefined, settings);
    if (wanted === undefined) return { kind: "answer" };
    const kind = this.#host.upstream.closing ? undefined : this.#allowed(wanted);
    if (kind === undefined) return { kind: "exhausted" };
    const delayMs = this.#delayMs(kind, report);
    if (nowMs + delayMs >= deadlineAtMs || !this.#withdraw(kind, nowMs)) return { kind: "exhausted" };
    return { kind, delayMs };
  }

  /** The repeat begins. */
  begun(kind: "retry" | "requeue", delayMs: number): void {
    const { announcer, name, counters } = this.#host;
    if (kind === "retry") counters.retries++;
    else counters.requeues++;
    const record = this.#records.at(-1);
    if (record !== undefined) announcer.emit("attemptRetried", () => ({ upstream: name, attempt: record, delayMs }));
  }

  /** Nobody takes the repeat. */
  abandoned(kind: "retry" | "requeue", nowMs: number): void {
    this.#budget(kind)?.giveBack(nowMs);
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

  /** What was never sent goes elsewhere, once per other backend; beyond that it is a retry like any other. */
  #allowed(wanted: "retry" | "requeue"): RepeatKind {
    if (wanted === "requeue" && this.#requeues < this.#host.size - 1) return "requeue";
    return this.#retry !== undefined && this.#retries < this.#retry.limit ? "retry" : undefined;
  }

  /** Elsewhere at once if nothing was sent or the backend only asked for less; else after a back-off. */
  #delayMs(kind: "retry" | "requeue", report: Report): number {
    if (kind === "requeue" || report.outcome === "overload" || this.#retry === undefined) return 0;
    return backoffMs(this.#retries + 1, this.#retry, this.#host.random);
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
