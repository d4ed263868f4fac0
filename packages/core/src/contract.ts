import type { Backend, BackendSpec } from "./backend.ts";
import type { AcquireOptions } from "./call/acquire.ts";
import type { Attempt, CallOptions } from "./call/attempt.ts";
import type { BudgetProvider } from "./call/budget.ts";
import type { BudgetOptions } from "./call/budget-settings.ts";
import type { Classifier } from "./call/classifier.ts";
import type { Fallback } from "./call/fallback.ts";
import type { HedgePolicy } from "./call/hedge.ts";
import type { Report } from "./call/outcome.ts";
import type { QueueOptions } from "./call/queue-settings.ts";
import type { RetryOptions } from "./call/retry-settings.ts";
import type { Clock } from "./clock.ts";
import type { Discovery } from "./discovery.ts";
import type { FairleadError, LimitName } from "./errors.ts";
import type { BreakerProvider } from "./gate/breaker.ts";
import type { LimitOptions } from "./gate/limit-settings.ts";
import type { HealthCheck } from "./health/check/health-check.ts";
import type { EjectionOptions } from "./health/ejection-settings.ts";
import type { SlowStartOptions } from "./health/slow-start-settings.ts";
import type { MembershipOptions } from "./membership/membership-settings.ts";
import type { Random } from "./random.ts";
import type { Settings } from "./settings.ts";
import type { PickRequest, Strategy } from "./strategy/strategy.ts";
import type { BalancerEvents } from "./telemetry/events.ts";
import type { PickExplanation } from "./telemetry/explain.ts";
import type { BalancerSnapshot, TelemetrySection } from "./telemetry/snapshot.ts";
import type { LabelSubsets } from "./view/label-subsets.ts";
import type { Subsetting } from "./view/random-subset.ts";
import type { ZonePolicy } from "./view/zones.ts";

/** What a derived balancer may do in its own way, and what one call may. */
export interface DeriveOptions {
  /** Default `peakEwma()`. */
  readonly strategy?: Strategy | undefined;
  /** `false`: never repeat what may have been processed. */
  readonly retry?: false | RetryOptions | undefined;
  /** Milliseconds to connect; running out of them is `unreached`. For transports. Default 1,000. */
  readonly connectTimeoutMs?: number | false | undefined;
  /** Milliseconds from the pick to the response headers. Default 10,000. */
  readonly attemptTimeoutMs?: number | false | undefined;
  /** Milliseconds for all attempts and waits together, to the response headers. Default 30,000. */
  readonly deadlineMs?: number | false | undefined;
  /** Milliseconds without a byte of the body. For transports. Default 300,000. */
  readonly bodyIdleTimeoutMs?: number | false | undefined;
  /** Overrules the built-in verdicts: `outcomeRules({ … })` or a function; `undefined` leaves one to them. */
  readonly classify?: Classifier | undefined;
  /** Asks another backend as well when one takes long: `hedging({ … })`. Default: never. */
  readonly hedge?: false | HedgePolicy | undefined;
  /** Where the answer comes from when no backend has one: `fallbackTo(…)`, `fallbackWith(…)`, `lastGood(…)`. Default: nowhere. */
  readonly fallback?: false | Fallback | undefined;
}

/** What can be changed while calls are under way. */
export interface ReconfigurableOptions extends DeriveOptions {
  /** Finds out by itself which backends work: `httpCheck({ path })`, `functionCheck(…)`… Default `false`: only calls tell. */
  readonly healthCheck?: false | HealthCheck | undefined;
  readonly ejection?: false | EjectionOptions | undefined;
  readonly slowStart?: false | SlowStartOptions | undefined;
  /** Share of healthy backends, in percent, below which health and ejection are set aside; 0 never does. Default 50. */
  readonly panicThreshold?: number | undefined;
  /**
   * What happens then. `fail-open` (default): all backends of that priority are tried. `fail-closed`: its share of the
   * calls is refused, so that the few that still work are not drowned.
   */
  readonly panicMode?: "fail-open" | "fail-closed" | undefined;
  /**
   * How much more than its share a healthy backend can carry, 1 to 100. Default 1.4: a priority hands calls on to the next
   * one when less than 1 / 1.4 = 71 % of it is healthy.
   */
  readonly overprovisioning?: number | undefined;
  /** When calls go back to a priority that is better again: at once (default), or after it has been so for a time, ms. */
  readonly failback?: "immediate" | { readonly stableMs: number } | undefined;
  /** Which zones take the calls: `zoneAware({ zone })`, `zoneWeights({ … })` or your own. Default: zones don't matter. */
  readonly zones?: false | ZonePolicy | undefined;
  /** Lets the labels of a call choose backends: `labelSubsets({ keys })`. Default: labels of calls don't matter. */
  readonly subsets?: false | LabelSubsets | undefined;
  /** Lets this process deal with a part of a large fleet: `randomSubset({ size })`. Default: with all of it. */
  readonly subsetting?: false | Subsetting | undefined;
  readonly membership?: MembershipOptions | undefined;
  /** How many retries the calls of the upstream may cause: a share of them, or a kind such as `concurrencyBudget()`. */
  readonly retryBudget?: false | BudgetOptions | BudgetProvider | undefined;
  /** For repeats of attempts that never reached a backend. */
  readonly requeueBudget?: false | BudgetOptions | BudgetProvider | undefined;
  /** The longest time in milliseconds for which a Retry-After is honoured. Default 60,000. */
  readonly pauseLimitMs?: number | undefined;
  readonly queue?: QueueOptions | undefined;
  /** How much may be under way at once, and how fast calls may come. Default: no limits. */
  readonly limits?: false | LimitOptions | undefined;
}

