import { isolated } from "../measure/isolated.ts";
import type { Effort } from "../measure/rounds.ts";
import { type Spread, spread } from "../measure/statistics.ts";
import type { PickCell } from "./cell.ts";

const CELL = new URL("cell.ts", import.meta.url);

/** The picks of one strategy over one number of backends. */
export interface MeasuredPick {
  readonly strategy: string;
  readonly size: number;
  readonly ns: Spread;
  readonly floorNs: Spread;
  /** As read from the heap. */
  readonly bytes: Spread;
  /** The same, without what the reading itself may be off. */
  readonly provenBytes: Spread;
}

/** In a process of its own. */
export async function measuredPick(strategy: string, size: number, effort: Effort): Promise<MeasuredPick> {
  const cell = await isolated<PickCell>(CELL, [strategy, String(size), JSON.stringify(effort)]);
  const bytes = spread(cell.bytes);
  const proven = (value: number): number => (Math.abs(value) < cell.exactTo ? 0 : value);
  return {
    strategy,
    size,
    ns: spread(cell.ns),
    floorNs: spread(cell.floorNs),
    bytes,
    provenBytes: { median: proven(bytes.median), low: proven(bytes.low), high: proven(bytes.high) },
  };
}
