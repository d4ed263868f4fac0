import type { Clock, Timer } from "../clock.ts";
import type { Discovery, DiscoveryUpdate } from "../discovery.ts";
import { FairleadError } from "../errors.ts";
import { OptionCheck } from "../options.ts";
import type { Random } from "../random.ts";
import type { Announcer } from "../telemetry/events.ts";
import type { BalancerSnapshot } from "../telemetry/snapshot.ts";
import { Refreshes } from "./refreshes.ts";
import { type ResolvedSpec, resolveSpecs } from "./spec.ts";

/** After a watch has ended or failed, the next one begins after a random share of this, doubled each time… */
const RESTART_BASE_MS = 250;
/** …up to this. */
const RESTART_LIMIT_MS = 30_000;

export interface SupervisorContext {
  readonly upstream: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly announcer: Announcer;
  /** A complete set that has at least one usable backend. */
  readonly apply: (specs: readonly ResolvedSpec[]) => void;
  readonly configure: (settings: NonNullable<Extract<DiscoveryUpdate, { backends: unknown }>["settings"]>) => void;
}

/**
 * Runs a discovery for as long as the balancer lives. Whatever the source says or does, the last good set stays in force:
 * an error, an empty answer and an invalid entry change nothing that works.
 */
export class Supervisor {
  readonly #discovery: Discovery;
  readonly #context: SupervisorContext;
  readonly #abort = new AbortController();
  readonly #refreshes = new Refreshes();
  #restart: Timer | undefined;
  #failures = 0;
  #status: BalancerSnapshot["discovery"];

  constructor(discovery: Discovery, context: SupervisorContext) {
    this.#discovery = discovery;
    this.#context = context;
    this.#status = { name: discovery.name, updates: 0, errors: 0, lastError: null, updatedAt: null };
  }

  get status(): BalancerSnapshot["discovery"] {
    return this.#status;
  }

  start(): void {
    this.#restart = undefined;
    // Its own failures are handled inside; nothing is left to reject.
    this.#watch().catch((error: unknown) => this.#failed(error));
  }

  refresh(): void {
    this.#refreshes.request();
  }

  close(): void {
    this.#restart?.cancel();
    this.#refreshes.close();
    this.#abort.abort(new FairleadError("FAIRLEAD_ERR_CLOSED", `${this.#context.upstream}: closed`));
  }

  async #watch(): Promise<void> {
    const { clock, random } = this.#context;
    try {
      for await (const update of this.#discovery.watch({
        signal: this.#abort.signal,
        clock,
        random,
        refreshes: this.#refreshes,
      })) {
        if (this.#abort.signal.aborted) return;
        this.#take(update);
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#failed(error);
    }
    if (!this.#abort.signal.aborted) this.#restartLater();
  }

  #restartLater(): void {
    const { clock, random } = this.#context;
    const delayMs = random.next() * Math.min(RESTART_LIMIT_MS, RESTART_BASE_MS * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    this.#restart = clock.schedule(delayMs, () => this.start(), { background: true });
  }

  #take(update: DiscoveryUpdate): void {
    if ("error" in update) {
      this.#failed(update.error);
      return;
    }
    const check = new OptionCheck();
    const specs = Array.isArray(update.backends) ? resolveSpecs(check, "backends", update.backends) : [];
    for (const { path, got, expected } of check.problems)
      this.#failed(new Error(`${path}: got ${got}, expected ${expected}; left out`));
    if (specs.length === 0) {
      this.#failed(new Error("no usable backend in the answer; the last set stays"));
      return;
    }
    this.#accept(specs, update.settings);
  }

  #accept(specs: readonly ResolvedSpec[], settings: Parameters<SupervisorContext["configure"]>[0] | undefined): void {
    const { upstream, announcer, clock, apply, configure } = this.#context;
    this.#failures = 0;
    this.#status = {
      ...this.#status,
      updates: this.#status.updates + 1,
      updatedAt: Math.round(clock.wallNow()),
    };
    apply(specs);
    try {
      if (settings !== undefined) configure(settings);
    } catch (error) {
      this.#failed(error);
    }
    announcer.emit("discoveryUpdated", () => ({
      upstream,
      discovery: this.#discovery.name,
      backends: specs.length,
    }));
  }

  #failed(error: unknown): void {
    const lastError = error instanceof Error ? error.message : String(error);
    this.#status = { ...this.#status, errors: this.#status.errors + 1, lastError };
    this.#context.announcer.emit("discoveryFailed", () => ({
      upstream: this.#context.upstream,
      discovery: this.#discovery.name,
      error,
    }));
  }
}
