import type { ActiveClient } from "./clients.ts";
import type { Fleet } from "./fleet.ts";
import type { Samples } from "./samples.ts";
import type { SimulationClock } from "./simulation-clock.ts";

/** A way of making calls. */
export interface Traffic {
  /** Calls that have not ended. */
  readonly open: number;
  /** A call begins. `row` is where it is recorded. */
  begin(client: ActiveClient, row: number, hashKey: string | undefined): void;
}

/** What both ways work on. */
export interface TrafficContext {
  readonly clock: SimulationClock;
  readonly fleet: Fleet;
  readonly samples: Samples;
  readonly networkMs: number;
  readonly timeoutMs: number;
  readonly idempotent: boolean;
}
