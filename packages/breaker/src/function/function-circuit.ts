import type { Timer } from "@fairlead/core";
import { catchLater } from "@fairlead/core";
import { DrivenCircuit } from "../circuit/driven-circuit.ts";
import type { Change, SavedState } from "../machine/state.ts";
import { StateMachine } from "../machine/state-machine.ts";
import type { FallbackFunction, FireOptions, FunctionBreaker } from "./contract.ts";
import { breakerError } from "./errors.ts";
import { HealthChecks } from "./health-checks.ts";
import type { FunctionSettings } from "./options.ts";
import { ResultCache } from "./result-cache.ts";
import { Run, type RunHost } from "./run.ts";

type Args = readonly unknown[];
type Action = (...args: unknown[]) => unknown;

/** A function behind a breaker: opossum's interface, run by our own machine. */
export class FunctionCircuit extends DrivenCircuit implements FunctionBreaker {
  readonly #settings: FunctionSettings;
  readonly #action: Action;
  readonly #machine: StateMachine;
  readonly #host: RunHost;
  readonly #cache: ResultCache | undefined;
  readonly #checks: HealthChecks;
  readonly #failed: (where: string, error: unknown) => void;
  #fallback: FallbackFunction<Args, unknown> | undefined;
  /** Functions under way, those that timed out included. */
  #running = 0;
  /** When an opening ends: opossum's `halfOpen` does not wait for a call. */
  #opening: Timer | undefined;

  constructor(action: Action, settings: FunctionSettings) {
    const { rules, name, group, timeout, percentiles, clock, random, cache, stats } = settings;
    const failed = (where: string, error: unknown): void => this.#callbackFailed(where, error);
    const changed = (change: Change): void => this.#changed(change);
    // Its places are counted here: a function that timed out still has one.
    const counted = { ...rules, capacity: Number.POSITIVE_INFINITY };
    const machine = new StateMachine(counted, { clock, random, changed });
    const others = { timeout, errorFilter: settings.errorFilter };
    super(action, machine, { settings: rules, name, group, percentiles, clock, random, stats, others, failed });
    this.#settings = settings;
    this.#action = action;
    this.#machine = machine;
    this.#failed = failed;
    this.#cache = cache.cache || cache.coalesce ? new ResultCache(cache, clock, this, failed) : undefined;
    this.#checks = new HealthChecks(clock, (error) => this.#checkFailed(error));
    this.#host = this.#runHost();
    this.#takeUp();
  }

  // Calls

  override fire(...args: Args): Promise<unknown> {
    return this.#run(this.#action, args, undefined);
  }

  call(context: unknown, ...args: Args): Promise<unknown> {
    return this.#run(context, args, undefined);
  }

  fireWith({ signal }: FireOptions, ...args: Args): Promise<unknown> {
    return this.#run(this.#action, args, signal);
  }

  fallback(fallback: FallbackFunction<Args, unknown> | { fire(...args: unknown[]): Promise<unknown> }): this {
    this.#fallback = typeof fallback === "function" ? fallback : (...args) => fallback.fire(...args);
    return this;
  }

