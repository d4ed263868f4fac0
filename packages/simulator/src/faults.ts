import type { Fleet } from "./fleet.ts";
import type { Fault } from "./scenario.ts";
import type { ActiveFault, Server } from "./server.ts";
import type { SimulationClock } from "./simulation-clock.ts";

type Pause = Extract<Fault, { kind: "pause" }>;

/** Has every fault begin and end in its time. `startMs`: when the measurement begins, by the clock. */
export function scheduleFaults(faults: readonly Fault[], fleet: Fleet, clock: SimulationClock, startMs: number): void {
  for (const fault of faults) {
    const fromMs = fault.fromMs === undefined ? 0 : startMs + fault.fromMs;
    const toMs = fault.toMs === undefined ? Number.POSITIVE_INFINITY : startMs + fault.toMs;
    clock.schedule(fromMs, () => {
      const servers = fleet.find(fault.targets).map(({ server }) => server);
      if (fault.kind === "pause") pause(fault, servers, clock, toMs);
      else begin(fault, servers, clock, toMs);
    });
  }
}

function begin(fault: Fault, servers: readonly Server[], clock: SimulationClock, toMs: number): void {
  const active: ActiveFault = { fault, sinceMs: clock.now() };
  for (const server of servers) server.begin(active);
  clock.schedule(toMs - clock.now(), () => {
    for (const server of servers) server.end(active);
  });
}

function pause(fault: Pause, servers: readonly Server[], clock: SimulationClock, toMs: number): void {
  if (clock.now() >= toMs) return;
  const forMs = Math.min(fault.forMs, toMs - clock.now());
  for (const server of servers) server.pause(forMs);
  if (fault.everyMs !== undefined) clock.schedule(fault.everyMs, () => pause(fault, servers, clock, toMs));
}
