// Measures what flapping breakers cost beside calls, in a process of its own.
// Arguments: strategy, rounds, milliseconds per half of a round.
import { setTimeout as sleep } from "node:timers/promises";
import { type Balancer, type Breaker, type BreakerProvider, createBalancer, createRandom } from "@fairlead/core";
import { specs } from "../inputs.ts";
import { candidate } from "../strategies.ts";

const BACKENDS = 10_000;
const FLAPPING = 200;
/** Open for as long as closed: ten times a second each. */
const TOGGLE_MS = 50;
const CALLS_PER_TICK = 10;
const TICK_MS = 10;

/** Share of a processor per half, in percent. */
export interface FlappingCell {
  readonly steady: readonly number[];
  readonly flapping: readonly number[];
  /** Calls that met a closed gate only. */
  readonly refused: number;
}

/** Breakers that are opened and closed from outside. */
class Switches {
  #open = false;
  #made = 0;
  readonly #changed: (() => void)[] = [];

  readonly provider: BreakerProvider = {
    name: "switch",
    create: (context) => {
      const flaps = this.#made++ % (BACKENDS / FLAPPING) === 0;
      if (flaps) this.#changed.push(() => context.changed());
      return this.#breaker(flaps);
    },
  };

  #breaker(flaps: boolean): Breaker {
    const isOpen = (): boolean => flaps && this.#open;
    return {
      get state() {
        return isOpen() ? "open" : "closed";
      },
      admits: () => !isOpen(),
      enter: () => 0,
      report: () => {},
      [Symbol.dispose]: () => {},
    };
  }

  toggle(): void {
    this.#open = !this.#open;
    if (!this.#open) for (const changed of this.#changed) changed();
  }
}

function callEveryTick(balancer: Balancer): { readonly refused: number } {
  const requests = Array.from({ length: 64 }, (_, i) => ({ hashKey: `${i}` }));
  const counts = { refused: 0 };
  let turn = 0;
  setInterval(() => {
    for (let i = 0; i < CALLS_PER_TICK; i++) {
      const lease = balancer.tryAcquire(requests[turn++ % requests.length]);
      if (lease === undefined) counts.refused++;
      lease?.settle({ outcome: "success", latencyMs: 10 });
      lease?.release();
    }
  }, TICK_MS);
  return counts;
}

async function processorShare(ms: number): Promise<number> {
  const startMs = performance.now();
  const start = process.cpuUsage();
  await sleep(ms);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 10 / (performance.now() - startMs);
}

async function measureFlapping(name: string, rounds: number, halfMs: number): Promise<FlappingCell> {
  const switches = new Switches();
  const balancer = createBalancer({
    name: "bench",
    backends: specs(BACKENDS),
    strategy: candidate(name).create(),
    breaker: switches.provider,
    random: createRandom(1),
  });
  const counts = callEveryTick(balancer);
  await sleep(halfMs);
  const steady: number[] = [];
  const flapping: number[] = [];
  for (let round = 0; round < rounds; round++) {
    globalThis.gc?.();
    steady.push(await processorShare(halfMs));
    const timer = setInterval(() => switches.toggle(), TOGGLE_MS);
    flapping.push(await processorShare(halfMs));
    clearInterval(timer);
  }
  return { steady, flapping, refused: counts.refused };
}

const [name = "", rounds = "", halfMs = ""] = process.argv.slice(2);
process.send?.(await measureFlapping(name, Number(rounds), Number(halfMs)));
