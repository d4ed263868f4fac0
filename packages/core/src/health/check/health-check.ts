import type { Backend } from "../../backend.ts";
import type { Clock } from "../../clock.ts";
import type { Random } from "../../random.ts";
import type { Finding, Health } from "../health.ts";

/** A backend as health checks see it. */
export interface CheckTarget extends Backend {
  readonly health: Health;
  /** When it joined the set, monotonic milliseconds. */
  readonly joinedAtMs: number;
  /** Another one after each ejection and each return: what a check finds speaks only for the one it began in. */
  readonly epoch: number;
  /** Verdicts on calls; they only ever grow. */
  readonly counters: { readonly successes: number; readonly failures: number; readonly unreached: number };
}

/** What a health check says of one backend. */
export interface HealthReport {
  readonly health: Health;
  /** The check that led to it; left out when there was none yet. */
  readonly check?: CheckResult | undefined;
}

export interface CheckResult extends Finding {
  /** Monotonic milliseconds. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** The target's `epoch` when the check began. */
  readonly epoch: number;
  /** Whether a backend that is up after it is brought back from an ejection. */
  readonly unejects: boolean;
}

export interface HealthCheckContext {
  readonly upstream: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Failed checks don't count against a backend that joined less than this ago, milliseconds; may change. */
  readonly graceMs: number;
  /** Takes in a backend's health; that of one that has left is not heard. */
  report(target: CheckTarget, report: HealthReport): void;
  callbackFailed(where: string, error: unknown): void;
}

/** Checks under way. Nothing it is told may throw. */
export interface HealthCheckRun {
  /** A backend has joined, or was there when the run began. One that joins for the first time is `unchecked`. */
  add(target: CheckTarget): void;
  remove(target: CheckTarget): void;
  /** Ends every check and every timer. */
  close(): void;
}

/** Finds out by itself which backends work. Give one as `healthCheck`: `httpCheck({ … })`, `functionCheck(…)` or your own. */
export interface HealthCheck {
  readonly name: string;
  /** Begins to check. `undefined`: that can't be done here; every backend then counts as unchecked. */
  start(context: HealthCheckContext): HealthCheckRun | undefined;
}
