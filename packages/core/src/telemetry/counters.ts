import type { Outcome } from "../call/outcome.ts";
import type { EjectionSkip } from "../health/outliers/detection.ts";
import { Histogram } from "./histogram.ts";

/** How often there was cause of one kind for an ejection, and one thing came of it. */
export interface EjectionCount {
  readonly kind: string;
  readonly result: "ejected" | EjectionSkip;
  count: number;
}

/** What is counted per backend. Only ever grows. */
export class BackendCounters {
  /** Leases given, of either kind. */
  attempts = 0;
  successes = 0;
  failures = 0;
  overloads = 0;
  unreached = 0;
  ignored = 0;
  /** Streams that broke after a good start. */
  streamFailures = 0;
  checksPassed = 0;
  checksFailed = 0;
  /** Most backends have none. */
  ejections: EjectionCount[] | undefined = undefined;
  /** Of successful requests, to the verdict. */
  readonly latency: Histogram = new Histogram();

  count(outcome: Outcome): void {
    switch (outcome) {
      case "success":
        this.successes++;
        break;
      case "failure":
        this.failures++;
        break;
      case "overload":
        this.overloads++;
        break;
      case "unreached":
        this.unreached++;
        break;
      case "ignored":
        this.ignored++;
        break;
    }
  }

  countEjection(kind: string, result: EjectionCount["result"]): void {
    this.ejections ??= [];
    const known = this.ejections.find((other) => other.kind === kind && other.result === result);
    if (known === undefined) this.ejections.push({ kind, result, count: 1 });
    else known.count++;
  }

  /** Those that came about, or those that did not. */
  countEjections(done: boolean): number {
    const counted = this.ejections?.filter(({ result }) => (result === "ejected") === done) ?? [];
    return counted.reduce((sum, { count }) => sum + count, 0);
  }
}

/** What is counted per upstream. Only ever grows. */
export class CallCounters {
  /** Calls by `call`, and whatever is wrapped around it. */
  calls = 0;
  succeeded = 0;
  failed = 0;
  /** Ended by the caller. */
  aborted = 0;
  /** What came of them was the caller's doing, by its verdict. */
  ignored = 0;
  retries = 0;
  /** Repeats of attempts that never reached a backend. */
  requeues = 0;
  retriesDenied = 0;
  /** Attempts beside one that took long. */
  hedges = 0;
  hedgesDenied = 0;
  /** Failed, but answered by a fallback. */
  fallbacks = 0;
  timeouts = 0;
  /** Calls and leases for which there was no backend. */
  noBackend = 0;
  /** Exceptions out of listeners, classifiers, strategies and breakers. */
  callbackFailures = 0;

  toJSON(): Readonly<Record<CallCounter, number>> {
    return Object.assign({}, this);
  }
}

export type CallCounter = Exclude<keyof CallCounters, "toJSON">;
