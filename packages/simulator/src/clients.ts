import { type Balancer, type BalancerOptions, createBalancer, type Random } from "@fairlead/core";
import type { Fleet } from "./fleet.ts";
import { DEFAULTS, type Scenario } from "./scenario.ts";
import type { SimulationClock } from "./simulation-clock.ts";
import { randomFor } from "./streams.ts";

/** One process that makes calls. */
export interface Client {
  /** From 0 on. */
  readonly index: number;
  readonly zone: string | undefined;
  /** For policies that draw lots; a stream of its own. */
  readonly random: Random;
}

/** What a policy may decide: everything but the backends, the time and the random numbers of the run. */
export type PolicyOptions = Omit<BalancerOptions, "name" | "backends" | "discovery" | "clock" | "random">;

/** The options of each client's balancer. `() => ({})` is fairlead as it comes. */
export type Policy = (client: Client) => PolicyOptions;

export interface ActiveClient extends Client {
  readonly balancer: Balancer;
}

/** Makes the clients, each with a real balancer over the first set. */
export function createClients(
  scenario: Scenario,
  policy: Policy,
  seed: number,
  fleet: Fleet,
  clock: SimulationClock,
): ActiveClient[] {
  const { clients = DEFAULTS.clients, clientZones = [], timeoutMs = DEFAULTS.timeoutMs } = scenario;
  const backends = fleet.specs();
  return Array.from({ length: clients }, (_, index) => {
    const client = {
      index,
      zone: clientZones[index % clientZones.length],
      random: randomFor(seed, "policy", index),
    };
    const balancer = createBalancer({
      attemptTimeoutMs: timeoutMs,
      ...policy(client),
      name: `client-${index}`,
      backends,
      clock,
      random: randomFor(seed, "balancer", index),
    });
    return { ...client, balancer };
  });
}
