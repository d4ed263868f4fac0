// Measures the processor time of a process with and without 10,000 idle backends.
// Arguments: number of backends, rounds, milliseconds per round.
import { createBalancer } from "@fairlead/core";
import { specs } from "../inputs.ts";
import { processorShares } from "./processor-shares.ts";

/** Share of a processor in percent, per round. */
export interface ProcessorCell {
  readonly without: readonly number[];
  readonly with: readonly number[];
}

async function measureProcessor(size: number, rounds: number, ms: number): Promise<ProcessorCell> {
  const without = await processorShares(rounds, ms);
  const balancer = createBalancer({ name: "bench", backends: specs(size) });
  balancer.tryAcquire()?.release();
  return { without, with: await processorShares(rounds, ms) };
}

const [size = "", rounds = "", ms = ""] = process.argv.slice(2);
process.send?.(await measureProcessor(Number(size), Number(rounds), Number(ms)));
