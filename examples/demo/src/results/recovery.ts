import type { CallRecord } from "../messages.ts";
import { BACKENDS, type Fault } from "../scenario.ts";
import { Quantiles } from "./quantiles.ts";
import type { Side } from "./side.ts";

/** This many times the usual median is slow: above every healthy answer, below every one that is ten times slower. */
const SLOW_FACTOR = 5;
/** A backend that has this much of an equal share is back. */
const BACK_AT = 0.5 / BACKENDS;

export const DEFINITIONS: readonly string[] = [
  "calls disturbed for: from the fault to the end of the last failed or slow call,",
  `  which half a second of good ones follows; slow: ${SLOW_FACTOR} × the median before the faults.`,
  "backend back after: from its repair until it took half of an equal share again,",
  "  over one second.",
];

/** How one side came through one fault; milliseconds, `undefined`: not before the end. */
export interface Recovery {
  readonly fault: Fault;
  readonly disturbedMs: number | undefined;
  readonly backMs: number | undefined;
}

export function recoveries(side: Side, faults: readonly Fault[], rate: number): readonly Recovery[] {
  const calls = side.calls.toSorted((a, b) => a.atMs - b.atMs);
  const firstAtMs = faults[0]?.startsAtMs ?? 0;
  const slowMs = SLOW_FACTOR * usualMs(calls, firstAtMs);
  return faults.map((fault) => ({
    fault,
    disturbedMs: disturbedMs(calls, fault.startsAtMs, slowMs, rate / 2),
    backMs: backMs(side, fault),
  }));
}

/** The median of the calls that ended before `untilMs`. */
function usualMs(calls: readonly CallRecord[], untilMs: number): number {
  const before = new Quantiles();
  for (const call of calls) if (call.atMs + call.ms < untilMs) before.add(call.ms);
  return before.at(0.5);
}

/** From `fromMs` to the end of the last disturbed call that `quiet` undisturbed ones in a row follow. */
export function disturbedMs(
  calls: readonly CallRecord[],
  fromMs: number,
  slowMs: number,
  quiet: number,
): number | undefined {
  let lastMs = fromMs;
  let inRow = 0;
  for (const call of calls) {
    const endMs = call.atMs + call.ms;
    // Calls under way when the fault comes may suffer from it.
    if (endMs < fromMs) continue;
    if (call.failed || call.ms > slowMs) {
      lastMs = Math.max(lastMs, endMs);
      inRow = 0;
    } else if (++inRow >= quiet) {
      return lastMs - fromMs;
    }
  }
  return undefined;
}

function backMs(side: Side, { backend, endsAtMs }: Fault): number | undefined {
  const backAtMs = side.reportTimes.find((atMs) => atMs >= endsAtMs && (side.shares(atMs)[backend] ?? 0) >= BACK_AT);
  return backAtMs === undefined ? undefined : backAtMs - endsAtMs;
}
