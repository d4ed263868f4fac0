// Its types come in a package of their own, which users of ours should not need.
// @ts-expect-error it has none
import opossum from "opossum";

type Listener = (...args: never) => unknown;

interface Emitter {
  on(event: string, listener: Listener): this;
  once(event: string, listener: Listener): this;
  off(event: string, listener: Listener): this;
  removeAllListeners(event?: string): this;
  rawListeners(event: string | symbol): ((...args: unknown[]) => unknown)[];
  listenerCount(event: string): number;
  eventNames(): (string | symbol)[];
  emit(event: string | symbol, ...args: unknown[]): boolean;
}

/** One part of a status window. */
export interface Bucket {
  [count: string]: unknown;
  latencyTimes: number[];
}

/** opossum's `Status`, as far as it is built upon. */
interface OpossumStatus<Stats = unknown> extends Emitter {
  readonly stats: Stats;
  readonly window: readonly Bucket[];
  readonly rollingPercentilesEnabled: boolean;
  /** Begins a new bucket. */
  rotateBucket(): void;
  increment(property: string, latencyMs?: number): void;
  open(): void;
  close(): void;
  shutdown(): void;
}

/** opossum's `CircuitBreaker`, as far as it is built upon. */
interface OpossumCircuit extends Emitter {
  readonly options: Readonly<Record<string, unknown>>;
  readonly action: (...args: unknown[]) => unknown;
  readonly name: string;
  readonly group: string;
  readonly isShutdown: boolean;
  readonly volumeThreshold: number;
  toJSON(): { readonly state: object; readonly status: unknown };
  fire(...args: unknown[]): Promise<unknown>;
  clearCache(): void;
  enable(): void;
  disable(): void;
  shutdown(): void;
}

interface OpossumClass {
  new (action: (...args: never) => unknown, options: Record<string, unknown>): OpossumCircuit;
  newStatus(options: Record<string, unknown>): OpossumStatus;
  isOurError(error: unknown): boolean;
}

interface StatusClass {
  new (options: Record<string, unknown>): OpossumStatus;
}

export const Opossum: OpossumClass = opossum as OpossumClass;

/**
 * opossum moves windows on by timers, or by this emitter's `rotate`. It never emits, and keeps no listeners: one for all,
 * so that no circuit has a timer or is held by one.
 */
export const STILL: object = { on: () => {}, removeListener: () => {}, listenerCount: () => 0 };

export const Status: StatusClass = Opossum.newStatus({ enableSnapshots: false, rotateBucketController: STILL })
  .constructor as StatusClass;
