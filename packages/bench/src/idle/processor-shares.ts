import { setTimeout as sleep } from "node:timers/promises";

/** Share of a processor in percent, per round, while this process does nothing but what its timers do. */
export async function processorShares(rounds: number, ms: number): Promise<number[]> {
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
