// Measures the memory of idle backends under one strategy, in a process of its own.
// Arguments: strategy, number of backends, rounds.
import { type Balancer, createBalancer } from "@fairlead/core";
import { specs } from "../inputs.ts";
import { candidate } from "../strategies.ts";

/** Bytes per backend, per round. */
export type MemoryCell = readonly number[];

function measureMemory(name: string, size: number, rounds: number): MemoryCell {
  const { create, uneven } = candidate(name);
  const kept: Balancer[] = [];
  // Whatever is made only once is made by the first.
  return Array.from({ length: rounds + 1 }, () => {
    const before = usedBytes();
    const balancer = createBalancer({ name: "bench", backends: specs(size, uneven), strategy: create() });
    balancer.tryAcquire({ hashKey: "7" })?.release();
    kept.push(balancer);
    return (usedBytes() - before) / size;
  }).slice(1);
}

/** The JavaScript heap and the arrays outside of it. */
function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error("memory can only be measured with node --expose-gc");
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const [name = "", size = "", rounds = ""] = process.argv.slice(2);
process.send?.(measureMemory(name, Number(size), Number(rounds)));
