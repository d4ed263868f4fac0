import type { SavedState } from "../machine/state.ts";

/** opossum's counts of one window. */
export interface CircuitStats {
  readonly failures: number;
  readonly fallbacks: number;
  readonly successes: number;
  readonly rejects: number;
  readonly fires: number;
  readonly timeouts: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly coalesceCacheHits: number;
  readonly coalesceCacheMisses: number;
  readonly semaphoreRejections: number;
  /** By share, such as `"0.99"`; −1 where percentiles are off. Of a sample where there were more than 100 calls per bucket. */
  readonly percentiles: Readonly<Record<string, number>>;
  readonly latencyTimes: readonly number[];
  /** −1 where percentiles are off. */
  readonly latencyMean: number;
}

/** opossum's `toJSON().state`, with what it lacks to be taken up again. */
export interface CircuitState extends SavedState {
  readonly name: string;
  readonly enabled: boolean;
  readonly closed: boolean;
  readonly open: boolean;
  readonly halfOpen: boolean;
  readonly warmUp: boolean;
  readonly shutdown: boolean;
  /** When it last opened, milliseconds since 1970. */
  readonly lastTimerAt: number | undefined;
}

export interface CircuitStatus {
  readonly stats: CircuitStats;
  /** Newest bucket first. */
  readonly window: readonly Partial<CircuitStats>[];
  /** Each bucket's time, for as long as somebody listens. */
  on(event: "snapshot", listener: (stats: CircuitStats) => void): this;
  off(event: "snapshot", listener: (stats: CircuitStats) => void): this;
}

/** What is announced, with what listeners get. */
export interface CircuitEvents<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  fire: [args: Args];
  success: [result: Result, latencyMs: number];
  failure: [error: unknown, latencyMs: number, args: Args];
  timeout: [error: unknown, latencyMs: number, args: Args];
  reject: [error: Error];
  fallback: [result: unknown, error: unknown];
  semaphoreLocked: [error: Error, latencyMs: number];
  cacheHit: [];
  cacheMiss: [];
  coalesceCacheHit: [];
  coalesceCacheMiss: [];
  healthCheckFailed: [error: unknown];
  open: [];
  halfOpen: [resetTimeout: number];
  close: [];
  shutdown: [];
  /** Neither success nor failure: filtered, or the caller has left. Not in opossum. */
  ignored: [error: unknown, latencyMs: number];
  /** A function of yours threw, or rejected where nobody waits. Not in opossum. */
  callbackFailed: [failure: { readonly where: string; readonly error: unknown }];
}

/** A circuit that opossum's ecosystem takes for its own: an `instanceof` opossum's class and of `EventEmitter`. */
export interface Circuit<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  readonly name: string;
  readonly group: string;
  readonly closed: boolean;
  readonly opened: boolean;
  readonly halfOpen: boolean;
  /** It is half-open, and a probe's place is free. */
  readonly pendingClose: boolean;
  readonly enabled: boolean;
  readonly warmUp: boolean;
  readonly isShutdown: boolean;
  readonly volumeThreshold: number;
  readonly stats: CircuitStats;
  readonly status: CircuitStatus;
  open(): void;
  close(): void;
  enable(): void;
  disable(): void;
  /** Ends it for good, with all that it started. */
  shutdown(): void;
  toJSON(): { readonly state: CircuitState; readonly status: CircuitStats };
  on<E extends keyof CircuitEvents>(event: E, listener: (...args: CircuitEvents<Args, Result>[E]) => void): this;
  once<E extends keyof CircuitEvents>(event: E, listener: (...args: CircuitEvents<Args, Result>[E]) => void): this;
  off<E extends keyof CircuitEvents>(event: E, listener: (...args: CircuitEvents<Args, Result>[E]) => void): this;
  removeAllListeners(event?: keyof CircuitEvents): this;
  listenerCount(event: keyof CircuitEvents): number;
  eventNames(): (string | symbol)[];
}
