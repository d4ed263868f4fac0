import type { Clock, Random } from "@fairlead/core";
import { catchLater } from "@fairlead/core";
import type { Change } from "../machine/state.ts";
import type { StateMachine } from "../machine/state-machine.ts";
import type { BreakerSettings } from "../settings.ts";
import type { CircuitState, CircuitStats } from "./contract.ts";
import { LeanStatus } from "./lean-status.ts";
import { Opossum, STILL } from "./opossum.ts";

/** What opossum itself listens to: exporters look at `eventNames()` for what there is. */
const OWN_EVENTS = [
  "success",
  "failure",
  "fallback",
  "timeout",
  "fire",
  "reject",
  "cacheHit",
  "cacheMiss",
  "coalesceCacheHit",
  "coalesceCacheMiss",
  "open",
  "close",
  "semaphoreLocked",
];

export interface DrivenCircuitOptions {
  readonly settings: BreakerSettings;
  /** Default: that of the action, or one at random. */
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly percentiles: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly stats?: Partial<CircuitStats> | undefined;
  /** Options of opossum that are none of the machine's. */
  readonly others?: Record<string, unknown> | undefined;
  readonly failed: (where: string, error: unknown) => void;
  /** It was made to let calls in, by hand. */
  readonly relaxed?: (() => void) | undefined;
}

/**
 * An opossum circuit whose state is that of one of our machines: opossum's own counting, timers and listeners to itself are
 * gone, so nothing that others do to its events reaches the machine. Its listeners can't throw into anything.
 */
export class DrivenCircuit extends Opossum {
  readonly #machine: StateMachine;
  readonly #clock: Clock;
  readonly #status: LeanStatus;
  readonly #resetTimeout: number;
  readonly #failed: (where: string, error: unknown) => void;
  readonly #relaxed: (() => void) | undefined;
  #shuttingDown = false;

  constructor(action: (...args: never) => unknown, machine: StateMachine, options: DrivenCircuitOptions) {
    const { settings, name, group, clock, random, percentiles, stats, failed, others } = options;
    const { rollingCountTimeout, rollingCountBuckets } = settings;
    const status = new LeanStatus({ rollingCountTimeout, rollingCountBuckets, percentiles, clock, random, stats });
    // A fresh object each time: opossum keeps it, and changes it.
    super(action, {
      ...others,
      ...opossumRules(settings),
      name,
      group: group ?? name,
      timeout: others?.["timeout"] ?? false,
      rollingPercentilesEnabled: percentiles,
      enableSnapshots: false,
      rotateBucketController: STILL,
      status,
    });
    this.removeAllListeners();
    this.#machine = machine;
    this.#clock = clock;
    this.#status = status;
    this.#resetTimeout = settings.resetTimeout;
    this.#failed = failed;
    this.#relaxed = options.relaxed;
  }

  // What opossum says of itself

  get closed(): boolean {
    return this.#is("closed");
  }

  get opened(): boolean {
    return this.#is("open");
  }

  get halfOpen(): boolean {
    return this.#is("half-open");
  }

  get pendingClose(): boolean {
    return this.halfOpen && this.#machine.admits(this.#clock.now());
  }

  get enabled(): boolean {
    return !this.isShutdown && this.#machine.enabled;
  }

  get warmUp(): boolean {
    return this.#machine.isWarmingUp(this.#clock.now());
  }

  get status(): LeanStatus {
    return this.#status;
  }

  get stats(): CircuitStats {
    return this.#status.stats;
  }

  override eventNames(): (string | symbol)[] {
    return this.isShutdown ? [] : [...new Set([...OWN_EVENTS, ...super.eventNames()])];
  }

  override toJSON(): { readonly state: CircuitState; readonly status: CircuitStats } {
    const nowMs = this.#clock.now();
    const { openedAtMs } = this.#machine;
    const opened = openedAtMs === undefined ? undefined : Math.round(this.#clock.wallNow() - nowMs + openedAtMs);
    const own = super.toJSON().state as Omit<CircuitState, "state" | "isolated" | "openUntilAt" | "level">;
    return { state: { ...own, lastTimerAt: opened, ...this.#machine.saveAt(nowMs) }, status: this.stats };
  }

  // By hand

  open(): void {
    if (!this.isShutdown) this.#machine.open("opened by hand");
  }

  close(): void {
    if (this.isShutdown) return;
    this.#machine.close("closed by hand");
    this.#relaxed?.();
  }

  override enable(): void {
    if (this.isShutdown) return;
    super.enable();
    this.#machine.enabled = true;
  }

  override disable(): void {
    if (this.isShutdown) return;
    super.disable();
    // Its end is not that of the machine.
    if (this.#shuttingDown) return;
    this.#machine.enabled = false;
    this.#relaxed?.();
  }

  override shutdown(): void {
    if (this.isShutdown) return;
    this.#shuttingDown = true;
    super.shutdown();
  }

  // Events

  /** The machine has changed: the events of opossum for it. */
  follow({ to }: Change): void {
    if (this.isShutdown) return;
    if (to === "open") {
      this.#status.open();
      this.emit("open");
    } else if (to === "half-open") this.emit("halfOpen", this.#resetTimeout);
    else {
      this.#status.close();
      this.emit("close");
    }
  }

  /** Counts, and builds nothing unless somebody listens. */
  tell(count: string, event: string, ...args: unknown[]): void {
    this.#status.increment(count);
    if (this.listenerCount(event) > 0) this.emit(event, ...args);
  }

  /** The same of a call that has ended. */
  tellEnd(end: "success" | "failure", what: unknown, latencyMs: number, ...args: unknown[]): void {
    this.#status.increment(end === "success" ? "successes" : "failures", latencyMs);
    if (this.listenerCount(end) > 0) this.emit(end, what, latencyMs, ...args);
  }

  /** Every listener gets it, whatever the others do. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const listeners = this.rawListeners(event);
    for (const listener of listeners) {
      try {
        catchLater(listener.apply(this, args), (error) => this.#failed(`listener of ${String(event)}`, error));
      } catch (error) {
        this.#failed(`listener of ${String(event)}`, error);
      }
    }
    return listeners.length > 0;
  }

  #is(state: Change["to"]): boolean {
    return !this.isShutdown && this.#machine.stateAt(this.#clock.now()) === state;
  }
}

/** Rules in opossum's words, where it has them; what is off is its nearest. */
function opossumRules(settings: BreakerSettings): Record<string, unknown> {
  const { errorThresholdPercentage, volumeThreshold, resetTimeout, capacity } = settings;
  const { rollingCountTimeout, rollingCountBuckets } = settings;
  return {
    errorThresholdPercentage: Math.min(errorThresholdPercentage, 100),
    volumeThreshold,
    resetTimeout,
    rollingCountTimeout,
    rollingCountBuckets,
    capacity: Math.min(capacity, Number.MAX_SAFE_INTEGER),
  };
}
