import { setTimeout as sleep } from "node:timers/promises";
import { type Fairlead, fairlead } from "fairlead";
import type { Fleet } from "./backends/fleet.ts";
import { type CallRecord, makeCalls } from "./load/calls.ts";
import { type Use, Wire } from "./load/wire.ts";
import type { Scenario } from "./scenarios.ts";

/** Gets connections open and code compiled: a service that has just started is slow. */
const WARM_UP = { rate: 200, durationMs: 500 };

/** What happened in one run of a scenario. Times are those of `performance.now()`. */
export interface Observation {
  readonly scenario: Scenario;
  readonly size: number;
  readonly calls: readonly CallRecord[];
  /** How often the request of each path was sent. */
  readonly sent: ReadonlyMap<string, number>;
  /** When the suffering backend was used: requests and connections. `undefined` if all suffered. */
  readonly uses: readonly number[] | undefined;
  /** When the suffering backend was ejected. */
  readonly ejections: readonly number[];
  readonly faultMs: number;
  readonly repairMs: number;
  /** Places on backends that did not come back when all calls had ended; has to be 0. */
  readonly held: number;
}

/** Makes safe calls through fairlead as it comes, and lets happen what the scenario says. All backends are well after it. */
export async function runScenario(scenario: Scenario, fleet: Fleet, rate: number): Promise<Observation> {
  const orders = fairlead({ name: "orders", backends: fleet.urls });
  const wire = new Wire(fleet.backends.map(({ port }) => port));
  try {
    for (const { who, condition } of scenario.steps)
      if (condition === "killed" || condition === "starting") await fleet.prepareRestart(who);
    await makeCalls(orders, WARM_UP);
    return await observe(scenario, fleet, orders, wire, rate);
  } finally {
    wire.end();
    await Promise.all([orders.close({ drainMs: 0 }), fleet.put("all", "well")]);
  }
}

async function observe(
  scenario: Scenario,
  fleet: Fleet,
  orders: Fairlead,
  wire: Wire,
  rate: number,
): Promise<Observation> {
  const ejected: { readonly atMs: number; readonly backend: string }[] = [];
  orders.on("backendEjected", ({ backend }) => ejected.push({ atMs: performance.now(), backend }));
  const [moments, calls] = await Promise.all([
    perform(scenario, fleet),
    makeCalls(orders, { rate, durationMs: scenario.loadMs }),
  ]);
  const suffering = fleet.chosen(scenario.steps[0]?.who ?? "all");
  const [one] = suffering.length === 1 ? suffering : [];
  return {
    scenario,
    size: fleet.backends.length,
    calls,
    sent: wire.sent,
    uses: one && usesOf(one.port, wire.uses),
    ejections: ejected.filter(({ backend }) => one?.url.endsWith(backend)).map(({ atMs }) => atMs),
    ...moments,
    held: orders.snapshot().backends.reduce((sum, { requests, connections }) => sum + requests + connections, 0),
  };
}

function usesOf(port: number, uses: readonly Use[]): readonly number[] {
  return uses.filter((use) => use.port === port).map(({ atMs }) => atMs);
}

/** Brings about one step after the other. Resolves to when the fault began and when the first was repaired. */
async function perform({ steps }: Scenario, fleet: Fleet): Promise<Pick<Observation, "faultMs" | "repairMs">> {
  const startMs = performance.now();
  let faultMs = Number.NaN;
  let repairMs = Number.NaN;
  for (const { atMs, who, condition } of steps) {
    await sleep(Math.max(0, startMs + atMs - performance.now()));
    if (Number.isNaN(faultMs)) faultMs = performance.now();
    repairMs = await fleet.put(who, condition);
  }
  return { faultMs, repairMs };
}
