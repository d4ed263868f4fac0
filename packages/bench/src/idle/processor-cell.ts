// Measures the processor time of a process with and without 10,000 idle backends.
// Arguments: number of backends, rounds, milliseconds per round.
import { setTimeout as sleep } from "node:timers/promises";
import { createBalancer } from "@fairlead/core";
import { specs } from "../inputs.ts";

/** Share of a processor in percent, per round. */
export interface ProcessorCell {
  readonly without: readonly number[];
  readonly with: readonly number[];
}

async function shares(rounds: number, ms: number): Promise<number[]> {
  globalThis.gc?.();
  // What the runtime tidies up by itself is over then.
  await sleep(ms);
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    const start = process.cpuUsage();
    await sleep(ms);
    const { user, system } = process.cpuUsage(start);
    values.push((user + system) / 10 / (performance.now() - startMs));
  }
  return values;
}

async function measureProcessor(size: number, rounds: number, ms: number): Promise<ProcessorCell> {
  const without = await shares(rounds, ms);
  const balancer = createBalancer({ name: "bench", backends: specs(size) });
  balancer.tryAcquire()?.release();
  return { without, with: await shares(rounds, ms) };
}

const [size = "", rounds = "", ms = ""] = process.argv.slice(2);
process.send?.(await measureProcessor(Number(size), Number(rounds), Number(ms)));