  #run(context: unknown, args: Args, callers: AbortSignal | undefined): Promise<unknown> {
    if (this.isShutdown) return Promise.reject(breakerError("The circuit has been shutdown.", "ESHUTDOWN"));
    if (callers?.aborted === true) return Promise.reject(callers.reason);
    this.tell("fires", "fire", args);
    if (!this.#machine.enabled) return this.#unguarded(context, args, callers);
    // Who may leave can't share: those who stay would be left with nothing.
    const key = callers === undefined ? this.#cache?.keyOf(args) : undefined;
    const shared = key === undefined ? undefined : this.#cache?.find(key);
    if (shared !== undefined) return shared;
    const nowMs = this.#settings.clock.now();
    if (!this.#machine.admits(nowMs)) return this.#refused(args);
    if (this.#running >= this.#settings.rules.capacity) return this.#crowdedOut(args);
    this.#running++;
    const run = new Run(this.#host, args, key, nowMs);
    if (key !== undefined) this.#cache?.share(key, run.promise);
    const actual = this.#settings.passSignal ? [...args, run.signal] : args;
    run.start(() => this.#action.apply(context, actual as unknown[]), callers);
    return run.promise;
  }

  #unguarded(context: unknown, args: Args, callers: AbortSignal | undefined): Promise<unknown> {
    const actual = this.#settings.passSignal ? [...args, callers ?? new AbortController().signal] : args;
    return new Promise((resolve) => resolve(this.#action.apply(context, actual as unknown[])));
  }

  #refused(args: Args): Promise<unknown> {
    const error = breakerError("Breaker is open", "EOPENBREAKER");
    this.tell("rejects", "reject", error);
    return this.#instead(error, args) ?? Promise.reject(error);
  }

  #crowdedOut(args: Args): Promise<unknown> {
    const error = breakerError("Semaphore locked", "ESEMLOCKED");
    this.tell("semaphoreRejections", "semaphoreLocked", error, 0);
    return this.#instead(error, args) ?? Promise.reject(error);
  }

  #instead(error: unknown, args: Args): Promise<unknown> | undefined {
    if (this.#fallback === undefined) return undefined;
    try {
      const result: unknown = this.#fallback(...args, error);
      this.tell("fallbacks", "fallback", result, error);
      return Promise.resolve(result);
    } catch (failure) {
      return Promise.reject(failure);
    }
  }

  #runHost(): RunHost {
    return {
      machine: this.#machine,
      clock: this.#settings.clock,
      timeoutMs: this.#settings.timeout,
      tell: (count, event, ...args) => this.tell(count, event, ...args),
      tellEnd: (end, what, latencyMs, ...args) => this.tellEnd(end, what, latencyMs, ...args),
      filters: (error, args) => this.#filters(error, args),
      ignored: (error, latencyMs) => void this.emit("ignored", error, latencyMs),
      instead: (error, args) => this.#instead(error, args),
      settled: ({ key }, how, value) => {
        if (key !== undefined) this.#cache?.ended(key, how, value);
      },
      ended: () => void this.#running--,
    };
  }

  #filters(error: unknown, args: Args): boolean {
    try {
      const answer = this.#settings.errorFilter?.(error, ...args);
      catchLater(answer, (failure) => this.#failed("errorFilter", failure));
      // A promise is no answer: every async filter would filter everything.
      return answer !== undefined && answer !== null && typeof answer !== "object" && Boolean(answer);
    } catch (failure) {
      this.#failed("errorFilter", failure);
      return false;
    }
  }

  // By hand

  healthCheck(check: () => unknown, intervalMs = 5_000): () => void {
    if (typeof check !== "function") throw new TypeError("Health check function must be a function");
    if (!(intervalMs > 0)) throw new TypeError("Health check interval must be a number of milliseconds above 0");
    return this.isShutdown ? () => {} : this.#checks.start(() => check.call(this), intervalMs);
  }

  override clearCache(): void {
    this.#cache?.flush();
  }

  getSignal(): undefined {
    return undefined;
  }

  getAbortController(): undefined {
    return undefined;
  }

  override shutdown(): void {
    this.#checks.stop();
    this.#opening?.cancel();
    super.shutdown();
  }

  #checkFailed(error: unknown): void {
    this.emit("healthCheckFailed", error);
    if (!this.isShutdown) this.#machine.open("a health check failed");
  }

  // State

  #changed(change: Change): void {
    this.#opening?.cancel();
    this.#opening = undefined;
    const { untilMs } = change;
    const { clock } = this.#settings;
    if (untilMs !== undefined && untilMs !== Number.POSITIVE_INFINITY) {
      const notice = (): void => this.#machine.notice(clock.now());
      this.#opening = clock.schedule(Math.max(0, untilMs - clock.now()), notice, { background: true });
    }
    this.follow(change);
  }

  #takeUp(): void {
    const { state, stats } = this.#settings;
    if (stats !== undefined) this.#machine.prime(stats.successes ?? 0, stats.failures ?? 0);
    if (state === undefined) return;
    this.#machine.restore(savedFrom(state, this.#settings));
    if (state.enabled === false) this.disable();
    if (state.shutdown === true) this.shutdown();
  }

  #callbackFailed(where: string, error: unknown): void {
    // A listener for failures that fails itself must not be told of it.
    if (where !== "listener of callbackFailed") this.emit("callbackFailed", { where, error });
  }
}

/** What opossum itself saved does not say when the opening ends: then it lasts its whole time. */
function savedFrom(state: NonNullable<FunctionSettings["state"]>, { rules, clock }: FunctionSettings): SavedState {
  const named = state.halfOpen === true ? "half-open" : state.closed === false ? "open" : "closed";
  return {
    state: state.state ?? named,
    isolated: state.isolated ?? false,
    openUntilAt: state.openUntilAt ?? clock.wallNow() + rules.resetTimeout,
    level: state.level ?? 0,
  };
}
