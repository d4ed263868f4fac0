import type { Timer } from "../clock.ts";
import type { Discovery, DiscoveryUpdate } from "../discovery.ts";
import { FairleadError } from "../errors.ts";
import { OptionCheck } from "../options.ts";
import type { BalancerSnapshot } from "../telemetry/snapshot.ts";
import type { Upstream } from "../upstream.ts";
import { Refreshes } from "./refreshes.ts";
import { type ResolvedSpec, resolveSpecs } from "./spec.ts";

/** After a watch has ended or failed, the next one begins after a random share of this, doubled each time… */
const RESTART_BASE_MS = 250;
/** …up to this. */
const RESTART_LIMIT_MS = 30_000;

/** What an update says beside the backends. */
type DiscoveredSettings = NonNullable<Extract<DiscoveryUpdate, { backends: unknown }>["settings"]>;

/**
 * Runs a discovery for as long as the balancer lives. Whatever the source says or does, the last good set stays in force:
 * an error, an empty answer and an invalid entry change nothing that works.
 */
export class Supervisor {
  readonly #discovery: Discovery;
  readonly #upstream: Upstream;
  readonly #configure: (settings: DiscoveredSettings) => void;
  readonly #abort = new AbortController();
  /** Of the watch under way. */
  #refreshes = new Refreshes();
  #restart: Timer | undefined;
  #failures = 0;
  #status: BalancerSnapshot["discovery"];

  constructor(discovery: Discovery, upstream: Upstream, configure: (settings: DiscoveredSettings) => void) {
    this.#discovery = discovery;
    this.#upstream = upstream;
    this.#configure = configure;
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
    this.#abort.abort(new FairleadError("FAIRLEAD_ERR_CLOSED", `${this.#upstream.name}: closed`));
  }

  async #watch(): Promise<void> {
    const { clock, random } = this.#upstream;
    try {
      for await (const update of this.#discovery.watch({
        signal: this.#abort.signal,
        clock,
        random,
        refreshes: this.#refreshes,
      })) {
        if (this.#abort.signal.aborted) return;
        if (!this.#upstream.closing) this.#take(update);
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#failed(error);
    }
    if (!this.#abort.signal.aborted) this.#restartLater();
  }

  #restartLater(): void {
    const { clock, random } = this.#upstream;
    const delayMs = random.next() * Math.min(RESTART_LIMIT_MS, RESTART_BASE_MS * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    this.#refreshes = this.#refreshes.successor();
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

  #accept(specs: readonly ResolvedSpec[], settings: DiscoveredSettings | undefined): void {
    const { name: upstream, announcer, clock, members } = this.#upstream;
    this.#failures = 0;
    this.#status = {
      ...this.#status,
      updates: this.#status.updates + 1,
      updatedAt: Math.round(clock.wallNow()),
    };
    members.apply(specs);
    try {
      if (settings !== undefined) this.#configure(settings);
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
    const { name: upstream, announcer } = this.#upstream;
    announcer.emit("discoveryFailed", () => ({ upstream, discovery: this.#discovery.name, error }));
  }
}
