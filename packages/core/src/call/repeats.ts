import { type AttemptRecord, describeAttempts, FairleadError } from "../errors.ts";
import type { RetrySettings } from "../settings.ts";
import type { ActiveAttempt } from "./active-attempt.ts";
import type { CallHost } from "./call-host.ts";
import type { Report } from "./outcome.ts";
import { backoffMs, type RepeatKind, repeatKind } from "./retry.ts";

/** What follows an attempt that was no success. */
export type Next =
  /** Its result is the answer: repeating it would be wrong or useless. */
  | { readonly kind: "answer" }
  /** It would be repeated, but limit, budget or deadline forbid it. */
  | { readonly kind: "exhausted" }
  | { readonly kind: "retry" | "requeue"; readonly delayMs: number };

/** The history of a call that did not succeed at once, and what it may still try. */
export class Repeats {
  readonly #host: CallHost;
  readonly #retry: RetrySettings | undefined;
  readonly #idempotent: boolean;
  readonly #records: AttemptRecord[] = [];
  #retries = 0;
  #requeues = 0;

  constructor(host: CallHost, retry: RetrySettings | undefined, idempotent: boolean) {
    this.#host = host;
    this.#retry = retry;
    this.#idempotent = idempotent;
  }

  /** Notes the attempt and decides what comes next; a repeat is paid for at once. */
  after(attempt: ActiveAttempt, report: Report, timedOut: boolean, nowMs: number, deadlineAtMs: number): Next {
    this.#note(attempt, report, nowMs);
    const wanted = repeatKind(report, this.#idempotent, timedOut, this.#retry ?? this.#host.defaultRetry);
    if (wanted === undefined) return { kind: "answer" };
    const kind = this.#allowed(wanted);
    if (kind === undefined) return { kind: "exhausted" };
    const delayMs = this.#delayMs(kind, report);
    if (nowMs + delayMs >= deadlineAtMs || !this.#withdraw(kind, nowMs)) return { kind: "exhausted" };
    const { announcer, name } = this.#host;
    const record = this.#records.at(-1);
    if (record !== undefined) announcer.emit("attemptRetried", () => ({ upstream: name, attempt: record, delayMs }));
    return { kind, delayMs };
  }

  /** The error of a call that has run out of attempts, naming each; the plain one if it does so or stands alone. */
  exhausted(cause: unknown): unknown {
    if (this.#records.length < 2 || cause instanceof FairleadError) return cause;
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
