import type { Timer } from "../clock.ts";
import type { ReconfigurableOptions } from "../contract.ts";
import type { Discovery, DiscoveryUpdate } from "../discovery.ts";
import { FairleadError } from "../errors.ts";
import { OptionCheck } from "../options.ts";
import type { BalancerSnapshot } from "../telemetry/snapshot.ts";
import type { Upstream } from "../upstream.ts";
import { Intake } from "./intake.ts";
import { Refreshes } from "./refreshes.ts";

/** After a watch has ended or failed, the next one begins after a random share of this, doubled each time… */
const RESTART_BASE_MS = 250;
/** …up to this. */
const RESTART_LIMIT_MS = 30_000;

/**
 * Runs a discovery for as long as the balancer lives. Whatever the source says or does, the last good set stays in force:
 * an error, an unconfirmed empty answer and an invalid entry change nothing that works.
 */
export class Supervisor {
  readonly #discovery: Discovery;
  readonly #upstream: Upstream;
  readonly #intake: Intake;
  readonly #abort = new AbortController();
  /** Of the watch under way. */
  #refreshes = new Refreshes();
  #restart: Timer | undefined;
  #failures = 0;
  #updates = 0;
  #errors = 0;
  #lastError: string | null = null;
  #answeredAtMs: number | undefined;

  constructor(discovery: Discovery, upstream: Upstream, configure: (settings: ReconfigurableOptions) => void) {
    this.#discovery = discovery;
    this.#upstream = upstream;
    this.#intake = new Intake(upstream, {
      name: discovery.name,
      refresh: () => this.refresh(),
      configure,
      failed: (error) => this.#failed(error),
    });
  }

  get status(): BalancerSnapshot["discovery"] {
    const { clock } = this.#upstream;
    const ageMs = this.#answeredAtMs === undefined ? null : Math.round(clock.now() - this.#answeredAtMs);
    return {
      name: this.#discovery.name,
      updates: this.#updates,
      errors: this.#errors,
      lastError: this.#lastError,
      updatedAt: ageMs === null ? null : Math.round(clock.wallNow()) - ageMs,
      ageMs,
      emptyAnswers: this.#intake.emptyAnswers,
    };
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
    this.#intake.close();
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
    const given: unknown = update.backends;
    const specs = this.#upstream.members.resolve(check, given);
    for (const { path, got, expected } of check.problems)
      this.#failed(new Error(`${path}: got ${got}, expected ${expected}; left out`));
    if (specs.length === 0 && check.count > 0) {
      this.#failed(new Error("no usable backend in the answer; the last set stays"));
      return;
    }
    this.#failures = 0;
    this.#updates++;
    this.#answeredAtMs = this.#upstream.clock.now();
    this.#intake.take({ specs, settings: update.settings });
  }

  #failed(error: unknown): void {
    this.#errors++;
    this.#lastError = error instanceof Error ? error.message : String(error);
    const { name: upstream, announcer } = this.#upstream;
    announcer.emit("discoveryFailed", () => ({ upstream, discovery: this.#discovery.name, error }));
  }
}
