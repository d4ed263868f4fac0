import type { Random } from "@fairlead/core";
import { failedWith, REFUSED, RESET, SERVED } from "./answers.ts";
import type { Exchange } from "./exchange.ts";
import { Fifo } from "./fifo.ts";
import type { Fault } from "./scenario.ts";
import type { SimulationClock } from "./simulation-clock.ts";

/** A fault that a server has now. */
export interface ActiveFault {
  readonly fault: Fault;
  /** Milliseconds of the clock. */
  readonly sinceMs: number;
}

export interface ServerOptions {
  readonly clock: SimulationClock;
  readonly workers: number;
  /** Milliseconds of work for the next request. */
  readonly serviceMs: () => number;
  /** For faults that hit a share of the requests. */
  readonly random: Random;
}

/** A modelled backend: some workers, a queue in front of them, and what is wrong with it. */
export class Server {
  readonly #clock: SimulationClock;
  readonly #workers: number;
  readonly #serviceMs: () => number;
  readonly #random: Random;
  /** Requests that a worker has. */
  readonly #running: Exchange[] = [];
  readonly #waiting = new Fifo<Exchange>();
  #faults: readonly ActiveFault[] = [];
  #pausedUntilMs = 0;
  #ended = false;

  constructor({ clock, workers, serviceMs, random }: ServerOptions) {
    this.#clock = clock;
    this.#workers = workers;
    this.#serviceMs = serviceMs;
    this.#random = random;
  }

  receive(exchange: Exchange): void {
    if (this.#ended) exchange.reply(REFUSED, 0);
    else if (this.#faults.length === 0 || !this.#misses(exchange)) {
      this.#waiting.push(exchange);
      this.#serve();
    }
  }

  /** A worker has done its work. */
  completed(exchange: Exchange): void {
    const place = this.#running.indexOf(exchange);
    const last = this.#running.pop();
    if (last !== undefined && last !== exchange) this.#running[place] = last;
    exchange.reply(SERVED, 0);
    this.#serve();
  }

  begin(active: ActiveFault): void {
    this.#faults = [...this.#faults, active];
    if (active.fault.kind === "dead") this.#breakOff();
  }

  end(active: ActiveFault): void {
    this.#faults = this.#faults.filter((other) => other !== active);
  }

  /** Stands still: work under way goes on after `forMs`, and no more is begun until then. */
  pause(forMs: number): void {
    const nowMs = this.#clock.now();
    const untilMs = Math.max(this.#pausedUntilMs, nowMs + forMs);
    const longerMs = untilMs - Math.max(this.#pausedUntilMs, nowMs);
    if (longerMs === 0) return;
    this.#pausedUntilMs = untilMs;
    for (const exchange of this.#running) {
      const leftMs = exchange.dueMs - nowMs;
      this.#clock.remove(exchange);
      this.#clock.add(exchange, leftMs + longerMs);
    }
    this.#clock.schedule(untilMs - nowMs, () => this.#serve());
  }

  /** Its process ends. */
  stop(): void {
    this.#ended = true;
    this.#breakOff();
  }

  #serve(): void {
    const nowMs = this.#clock.now();
    if (nowMs < this.#pausedUntilMs) return;
    while (this.#running.length < this.#workers) {
      const exchange = this.#waiting.shift();
      if (exchange === undefined) return;
      this.#running.push(exchange);
      this.#clock.add(exchange, this.#serviceMs() * this.#slowness(nowMs));
    }
  }

  /** Whether a fault keeps the request from the workers; it is answered then, or never. */
  #misses(exchange: Exchange): boolean {
    for (const { fault } of this.#faults) {
      if (fault.kind === "hang") return true;
      if (fault.kind === "dead") {
        exchange.reply(REFUSED, fault.afterMs ?? 0);
        return true;
      }
      if (fault.kind === "fail" && this.#random.next() < (fault.share ?? 1)) {
        exchange.reply(failedWith(fault.status ?? 503), fault.afterMs ?? 0);
        return true;
      }
    }
    return false;
  }

  /** By how much faults stretch work that begins now. */
  #slowness(nowMs: number): number {
    let slowness = 1;
    for (const { fault, sinceMs } of this.#faults) {
      if (fault.kind === "slow") slowness *= fault.factor;
      if (fault.kind === "cold") slowness *= 1 + (fault.factor - 1) * Math.max(0, 1 - (nowMs - sinceMs) / fault.forMs);
    }
    return slowness;
  }

  #breakOff(): void {
    for (const exchange of [...this.#running, ...this.#waiting.clear()]) exchange.reply(RESET, 0);
    this.#running.length = 0;
  }
}
