import type { Random } from "@fairlead/core";
import type { ActiveClient } from "./clients.ts";
import { SimulationEvent } from "./event-queue.ts";
import { HashKeys } from "./hash-keys.ts";
import { type Samples, UNMEASURED } from "./samples.ts";
import { type BackendGroup, DEFAULTS, type Scenario } from "./scenario.ts";
import { exponential } from "./service-time.ts";
import type { SimulationClock } from "./simulation-clock.ts";
import { randomFor } from "./streams.ts";
import type { Traffic } from "./traffic.ts";

/** Calls per second, of all clients together. */
function arrivalRate({ arrivals, backends }: Scenario): number {
  if ("callsPerSecond" in arrivals) return arrivals.callsPerSecond;
  const present = backends.filter(({ count }) => count > 0);
  const serving = Math.min(...present.map(priorityOf));
  const capacity = present
    .filter((group) => priorityOf(group) === serving)
    .reduce((total, { count, workers = DEFAULTS.workers, service = DEFAULTS.service }) => {
      return total + (count * workers * 1_000) / service.meanMs;
    }, 0);
  return (capacity * arrivals.loadPercent) / 100;
}

function priorityOf({ priority = 0 }: BackendGroup): number {
  return priority;
}

/** The next call of a Poisson process: at random, of a random client. */
export class Arrivals extends SimulationEvent {
  readonly #clock: SimulationClock;
  readonly #clients: readonly ActiveClient[];
  readonly #traffic: Traffic;
  readonly #samples: Samples;
  readonly #random: Random;
  readonly #keys: HashKeys | undefined;
  readonly #meanMs: number;
  readonly #startMs: number;
  readonly #endMs: number;

  constructor(
    scenario: Scenario,
    seed: number,
    clock: SimulationClock,
    clients: readonly ActiveClient[],
    traffic: Traffic,
    samples: Samples,
  ) {
    super();
    this.#clock = clock;
    this.#clients = clients;
    this.#traffic = traffic;
    this.#samples = samples;
    this.#random = randomFor(seed, "arrivals");
    this.#keys = scenario.keys === undefined ? undefined : new HashKeys(scenario.keys, randomFor(seed, "keys"));
    this.#meanMs = 1_000 / arrivalRate(scenario);
    this.#startMs = scenario.warmUpMs ?? DEFAULTS.warmUpMs;
    this.#endMs = this.#startMs + scenario.durationMs;
  }

  /** Queues the next call, if it comes before the end. */
  next(): void {
    const delayMs = exponential(this.#meanMs, this.#random);
    if (this.#clock.now() + delayMs < this.#endMs) this.#clock.add(this, delayMs);
  }

  happen(): void {
    const nowMs = this.#clock.now();
    const client = this.#clients[Math.floor(this.#random.next() * this.#clients.length)];
    const row = nowMs < this.#startMs ? UNMEASURED : this.#samples.calls.begin(nowMs);
    const hashKey = this.#keys?.next();
    if (client !== undefined) this.#traffic.begin(client, row, hashKey);
    this.next();
  }
}
