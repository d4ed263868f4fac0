import type { CallRecord } from "./load/calls.ts";
import type { Observation } from "./run-scenario.ts";

/** A backend that is not used for so long has been left alone. */
const LEFT_ALONE_MS = 1_000;

export interface Figures {
  readonly calls: number;
  /** Calls that were rejected or answered with a 5xx. */
  readonly lost: number;
  /** Those of them that a backend could have served from beginning to end. */
  readonly avoidable: number;
  /** Requests beyond the first of each call. */
  readonly extra: number;
  /** From the fault until the backend was left alone; `undefined` if it never was, or if nobody was well. */
  readonly stopMs: number | undefined;
  /** From the repair to the first answer of a backend that was repaired; `undefined` if there was none. */
  readonly againMs: number | undefined;
  /** Of the calls that were due between fault and repair, and were served; 0 if there were none. */
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How often calls were lost for what reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

export function figuresOf(seen: Observation): Figures {
  const { calls, sent, faultMs, repairMs } = seen;
  const lost = calls.filter((call) => call.lost);
  const during = calls
    .filter((call) => !call.lost && call.dueMs >= faultMs && call.dueMs < repairMs)
    .map(({ dueMs, endMs }) => endMs - dueMs)
    .sort((a, b) => a - b);
  return {
    calls: calls.length,
    lost: lost.length,
    avoidable: lost.filter((call) => isAvoidable(call, seen)).length,
    extra: calls.reduce((sum, { path }) => sum + Math.max(0, (sent.get(path) ?? 0) - 1), 0),
    stopMs: stopMsOf(seen),
    againMs: againMsOf(seen),
    p99Ms: during[Math.max(0, Math.ceil(during.length * 0.99) - 1)] ?? 0,
    maxMs: during.at(-1) ?? 0,
    reasons: countBy(lost.map(({ what }) => what)),
  };
}

/** While all are down nobody can serve: what begins or ends then may be lost. */
function isAvoidable({ dueMs, endMs }: CallRecord, { uses, faultMs, repairMs }: Observation): boolean {
  return uses !== undefined || dueMs >= repairMs || endMs < faultMs;
}

/** The first ejection, or the last use before the backend is left alone, whichever comes first. */
function stopMsOf({ uses, ejections, faultMs, repairMs }: Observation): number | undefined {
  if (uses === undefined) return undefined;
  const during = uses.filter((atMs) => atMs >= faultMs && atMs < repairMs);
  const left = during.find((atMs, index) => (during[index + 1] ?? repairMs) - atMs >= LEFT_ALONE_MS);
  const ejected = ejections.find((atMs) => atMs >= faultMs && atMs < repairMs);
  const stopped = Math.min(left ?? Number.POSITIVE_INFINITY, ejected ?? Number.POSITIVE_INFINITY);
  if (stopped !== Number.POSITIVE_INFINITY) return stopped - faultMs;
  return during.length === 0 ? 0 : undefined;
}

function againMsOf({ calls, scenario, repairMs }: Observation): number | undefined {
  const anybody = scenario.steps.at(-1)?.who === "all";
  const served = calls.filter(({ lost, dueMs, backend }) => !lost && dueMs >= repairMs && (anybody || backend === 0));
  return served.length === 0 ? undefined : Math.min(...served.map(({ endMs }) => endMs)) - repairMs;
}

function countBy(items: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
}