export interface BalancerOptions extends ReconfigurableOptions {
  /** Name of the upstream, in events, errors and metrics. */
  readonly name: string;
  /** A fixed set, which `set` may replace. Either this or `discovery`. */
  readonly backends?: readonly (string | BackendSpec)[] | undefined;
  readonly discovery?: Discovery | undefined;
  /** The origin that callers see instead of the backends'. Default `http://<name>`. */
  readonly origin?: string | undefined;
  readonly breaker?: BreakerProvider | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** One attempt's hold on one backend. Disposing of an unsettled lease counts as `ignored`. */
export interface Lease extends Disposable {
  readonly backend: Backend;
  /** Once: the verdict, at response headers or socket open. Later calls do nothing. */
  settle(report: Report): void;
  /** Once: gives the place back, at body end or socket close. A late failure is a verdict on the stream only. */
  release(late?: Report): void;
}

export interface ReadyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

export interface DrainOptions {
  /** Milliseconds. Default 30,000. */
  readonly deadlineMs?: number | undefined;
}

/** Something that lives and ends with a balancer, such as connection pools. */
export interface Attachment {
  /** Asks long-lived work (sockets) to come to its end, while leases are waited for. */
  drain?(): Promise<void> | void;
  /** Frees everything; all leases are back or given up. */
  close(): Promise<void> | void;
}

/** Spreads calls over the backends of one upstream. */
export interface Balancer extends AsyncDisposable {
  readonly name: string;
  /** The logical origin: what relative URLs are resolved against, and what callers see. */
  readonly origin: string;
  /** Every option as it applies now, defaults filled in. */
  readonly settings: Settings;
  readonly clock: Clock;
  readonly backends: readonly Backend[];
  /** The one with this id; `undefined`: the set has none. */
  backend(id: string): Backend | undefined;
  /** Resolves with the first complete set. Rejects after `timeoutMs` (default 10,000) or when closed. */
  ready(options?: {
    readonly signal?: AbortSignal | undefined;
    readonly timeoutMs?: number | undefined;
  }): Promise<void>;
  /** A lease now, or `undefined`. */
  tryAcquire(request?: PickRequest): Lease | undefined;
  /** A lease as soon as there is one: waits for the first set, and in the queue. */
  acquire(request?: PickRequest, options?: AcquireOptions): Promise<Lease>;
  /** Runs `run` on a backend, and on another one where that is safe and helps. */
  call<T>(run: (attempt: Attempt) => Promise<T>, options?: CallOptions<T>): Promise<T>;
  /**
   * For adapters that turn a call away because of a limit of theirs: counts and announces it. Returns its error;
   * `retryAfterMs`: when the call may be made again, if that is known.
   */
  shed(limit: LimitName, why: string, retryAfterMs?: number): FairleadError;
  /** For adapters that have something to tell those who listen; `record` is called only if somebody does. */
  announce<E extends keyof BalancerEvents>(event: E, record: () => Parameters<BalancerEvents[E]>[0]): void;
  /** A verdict from elsewhere on backend `id`; unknown ids are ignored. */
  observe(id: string, report: Report): void;
  /** Who would be chosen, and why the others not. No side effect. */
  explain(request?: PickRequest): PickExplanation;
  /** Everything known now, as plain JSON. */
  snapshot(): BalancerSnapshot;
  /**
   * Replaces the complete set; backends with the same id keep their history. With a discovery, until its next update. An
   * empty one takes everybody out of play.
   */
  set(backends: readonly (string | BackendSpec)[]): void;
  /** Asks the discovery to look again. */
  refresh(): void;
  /** Back to what the specification says of its state, and out of ejection. What health checks say stands. */
  enable(id: string): void;
  /** No new lease for anybody. */
  disable(id: string): void;
  setWeight(id: string, weight: number): void;
  /** No new leases but for pinned ones. Resolves when none is held, or after `deadlineMs` (default 30,000). */
  drain(id: string, options?: DrainOptions): Promise<void>;
  /** Changes options at once: all of the patch or, if any of it is wrong, nothing. History stays. */
  configure(patch: ReconfigurableOptions): void;
  /**
   * A balancer with another strategy, retry policy or timeouts over the same members, health, breakers and connections.
   * What it does not set itself follows this one, later changes included.
   */
  derive(options: DeriveOptions): Balancer;
  /** Adds a section to `snapshot` and `explain`. Returns its removal. */
  extend(section: TelemetrySection): () => void;
  /** Ties a resource to the life of this balancer. Returns its release. */
  attach(attachment: Attachment): () => void;
  /**
   * One value per upstream and key, made when first asked for: what derived balancers must have in common, such as
   * connection pools.
   */
  shared<T>(key: symbol, make: () => T): T;
  /** Returns the removal of the listener. */
  on<E extends keyof BalancerEvents>(event: E, listener: BalancerEvents[E]): () => void;
  /**
   * Refuses new work, waits up to `drainMs` (default 10,000) for leases, then ends everything. Idempotent. A derived
   * balancer only refuses new work: what it has under way goes on.
   */
  close(options?: { readonly drainMs?: number | undefined }): Promise<void>;
}
