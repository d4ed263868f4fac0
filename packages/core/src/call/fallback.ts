import { catchLater } from "../telemetry/callbacks.ts";
import type { Attempt, CallOptions } from "./attempt.ts";
import type { CallHost } from "./call-host.ts";
import type { Ending } from "./ending.ts";
import { discardValue } from "./verdict.ts";

/** A call for which no backend had a good answer. */
export interface FailedCall<T> {
  readonly upstream: string;
  /** What it would reject with, if so. */
  readonly error?: unknown;
  /** What it would resolve to, if so: an answer such as a 503. */
  readonly value?: T | undefined;
  /** The function and the options it was made with. */
  readonly run: (attempt: Attempt) => Promise<T>;
  readonly options: CallOptions<T>;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Milliseconds until the caller's deadline; `Infinity` without one. */
  readonly remainingMs: number;
  /** Now, by the balancer's clock: monotonic milliseconds. */
  readonly nowMs: number;
}

/** Where an answer comes from when no backend has one. Made by `fallbackTo`, `fallbackWith` or `lastGood`. */
export interface Fallback {
  readonly name: string;
  /** Throws or rejects where it knows none either: then the call ends as it would have without it. */
  answer<T>(call: FailedCall<T>): T | Promise<T>;
  /** Sees every answer that was good. */
  observe?<T>(value: T, options: CallOptions<T>, nowMs: number): void | Promise<void>;
}

interface Failed<T> extends Pick<FailedCall<T>, "run" | "options"> {
  readonly ending: Ending<T>;
  readonly deadlineAtMs: number;
}

function fallbackOf<T>(host: CallHost, { fallback = host.settings.fallback }: CallOptions<T>): Fallback | undefined {
  return fallback === false ? undefined : fallback;
}

/**
 * Asks the fallback, if there is one, within the caller's deadline; one that answers at once needs no time. `done` gets
 * the answer, or `undefined` if there is none. Returns how to stop waiting.
 */
export function fallBack<T>(
  host: CallHost,
  failed: Failed<T>,
  done: (answer: Ending<T> | undefined) => void,
): ((reason?: unknown) => void) | undefined {
  const fallback = fallbackOf(host, failed.options);
  if (fallback !== undefined) return ask(host, fallback, failed, done);
  done(undefined);
  return undefined;
}

function ask<T>(
  host: CallHost,
  fallback: Fallback,
  { ending, run, options, deadlineAtMs }: Failed<T>,
  done: (answer: Ending<T> | undefined) => void,
): (reason?: unknown) => void {
  const nowMs = host.now();
  const remainingMs = Math.max(0, deadlineAtMs - nowMs);
  const controller = new AbortController();
  let over = false;
  const finish = (answer: Ending<T> | undefined): void => {
    if (over) return;
    over = true;
    timer?.cancel();
    if (answer !== undefined) answered(host, fallback, options, ending);
    done(answer);
  };
  const give = (value: T): void => {
    if (over) discardValue(host, options, value);
    else if (options.accepts?.(value) !== false) finish({ failed: false, value });
    else {
      host.callbackFailed("fallback", new TypeError(`${fallback.name} answered what this client can't return`));
      finish(undefined);
    }
  };
  const stop = (reason?: unknown): void => {
    // Nobody waits for what was to be replaced either.
    if (!over && !ending.failed) discardValue(host, options, ending.value);
    over = true;
    timer?.cancel();
    controller.abort(reason);
  };
  const expire = (): void => {
    finish(undefined);
    stop(new DOMException("the deadline has passed", "TimeoutError"));
  };
  const timer =
    remainingMs > 0 && remainingMs < Number.POSITIVE_INFINITY ? host.clock.schedule(remainingMs, expire) : undefined;
  const { signal } = controller;
  const seen = ending.failed ? { error: ending.error } : { value: ending.value };
  try {
    const answer = fallback.answer({ upstream: host.name, ...seen, run, options, signal, remainingMs, nowMs });
    if (!isPromise(answer)) give(answer);
    else {
      answer.then(give, () => finish(undefined));
      if (remainingMs === 0) expire();
    }
  } catch {
    finish(undefined);
  }
  return stop;
}

/** What the fallback replaces is let go. */
function answered<T>(host: CallHost, { name }: Fallback, options: CallOptions<T>, replaced: Ending<T>): void {
  host.counters.fallbacks++;
  host.announcer.emit("callFellBack", () => ({ upstream: host.name, fallback: name }));
  if (!replaced.failed) discardValue(host, options, replaced.value);
}

/** Shows a good answer to the fallback, if there is one that wants to see it. */
export function observeSuccess<T>(host: CallHost, options: CallOptions<T>, value: T): void {
  const fallback = fallbackOf(host, options);
  if (fallback?.observe === undefined) return;
  const failed = (error: unknown): void => host.callbackFailed("fallback observe", error);
  try {
    catchLater(fallback.observe(value, options, host.now()), failed);
  } catch (error) {
    failed(error);
  }
}

function isPromise<T>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof answer === "object" && answer !== null && "then" in answer && typeof answer.then === "function";
}
