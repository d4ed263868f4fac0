import type { Circuit } from "../circuit/contract.ts";

/** What serves when the function can't: gets the arguments and, after them, the error. */
export type FallbackFunction<Args extends readonly unknown[], Result> = (
  ...args: [...Args, unknown]
) => Result | PromiseLike<Result>;

export interface FireOptions {
  /** The caller gives up: the promise rejects with the signal's reason, and nobody is blamed. */
  readonly signal?: AbortSignal | undefined;
}

/** A function behind a breaker, with the interface of opossum's `CircuitBreaker`. */
export interface FunctionBreaker<Args extends readonly unknown[] = readonly unknown[], Result = unknown>
  extends Circuit<Args, Result> {
  /** Runs the function, or rejects at once while the breaker is open. */
  fire(...args: Args): Promise<Result>;
  /** The same with a `this` for the function. */
  call(context: unknown, ...args: Args): Promise<Result>;
  /** The same with options for this call; one with a signal is neither cached nor shared. */
  fireWith(options: FireOptions, ...args: Args): Promise<Result>;
  /** What serves when a call fails, times out or is refused; another breaker is fired. */
  fallback(fallback: FallbackFunction<Args, Result> | { fire(...args: unknown[]): Promise<Result> }): this;
  /**
   * Opens the breaker whenever `check` rejects: now, and every `intervalMs` (default 5,000) until the returned function or
   * `shutdown` is called. One check at a time.
   */
  healthCheck(check: () => unknown, intervalMs?: number): () => void;
  /** Forgets cached results. */
  clearCache(): void;
  /** There is no signal of the breaker: `undefined`. Each call has its own, see `passSignal`. */
  getSignal(): undefined;
  getAbortController(): undefined;
}
