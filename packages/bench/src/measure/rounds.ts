import { allocationDuring } from "./allocation.ts";

/** Does something `count` times. */
export type Loop = (count: number) => void | Promise<void>;

export interface Effort {
  /** How often each loop is measured. */
  readonly rounds: number;
  /** How long one measurement takes. */
  readonly roundMs: number;
  /** Operations per measurement of allocations. */
  readonly allocations: number;
}

const NS_PER_MS = 1e6;

/**
 * Nanoseconds per operation of every loop in every round. All take their turn in each round, in changing order, so that
 * whatever disturbs the machine for a while disturbs all of them alike.
 */
export async function nanoseconds<Name extends string>(
  loops: Readonly<Record<Name, Loop>>,
  { rounds, roundMs }: Effort,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(loops) as Name[];
  const counts = new Map<Name, number>();
  // Also warms up.
  for (const name of names) counts.set(name, await countFor(loops[name], roundMs));
  return measure(names, rounds, async (name) => {
    const count = counts.get(name) ?? 1;
    collectYoungGarbage();
    return ((await millisecondsOf(loops[name], count)) * NS_PER_MS) / count;
  });
}

/** Bytes allocated on the JavaScript heap per operation, in the same order of things. */
export async function bytes<Name extends string>(
  loops: Readonly<Record<Name, Loop>>,
  { rounds, allocations }: Effort,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(loops) as Name[];
  for (const name of names) await loops[name](allocations);
  return measure(names, rounds, async (name) => {
    const allocated = await allocationDuring(() => loops[name](allocations));
    return allocated / allocations;
  });
}

/** One value per name and round; the order changes from round to round. */
export async function measure<Name extends string, Value>(
  names: readonly Name[],
  rounds: number,
  once: (name: Name) => Promise<Value>,
): Promise<Record<Name, Value[]>> {
  const values = Object.fromEntries(names.map((name) => [name, [] as Value[]])) as Record<Name, Value[]>;
  for (let round = 0; round < rounds; round++)
    for (const name of orderOf(names, round)) values[name].push(await once(name));
  return values;
}

/** Each begins in its turn, and every other round runs backwards: nobody always comes after the same one. */
function orderOf<T>(items: readonly T[], round: number): readonly T[] {
  const start = (round >> 1) % items.length;
  const turned = [...items.slice(start), ...items.slice(0, start)];
  return round % 2 === 0 ? turned : turned.toReversed();
}

/** What one variant leaves behind must not be cleared away at the cost of the next. */
export function collectYoungGarbage(): void {
  globalThis.gc?.({ type: "minor" });
}

async function millisecondsOf(loop: Loop, count: number): Promise<number> {
  const startMs = performance.now();
  await loop(count);
  return performance.now() - startMs;
}

/** How many operations take about `ms`, found by doubling. */
async function countFor(loop: Loop, ms: number): Promise<number> {
  for (let count = 64; ; count *= 2) {
    const took = await millisecondsOf(loop, count);
    if (took >= ms) return Math.max(1, Math.round((count * ms) / took));
  }
}
