import type { Balancer } from "@fairlead/core";
import { Arrivals } from "./arrivals.ts";
import { Calls } from "./calls.ts";
import { Changes } from "./changes.ts";
import { type ActiveClient, type Client, createClients, type Policy } from "./clients.ts";
import { scheduleFaults } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { Measurement } from "./measure.ts";
import { Picks } from "./picks.ts";
import { PromiseTurns } from "./promise-turns.ts";
import type { Measured, Mode } from "./result.ts";
import { Samples } from "./samples.ts";
import { DEFAULTS, type Scenario } from "./scenario.ts";
import { SimulationClock } from "./simulation-clock.ts";
import type { Traffic } from "./traffic.ts";

/** Calls that have not ended this long after the last ones began are ended by closing their balancers, as errors. */
const PATIENCE_MS = 60_000;

export interface RunOptions {
  readonly scenario: Scenario;
  readonly policy: Policy;
  readonly mode: Mode;
  readonly seed: number;
  readonly onClient?: ((balancer: Balancer, client: Client) => void) | undefined;
}

/** One scenario under one policy with one seed. */
export class Run {
  readonly #scenario: Scenario;
  readonly #mode: Mode;
  readonly #clock = new SimulationClock();
  readonly #samples = new Samples();
  readonly #fleet: Fleet;
  readonly #clients: readonly ActiveClient[];
  readonly #traffic: Traffic;
  readonly #endMs: number;

  constructor({ scenario, policy, mode, seed, onClient }: RunOptions) {
    const { warmUpMs = DEFAULTS.warmUpMs, faults = [], durationMs } = scenario;
    this.#scenario = scenario;
    this.#mode = mode;
    this.#endMs = warmUpMs + durationMs;
    this.#fleet = new Fleet(scenario, seed, this.#clock);
    this.#clients = createClients(scenario, policy, seed, this.#fleet, this.#clock);
    for (const client of this.#clients) onClient?.(client.balancer, client);
    this.#traffic = this.#createTraffic();
    scheduleFaults(faults, this.#fleet, this.#clock, warmUpMs);
    new Changes(scenario, this.#fleet, this.#clock, (specs) => {
      for (const { balancer } of this.#clients) balancer.set(specs);
    }).schedule(warmUpMs);
    // Something happens last, so that calls which never end have waited until then.
    this.#clock.schedule(this.#endMs + PATIENCE_MS, () => {});
    new Arrivals(scenario, seed, this.#clock, this.#clients, this.#traffic, this.#samples).next();
  }

  async toEnd(): Promise<Measured> {
    const turns = new PromiseTurns();
    try {
      while (!this.#done()) {
        this.#clock.step();
        if (this.#mode === "call" && this.#clock.takeTouched()) await turns.settle();
      }
      await this.#close(turns);
    } finally {
      turns.close();
    }
    return new Measurement(this.#scenario, this.#samples, this.#fleet.instances).result();
  }

  #createTraffic(): Traffic {
    const context = {
      clock: this.#clock,
      fleet: this.#fleet,
      samples: this.#samples,
      networkMs: this.#scenario.networkMs ?? DEFAULTS.networkMs,
      timeoutMs: this.#scenario.timeoutMs ?? DEFAULTS.timeoutMs,
      idempotent: this.#scenario.idempotent ?? true,
    };
    return this.#mode === "pick" ? new Picks(context) : new Calls(context);
  }

  #done(): boolean {
    const { nextMs } = this.#clock;
    if (nextMs < this.#endMs) return false;
    return this.#traffic.open === 0 || this.#clock.now() >= this.#endMs + PATIENCE_MS;
  }

  /** Closing is the balancers' own work, on the clock of the run. */
  async #close(turns: PromiseTurns): Promise<void> {
    const open = new Set(this.#clients);
    const closing = this.#clients.map(async (client) => {
      await client.balancer.close({ drainMs: 0 });
      open.delete(client);
    });
    await turns.settle();
    while (open.size > 0 && this.#clock.nextMs < Number.POSITIVE_INFINITY) {
      this.#clock.step();
      await turns.settle();
    }
    await Promise.all(closing);
  }
}
