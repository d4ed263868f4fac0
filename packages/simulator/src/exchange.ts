import type { Report } from "@fairlead/core";
import { SimulationEvent } from "./event-queue.ts";
import type { Server } from "./server.ts";
import type { SimulationClock } from "./simulation-clock.ts";

/**
 * One attempt on its way: a request that a server works on or puts in its queue, then an answer that travels back. As an
 * event it is the end of the work or, once there is an answer, its arrival.
 */
export abstract class Exchange extends SimulationEvent {
  readonly #server: Server;
  readonly #clock: SimulationClock;
  readonly #roundTripMs: number;
  #answer: Report | undefined;

  constructor(server: Server, clock: SimulationClock, roundTripMs: number) {
    super();
    this.#server = server;
    this.#clock = clock;
    this.#roundTripMs = roundTripMs;
  }

  /** The server is done with it. */
  reply(answer: Report, afterMs: number): void {
    this.#clock.remove(this);
    this.#answer = answer;
    // The way there is counted with the way back: every request is shifted alike, so their order does not change.
    this.#clock.add(this, afterMs + this.#roundTripMs);
  }

  happen(): void {
    if (this.#answer === undefined) this.#server.completed(this);
    else this.answered(this.#answer);
  }

  /** The client sees how the attempt ended, if it still waits. */
  protected abstract answered(answer: Report): void;
}
