/** How a stretch of time went. */
export interface Figures {
  /** Calls that began in it. */
  readonly calls: number;
  /** Those that failed, were not answered in time, or found no backend. */
  readonly errors: number;
  /** Of these: found no backend. */
  readonly refused: number;
  readonly errorPercent: number;
  /** Requests on the wire. */
  readonly attempts: number;
  /** Requests beyond one for each call that found a backend, in percent of the calls. */
  readonly extraPercent: number;
  /** Attempts in the zone of their client; null where clients have none. */
  readonly sameZonePercent: number | null;
  /**
   * Attempts that went where the one before with the same key went, of any client, in percent of those with one before;
   * null where calls have no keys.
   */
  readonly sameBackendPercent: number | null;
  /** Of calls that were not refused, errors included; milliseconds, 0 without calls. */
  readonly meanMs: number;
  /** The p-th percentile is the ⌈p · n⌉-th of n times; not interpolated. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** Whose attempts they were. */
export interface GroupShare {
  readonly group: string;
  readonly sharePercent: number;
}

/** Milliseconds count from the beginning of the measurement. */
export interface PhaseResult extends Figures {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly groups: readonly GroupShare[];
}

export interface Step extends Figures {
  readonly fromMs: number;
  readonly toMs: number;
  /** Percent of the attempts, in the order of `backends`. */
  readonly shares: readonly number[];
}

export interface BackendShare {
  readonly id: string;
  readonly group: string;
  readonly attempts: number;
  readonly sharePercent: number;
}

/** What a run measures: figures of the whole measurement, and how they come about. */
export interface Measured extends Figures {
  readonly groups: readonly GroupShare[];
  /** All that were ever in the set. */
  readonly backends: readonly BackendShare[];
  readonly phases: readonly PhaseResult[];
  readonly timeline: readonly Step[];
}

/** The result of a run, or the medians of several: plain data, the same to the byte for the same seed. */
export interface SimulationResult extends Measured {
  readonly scenario: string;
  readonly policy: string;
  readonly mode: Mode;
  readonly seeds: readonly number[];
}

/**
 * - `pick`: one attempt per call, without retries; quick.
 * - `call`: whole calls, with retries, budgets, timeouts and the queue.
 */
export type Mode = "pick" | "call";
