import { EventEmitter } from "eventemitter3";
import type { AttemptRecord, LimitName } from "../errors.ts";
import type { EjectionSkip } from "../health/outliers/detection.ts";
import { catchLater } from "./callbacks.ts";

interface BackendEvent {
  readonly upstream: string;
  readonly backend: string;
}

interface EjectionEvent extends BackendEvent {
  /** The option or detector that found it, or `failedTest`. */
  readonly kind: string;
  /** In words, with numbers. */
  readonly reason: string;
}

interface BreakerEvent {
  readonly upstream: string;
  /** Null: the breaker is one for the whole upstream. */
  readonly backend: string | null;
  /** Which requests it is about; null: all. */
  readonly key: string | null;
  /** In words, such as `7 of 12 calls failed`. */
  readonly reason: string;
  /** When an open one may be tried again; null: not by itself, or it is not open. */
  readonly untilAt: number | null;
}

/** What a balancer announces. Times that end in `At` are milliseconds since 1970. */
export interface BalancerEvents {
  backendAdded(event: BackendEvent): void;
  backendUpdated(event: BackendEvent): void;
  /** Its last lease is back, or it had none. */
  backendRemoved(event: BackendEvent): void;
  backendEjected(event: EjectionEvent & { readonly untilAt: number }): void;
  /** There was cause to eject it, and it was not. */
  ejectionSkipped(event: EjectionEvent & { readonly because: EjectionSkip }): void;
  /** An ejected backend has proved to work. */
  backendReturned(event: BackendEvent): void;
  /** Health checks have taken it down or brought it up. */
  backendHealthChanged(event: BackendEvent & { readonly health: "up" | "down"; readonly reason: string }): void;
  /** It asked not to be called for a while. */
  backendPaused(event: BackendEvent & { readonly untilAt: number }): void;
  backendStateChanged(event: BackendEvent & { readonly state: string }): void;
  backendDrained(event: BackendEvent & { readonly complete: boolean }): void;
  breakerOpened(event: BreakerEvent): void;
  /** It may be tried: by the call that is about to begin. */
  breakerHalfOpened(event: BreakerEvent): void;
  breakerClosed(event: BreakerEvent): void;
  panicEntered(event: { readonly upstream: string; readonly priority: number }): void;
  panicLeft(event: { readonly upstream: string; readonly priority: number }): void;
  /** An attempt will be repeated; `delayMs` until then. */
  attemptRetried(event: { readonly upstream: string; readonly attempt: AttemptRecord; readonly delayMs: number }): void;
  /** A backend takes long: `backend` is asked as well. */
  attemptHedged(event: BackendEvent): void;
  /** The answer of a call that failed comes from its fallback. */
  callFellBack(event: { readonly upstream: string; readonly fallback: string }): void;
  /** The budget had nothing left for a repeat. */
  budgetExhausted(event: { readonly upstream: string; readonly budget: "retry" | "requeue" | "hedge" }): void;
  /** What a request said of its session was not to be trusted, or is of no use any more: it is treated as a new one. */
  affinityIgnored(event: {
    readonly upstream: string;
    /** Of the affinity. */
    readonly affinity: string;
    /** `unknown-key`: made with a key that is not, or no longer, among ours. `backend-gone`: it has left the set. */
    readonly because: "malformed" | "forged" | "unknown-key" | "expired" | "backend-gone";
  }): void;
  /** The backend of a session takes no calls: from now on it lives on `backend`. */
  affinityMoved(event: BackendEvent & { readonly affinity: string; readonly from: string }): void;
  /** A limit has turned a call or a lease away. */
  callShed(event: { readonly upstream: string; readonly limit: LimitName }): void;
  discoveryUpdated(event: { readonly upstream: string; readonly discovery: string; readonly backends: number }): void;
  /** The last set stays in force. */
  discoveryFailed(event: { readonly upstream: string; readonly discovery: string; readonly error: unknown }): void;
  /** The discovery knows of no backend. `applied`: from now on nor does the balancer; else the set in force stays. */
  discoveryEmptied(event: {
    readonly upstream: string;
    readonly discovery: string;
    /** Such answers without another between them. */
    readonly inRow: number;
    readonly applied: boolean;
  }): void;
  /** A backend's report of its own load could not be read. `text`: its beginning. */
  loadReportIgnored(event: { readonly upstream: string; readonly text: string }): void;
  configured(event: { readonly upstream: string }): void;
  /** A listener, classifier, strategy, breaker or other function of the user threw or answered nonsense. */
  callbackFailed(event: { readonly upstream: string; readonly where: string; readonly error: unknown }): void;
  closed(event: { readonly upstream: string }): void;
}

/** Announces events; builds them only for those who listen, and survives listeners that throw. */
export class Announcer {
  readonly #emitter = new EventEmitter<keyof BalancerEvents>();
  readonly #onThrow: (where: string, error: unknown) => void;

  constructor(onThrow: (where: string, error: unknown) => void) {
    this.#onThrow = onThrow;
  }

  on<E extends keyof BalancerEvents>(event: E, listener: BalancerEvents[E]): () => void {
    const safe = (record: Parameters<BalancerEvents[E]>[0]): void => {
      try {
        const answer: unknown = (listener as (event: Parameters<BalancerEvents[E]>[0]) => unknown)(record);
        catchLater(answer, (error) => this.#failed(event, error));
      } catch (error) {
        this.#failed(event, error);
      }
    };
    this.#emitter.on(event, safe);
    return () => {
      this.#emitter.off(event, safe);
    };
  }

  has(event: keyof BalancerEvents): boolean {
    return this.#emitter.listenerCount(event) > 0;
  }

  emit<E extends keyof BalancerEvents>(event: E, record: () => Parameters<BalancerEvents[E]>[0]): void {
    if (this.#emitter.listenerCount(event) > 0) this.#emitter.emit(event, record());
  }

  clear(): void {
    this.#emitter.removeAllListeners();
  }

  #failed(event: keyof BalancerEvents, error: unknown): void {
    // A listener for failures that fails itself must not be told of it.
    if (event !== "callbackFailed") this.#onThrow(`listener of ${event}`, error);
  }
}
