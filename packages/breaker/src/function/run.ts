import type { Clock, Timer } from "@fairlead/core";
import type { StateMachine } from "../machine/state-machine.ts";
import { breakerError } from "./errors.ts";

/** What a run needs of its breaker. */
export interface RunHost {
  readonly machine: StateMachine;
  readonly clock: Clock;
  readonly timeoutMs: number | false;
  tell(count: string, event: string, ...args: unknown[]): void;
  tellEnd(end: "success" | "failure", what: unknown, latencyMs: number, ...args: unknown[]): void;
  /** Whether an error is nobody's failure. */
  filters(error: unknown, args: readonly unknown[]): boolean;
  ignored(error: unknown, latencyMs: number): void;
  /** What the caller gets instead of an error, if anything. */
  instead(error: unknown, args: readonly unknown[]): Promise<unknown> | undefined;
  /** The verdict is there. */
  settled(run: Run, how: "success" | "error" | "timeout", value?: unknown): void;
  /** The function has come to its end, or never began: only now its place is free. */
  ended(): void;
}

/** One call of the function: ends once for the caller and the breaker, and once for the function's place. */
export class Run {
  readonly promise: Promise<unknown>;
  /** By which it may be shared. */
  readonly key: string | undefined;
  readonly #host: RunHost;
  readonly #args: readonly unknown[];
  readonly #ticket: number;
  readonly #startedAtMs: number;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #settled = false;
  #timer: Timer | undefined;
  #controller: AbortController | undefined;
  #unlink: (() => void) | undefined;

  constructor(host: RunHost, args: readonly unknown[], key: string | undefined, nowMs: number) {
    this.#host = host;
    this.#args = args;
    this.key = key;
    this.#ticket = host.machine.enter(nowMs);
    this.#startedAtMs = nowMs;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A signal for the function. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  start(action: () => unknown, callers: AbortSignal | undefined): void {
    const { timeoutMs, clock } = this.#host;
    if (timeoutMs !== false)
      this.#timer = clock.schedule(timeoutMs, () => this.#timedOut(timeoutMs), { background: true });
    if (callers !== undefined) this.#listenTo(callers);
    try {
      Promise.resolve(action()).then(
        (value) => this.#fulfilled(value),
        (error: unknown) => this.#rejected(error),
      );
    } catch (error) {
      this.#rejected(error);
    }
  }

  #fulfilled(value: unknown): void {
    this.#host.ended();
    if (!this.#begins()) return;
    const { host, latencyMs, nowMs } = this.#now();
    host.tellEnd("success", value, latencyMs);
    host.machine.report(this.#ticket, "worked", latencyMs, nowMs);
    host.settled(this, "success", value);
    this.#resolve(value);
  }

  #rejected(error: unknown): void {
    this.#host.ended();
    if (!this.#begins()) return;
    this.#failed(error, "error");
  }

  #timedOut(timeoutMs: number): void {
    if (!this.#begins()) return;
    const error = breakerError(`Timed out after ${timeoutMs}ms`, "ETIMEDOUT");
    this.#host.tell("timeouts", "timeout", error, timeoutMs, this.#args);
    this.#failed(error, "timeout");
    this.#controller?.abort(error);
  }

  /** The caller has left. */
  #left(reason: unknown): void {
    if (!this.#begins()) return;
    this.#nobodysFailure(reason);
    this.#controller?.abort(reason);
  }

  #failed(error: unknown, how: "error" | "timeout"): void {
    const { host, latencyMs, nowMs } = this.#now();
    if (host.filters(error, this.#args)) {
      host.settled(this, how);
      this.#nobodysFailure(error);
      return;
    }
    host.tellEnd("failure", error, latencyMs, this.#args);
    host.machine.report(this.#ticket, "failed", latencyMs, nowMs);
    host.settled(this, how);
    const instead = host.instead(error, this.#args);
    if (instead === undefined) this.#reject(error);
    else this.#resolve(instead);
  }

  #nobodysFailure(error: unknown): void {
    const { host, latencyMs, nowMs } = this.#now();
    host.ignored(error, latencyMs);
    host.machine.report(this.#ticket, "none", latencyMs, nowMs);
    this.#reject(error);
  }

  /** Whether this is the first ending; then it is the only one. */
  #begins(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#timer?.cancel();
    this.#unlink?.();
    return true;
  }

  #now(): { readonly host: RunHost; readonly latencyMs: number; readonly nowMs: number } {
    const nowMs = this.#host.clock.now();
    return { host: this.#host, latencyMs: nowMs - this.#startedAtMs, nowMs };
  }

  #listenTo(callers: AbortSignal): void {
    const onAbort = (): void => this.#left(callers.reason);
    callers.addEventListener("abort", onAbort, { once: true });
    this.#unlink = () => callers.removeEventListener("abort", onAbort);
  }
}
