import { GCProfiler, getHeapStatistics } from "node:v8";

/**
 * Bytes that `run` allocates on the JavaScript heap: what is there afterwards, and what collections cleared away
 * meanwhile. Memory outside it (buffers) is not counted.
 */
export async function allocationDuring(run: () => void | Promise<void>): Promise<number> {
  if (globalThis.gc === undefined) throw new Error("allocations can only be measured with node --expose-gc");
  globalThis.gc();
  const profiler = new GCProfiler();
  profiler.start();
  let lastBytes = getHeapStatistics().used_heap_size;
  await run();
  const endBytes = getHeapStatistics().used_heap_size;
  let allocated = 0;
  for (const { beforeGC, afterGC } of profiler.stop()?.statistics ?? []) {
    allocated += beforeGC.heapStatistics.usedHeapSize - lastBytes;
    lastBytes = afterGC.heapStatistics.usedHeapSize;
  }
  return allocated + endBytes - lastBytes;
}
