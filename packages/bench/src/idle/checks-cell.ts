// Measures the processor time of health checks, and of the same probes made by a timer: what is more is the scheduler's.
// Arguments: number of backends, rounds, milliseconds per round.
import { setTimeout as sleep } from "node:timers/promises";
import { type Balancer, createBalancer, functionCheck } from "@fairlead/core";
import { specs } from "../inputs.ts";
import { processorShares } from "./processor-shares.ts";

/** The default: 2,000 checks of 10,000 backends per second. */
const INTERVAL_MS = 5_000;
/** So seldom that its own wake-ups take nothing off what the scheduler's cost. */
const BURSTS_PER_INTERVAL = 10;
/** A hundred times as often: at the rate that is measured, code would be compiled anew for the first 20 seconds. */
const WARM_UP_INTERVAL_MS = 50;

export interface ChecksCell {
  /** Share of a processor in percent, per round. */
  readonly probes: readonly number[];
  readonly checks: readonly number[];
  readonly checksPerSecond: number;
  /** That many there should be. */
  readonly expectedPerSecond: number;
}

function heard(): void {}

function checked(size: number, probe: () => Promise<void>, intervalMs: number): Balancer {
  const healthCheck = functionCheck(probe, { intervalMs });
  return createBalancer({ name: "bench", backends: specs(size), healthCheck });
}

async function measureChecks(size: number, rounds: number, ms: number): Promise<ChecksCell> {
  let probed = 0;
  const probe = (): Promise<void> => {
    probed++;
    return Promise.resolve();
  };
  const burst = (): void => {
    for (let i = 0; i < size / BURSTS_PER_INTERVAL; i++) probe().then(heard, heard);
  };
  const timer = setInterval(burst, INTERVAL_MS / BURSTS_PER_INTERVAL);
  const probes = await processorShares(rounds, ms);
  clearInterval(timer);

  const warmedUp = checked(size, probe, WARM_UP_INTERVAL_MS);
  await sleep(ms);
  await warmedUp.close();
  checked(size, probe, INTERVAL_MS);
  probed = 0;
  const startMs = performance.now();
  const checks = await processorShares(rounds, ms);
  const checksPerSecond = (probed * 1000) / (performance.now() - startMs);
  return { probes, checks, checksPerSecond, expectedPerSecond: (size * 1000) / INTERVAL_MS };
}

const [size = "", rounds = "", ms = ""] = process.argv.slice(2);
process.send?.(await measureChecks(Number(size), Number(rounds), Number(ms)));
