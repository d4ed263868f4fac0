import { createBalancer } from "../src/balancer.ts";
import type { Report } from "../src/call/outcome.ts";
import type { Balancer, Lease } from "../src/contract.ts";
import { createRandom, type Random } from "../src/random.ts";
import type { Strategy } from "../src/strategy/strategy.ts";
import { virtualClock } from "../src/testing/index.ts";

/** What one modelled backend does. */
export interface Model {
  readonly weight?: number;
  /** Mean of the exponential service time, milliseconds. */
  readonly serviceMs: number;
  /** Answers 503 at once. */
  readonly fails?: boolean;
  /** Stands still for the first so many milliseconds of every period. */
  readonly pause?: { readonly ms: number; readonly everyMs: number };
}

export interface Scenario {
  readonly backends: readonly Model[];
  readonly strategy: () => Strategy;
  /** Each has a balancer of its own. */
  readonly clients: number;
  /** Of all clients together; arrivals are Poisson. */
  readonly callsPerSecond: number;
  readonly calls: number;
  readonly seed: number;
  /** Calls at the beginning that are not measured. */
  readonly warmUp?: number;
  readonly options?: Partial<Parameters<typeof createBalancer>[0]>;
}

export interface Result {
  /** Share of the measured calls, by index of backend. */
  readonly shares: readonly number[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Share of calls that failed or found no backend. */
  readonly errors: number;
}

const WORKERS = 4;

/** Backends are first-come-first-served queues with four workers; clients are real balancers under a virtual clock. */
export function simulate(scenario: Scenario): Result {
  return new Simulation(scenario).run();
}

interface Job {
  readonly lease: Lease;
  readonly startedMs: number;
  readonly measured: boolean;
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #clock = virtualClock();
  readonly #random: Random;
  readonly #clients: readonly Balancer[];
  readonly #events = new EventHeap();
  readonly #queues: Job[][];
  readonly #busy: number[];
  readonly #picked: number[];
  readonly #latencies: number[] = [];
  #errors = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#random = createRandom(scenario.seed);
    this.#queues = scenario.backends.map(() => []);
    this.#busy = scenario.backends.map(() => 0);
    this.#picked = scenario.backends.map(() => 0);
    this.#clients = Array.from({ length: scenario.clients }, (_, index) =>
      createBalancer({
        name: `client-${index}`,
        backends: scenario.backends.map(({ weight = 1 }, id) => ({ url: "http://10.0.0.1", id: `${id}`, weight })),
        strategy: scenario.strategy(),
        clock: this.#clock,
        random: createRandom(scenario.seed * 1_000 + index + 1),
        ...scenario.options,
      }),
    );
  }

  run(): Result {
    const { calls, callsPerSecond, warmUp = 0 } = this.#scenario;
    let atMs = 0;
    for (let call = 0; call < calls + warmUp; call++) {
      atMs += this.#exponential(1_000 / callsPerSecond);
      this.#runUntil(atMs);
      this.#arrive(call >= warmUp);
    }
    this.#runUntil(Number.POSITIVE_INFINITY);
    this.#latencies.sort((a, b) => a - b);
    return {
      shares: this.#picked.map((count) => count / calls),
      p50Ms: this.#quantile(0.5),
      p99Ms: this.#quantile(0.99),
      p999Ms: this.#quantile(0.999),
      errors: this.#errors / calls,
    };
  }

  #runUntil(untilMs: number): void {
    for (let event = this.#events.takeUntil(untilMs); event !== undefined; event = this.#events.takeUntil(untilMs)) {
      this.#clock.advanceSync(event.atMs - this.#clock.now());
      event.run();
    }
    if (untilMs !== Number.POSITIVE_INFINITY) this.#clock.advanceSync(untilMs - this.#clock.now());
  }

  #arrive(measured: boolean): void {
    const client = this.#clients[Math.floor(this.#random.next() * this.#clients.length)];
    const lease = client?.tryAcquire();
    if (lease === undefined) {
      if (measured) this.#errors++;
      return;
    }
    const index = Number(lease.backend.id);
    if (measured) this.#picked[index] = (this.#picked[index] ?? 0) + 1;
    const job = { lease, startedMs: this.#clock.now(), measured };
    if (this.#scenario.backends[index]?.fails === true) {
      this.#finish(job, { outcome: "failure", status: 503 });
      return;
    }
    if ((this.#busy[index] ?? 0) < WORKERS) this.#serve(index, job);
    else this.#queues[index]?.push(job);
  }

  #serve(index: number, job: Job): void {
    this.#busy[index] = (this.#busy[index] ?? 0) + 1;
    const model = this.#scenario.backends[index];
    const doneMs = this.#afterPause(model, this.#exponential(model?.serviceMs ?? 0));
    this.#events.add(doneMs, () => {
      this.#busy[index] = (this.#busy[index] ?? 0) - 1;
      this.#finish(job, { outcome: "success" });
      const next = this.#queues[index]?.shift();
      if (next !== undefined) this.#serve(index, next);
    });
  }

  /** The moment at which so much work is done, if none is during a pause. */
  #afterPause(model: Model | undefined, workMs: number): number {
    const nowMs = this.#clock.now();
    if (model?.pause === undefined) return nowMs + workMs;
    const { ms, everyMs } = model.pause;
    const phase = nowMs % everyMs;
    const startMs = phase < ms ? nowMs + ms - phase : nowMs;
    const untilPauseMs = everyMs - (startMs % everyMs);
    return startMs + workMs + (workMs > untilPauseMs ? ms : 0);
  }

  #finish({ lease, startedMs, measured }: Job, report: Report): void {
    lease.settle(report);
    lease.release();
    if (!measured) return;
    this.#latencies.push(this.#clock.now() - startedMs);
    if (report.outcome !== "success") this.#errors++;
  }

  #exponential(meanMs: number): number {
    return -meanMs * Math.log(1 - this.#random.next());
  }

  #quantile(share: number): number {
    return this.#latencies[Math.ceil(share * this.#latencies.length) - 1] ?? Number.NaN;
  }
}

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** A binary heap of what happens next. */
class EventHeap {
  readonly #heap: Event[] = [];

  add(atMs: number, run: () => void): void {
    const heap = this.#heap;
    const event = { atMs, run };
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.atMs <= atMs) break;
      heap[index] = above;
      heap[parent] = event;
      index = parent;
    }
  }

  takeUntil(untilMs: number): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    if (top === undefined || top.atMs > untilMs) return undefined;
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return top;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const least = (heap[right]?.atMs ?? Infinity) < (heap[left]?.atMs ?? Infinity) ? right : left;
      const below = heap[least];
      if (below === undefined || below.atMs >= event.atMs) break;
      heap[index] = below;
      index = least;
    }
    heap[index] = event;
  }
}
