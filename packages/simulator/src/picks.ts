import type { Lease, PickRequest, Report } from "@fairlead/core";
import { TIMED_OUT } from "./answers.ts";
import type { ActiveClient } from "./clients.ts";
import { SimulationEvent } from "./event-queue.ts";
import { Exchange } from "./exchange.ts";
import { ENDS } from "./samples.ts";
import type { Server } from "./server.ts";
import type { Traffic, TrafficContext } from "./traffic.ts";

/** Mode `pick`: one attempt per call, its lease taken by hand. Nothing waits for a promise, so big runs are quick. */
export class Picks implements Traffic {
  readonly #context: TrafficContext;
  open = 0;

  constructor(context: TrafficContext) {
    this.#context = context;
  }

  begin({ balancer, zone }: ActiveClient, row: number, hashKey: string | undefined): void {
    const { clock, fleet, samples, timeoutMs } = this.#context;
    const request: PickRequest = { hashKey, replayable: this.#context.idempotent };
    const lease = balancer.tryAcquire(request);
    const instance = lease === undefined ? undefined : fleet.get(lease.backend.id);
    if (lease === undefined || instance === undefined) {
      samples.calls.end(row, 0, ENDS.refused);
      return;
    }
    const { index, group, server } = instance;
    samples.attempts.begin(row, clock.now(), index, zone !== undefined && zone === group.zone, hashKey);
    this.open++;
    const pick = new Pick(this, this.#context, lease, row, server);
    clock.add(pick.deadline, timeoutMs);
    server.receive(pick);
  }

  ended(row: number, latencyMs: number, report: Report): void {
    this.open--;
    this.#context.samples.calls.end(row, latencyMs, report.outcome === "success" ? ENDS.served : ENDS.failed);
  }
}

class Pick extends Exchange {
  readonly deadline: Deadline;
  readonly #owner: Picks;
  readonly #context: TrafficContext;
  readonly #lease: Lease;
  readonly #row: number;
  readonly #startedMs: number;
  #over = false;

  constructor(owner: Picks, context: TrafficContext, lease: Lease, row: number, server: Server) {
    super(server, context.clock, 2 * context.networkMs);
    this.#owner = owner;
    this.#context = context;
    this.#lease = lease;
    this.#row = row;
    this.#startedMs = context.clock.now();
    this.deadline = new Deadline(this);
  }

  protected answered(report: Report): void {
    if (this.#over) return;
    this.#context.clock.remove(this.deadline);
    this.#end(report);
  }

  /** The server is not told: it works on. */
  timedOut(): void {
    this.#end(TIMED_OUT);
  }

  #end(report: Report): void {
    this.#over = true;
    this.#lease.settle(report);
    this.#lease.release();
    this.#owner.ended(this.#row, this.#context.clock.now() - this.#startedMs, report);
  }
}

class Deadline extends SimulationEvent {
  readonly #pick: Pick;

  constructor(pick: Pick) {
    super();
    this.#pick = pick;
  }

  happen(): void {
    this.#pick.timedOut();
  }
}
