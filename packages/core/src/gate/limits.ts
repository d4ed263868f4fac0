import type { BackendSpec, RequestKind } from "../backend.ts";
import type { Clock } from "../clock.ts";
import { FairleadError, type LimitName, withoutStack } from "../errors.ts";
import type { Announcer } from "../telemetry/events.ts";
import { Capacity } from "./limit-capacity.ts";
import type { LimitSettings } from "./limit-settings.ts";
import type { RateGate } from "./rate/rate-gate.ts";

export interface LimitsContext {
  readonly upstream: string;
  readonly clock: Clock;
  readonly announcer: Announcer;
  /** The bounds of waiting in force. */
  readonly queue: () => { readonly size: number; readonly timeoutMs: number };
  readonly callbackFailed: (where: string, error: unknown) => void;
}

/** The request that a verdict is about, as limits see it. */
interface Sample {
  readonly kind: RequestKind;
  readonly backend: { readonly capacity: Capacity | undefined };
  /** What was under way when it began, itself included: on the backend, or on all if the limit is one of the upstream. */
  readonly inFlight: number;
}

/** The limits of an upstream: shared by a balancer and those derived from it. */
export class Limits {
  readonly #context: LimitsContext;
  #settings: LimitSettings | undefined;
  /** Of the upstream as a whole; `undefined`: it has none. */
  whole: Capacity | undefined = undefined;
  rate: RateGate | undefined = undefined;
  /** There is an adaptive limit… */
  adapts = false;
  /** …and it is one of the upstream: it asks for what is under way on all backends together. */
  adaptsWhole = false;
  readonly shed: Record<LimitName, number> = {
    "upstream-concurrency": 0,
    "backend-concurrency": 0,
    "queue-size": 0,
    "queue-timeout": 0,
    rate: 0,
    "request-bytes": 0,
    "route-concurrency": 0,
    "route-rate": 0,
    "client-connections": 0,
  };

  constructor(context: LimitsContext, settings: LimitSettings | undefined) {
    this.#context = context;
    this.#settings = settings;
    this.#apply(undefined, settings);
  }

  configure(settings: LimitSettings | undefined): void {
    const before = this.#settings;
    this.#settings = settings;
    this.#apply(before, settings);
  }

  #apply(before: LimitSettings | undefined, settings: LimitSettings | undefined): void {
    const { maxConcurrent, maxConnections, adaptive } = settings ?? {};
    this.adapts = adaptive !== undefined;
    this.adaptsWhole = adaptive?.scope === "upstream";
    const provider = this.adaptsWhole ? adaptive : undefined;
    this.whole = this.#fit(this.whole, maxConcurrent, maxConnections, provider);
    if (settings?.rate === before?.rate) return;
    // Whoever waits for a token under the old rate has waited enough.
    this.rate?.end();
    this.rate = settings?.rate?.createGate({
      ...this.#context,
      refuse: (why, retryAfterMs) => this.refuse("rate", why, retryAfterMs),
    });
  }

  /** The capacity of a backend with this specification: `current` as it must be now, a new one, or none. */
  capacityOf({ maxConcurrent, maxConnections }: BackendSpec, current: Capacity | undefined): Capacity | undefined {
    const settings = this.#settings;
    return this.#fit(
      current,
      maxConcurrent ?? settings?.maxConcurrentPerBackend,
      maxConnections ?? settings?.maxConnectionsPerBackend,
      this.adaptsWhole ? undefined : settings?.adaptive,
    );
  }

  #fit(current: Capacity | undefined, ...limits: Parameters<Capacity["configure"]>): Capacity | undefined {
    if (limits.every((limit) => limit === undefined)) return undefined;
    const capacity = current ?? new Capacity(this.#context.callbackFailed);
    capacity.configure(...limits);
    return capacity;
  }

  /** Tells the adaptive limit, if there is one, how a request went. */
  learn({ kind, backend, inFlight }: Sample, success: boolean, latencyMs: number): void {
    const capacity = this.adaptsWhole ? this.whole : backend.capacity;
    // A latency of 0 is one that nobody measured.
    if (capacity !== undefined && kind === "request" && latencyMs > 0) capacity.learn(latencyMs, inFlight, !success);
  }

  /** Counts and announces a call that a limit turns away. Returns its error. */
  refuse(limit: LimitName, why: string, retryAfterMs?: number): FairleadError {
    const { upstream, announcer } = this.#context;
    this.shed[limit]++;
    announcer.emit("callShed", () => ({ upstream, limit }));
    return withoutStack(() => new FairleadError("FAIRLEAD_ERR_LIMIT", `${upstream}: ${why}`, { limit, retryAfterMs }));
  }
}
