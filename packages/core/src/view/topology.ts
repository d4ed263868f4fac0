import type { RequestKind } from "../backend.ts";
import { slowStartFactor, slowStartStepMs } from "../health/slow-start.ts";
import type { Member } from "../membership/member.ts";
import type { Random } from "../random.ts";
import type { SharedSettings } from "../settings.ts";
import type { LoadColumns } from "../strategy/load/load-table.ts";
import type { View } from "../strategy/strategy.ts";
import { type PriorityLoads, priorityLoads } from "./priorities.ts";

/** In panic, the share of its weight that a failed backend keeps: what works is preferred. */
const FAILED_WEIGHT = 0.1;

/** Backends among which one strategy chooses: those of one priority, either the healthy or the degraded ones. */
export class Tier {
  readonly priority: number;
  readonly members: readonly Member[];
  readonly weights: readonly number[];
  readonly panic: boolean;
  /** Calls whose draw (0…99) is below this, and not below the tier before it, go here: none if the two are equal. */
  readonly upTo: number;
  readonly #view: Omit<View, "kind">;
  #requests: View | undefined;
  #connections: View | undefined;

  constructor(
    priority: number,
    members: readonly Member[],
    weights: readonly number[],
    panic: boolean,
    upTo: number,
    context: Pick<View, "random" | "loads">,
  ) {
    this.priority = priority;
    this.members = members;
    this.weights = weights;
    this.panic = panic;
    this.upTo = upTo;
    this.#view = { ...context, backends: members, weights, rows: Int32Array.from(members, ({ row }) => row) };
  }

  view(kind: RequestKind): View {
    if (kind === "request") {
      this.#requests ??= { ...this.#view, kind };
      return this.#requests;
    }
    this.#connections ??= { ...this.#view, kind };
    return this.#connections;
  }
}

/** The backends in play and how calls divide over their tiers: one state of the world, until something changes. */
export interface Topology {
  readonly generation: number;
  /** In order of preference. One without load serves only when those with load take nobody. */
  readonly tiers: readonly Tier[];
  /** Backends whose ejection is over but who have not proved themselves yet. */
  readonly probation: readonly Member[];
  /** Priorities in panic. */
  readonly panic: readonly number[];
  /** Time alone changes the picture then. */
  readonly validUntilMs: number;
}

/** Counts the views of all balancers, so that a backend of another one is never taken for one of this. */
let generations = 0;

export function buildTopology(
  members: Iterable<Member>,
  settings: SharedSettings,
  nowMs: number,
  random: Random,
  loads: LoadColumns,
): Topology {
  const generation = ++generations;
  const levels = groupByPriority(members);
  const shares = priorityLoads(
    levels.map(({ healthy, degraded, failed }) => ({
      healthy: healthy.length,
      degraded: degraded.length,
      total: healthy.length + degraded.length + failed.length,
    })),
    settings.panicThreshold,
  );
  const validity = new Validity(nowMs);
  for (const { healthy, degraded, failed } of levels) {
    for (const { ejection } of [...healthy, ...degraded, ...failed]) validity.at(ejection.changesAtMs);
  }
  const tiers = buildTiers(
    levels,
    shares,
    (member, panic) => effectiveWeight(member, panic, settings, nowMs, validity),
    { random, loads },
  );
  for (const tier of tiers) for (const member of tier.members) member.viewGeneration = generation;
  return {
    generation,
    tiers,
    probation: tiers.filter(hasLoad).flatMap((tier) => tier.members.filter(({ ejection }) => ejection.probation)),
    panic: levels.filter((_, index) => shares.panic[index] === true).map(({ priority }) => priority),
    validUntilMs: validity.untilMs,
  };
}

/** Whether any call goes here first. */
export function hasLoad(tier: Tier, index: number, tiers: readonly Tier[]): boolean {
  return tier.upTo > (tiers[index - 1]?.upTo ?? 0);
}

/** The earliest of several moments. */
class Validity {
  untilMs = Number.POSITIVE_INFINITY;
  readonly #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  at(momentMs: number): void {
    if (momentMs < this.untilMs) this.untilMs = momentMs;
  }

  in(delayMs: number): void {
    this.at(this.#nowMs + delayMs);
  }
}

interface Level {
  readonly priority: number;
  readonly healthy: Member[];
  readonly degraded: Member[];
  /** Ejected ones: in play only in panic. */
  readonly failed: Member[];
}

function groupByPriority(members: Iterable<Member>): Level[] {
  const levels = new Map<number, Level>();
  for (const member of members) {
    member.inPanic = false;
    member.viewGeneration = -1;
    if (!member.inPlay) continue;
    let level = levels.get(member.priority);
    if (level === undefined) {
      level = { priority: member.priority, healthy: [], degraded: [], failed: [] };
      levels.set(member.priority, level);
    }
    if (member.ejection.ejected) level.failed.push(member);
    else if (member.state === "degraded") level.degraded.push(member);
    else level.healthy.push(member);
  }
  return [...levels.values()].sort((a, b) => a.priority - b.priority);
}

function buildTiers(
  levels: readonly Level[],
  loads: PriorityLoads,
  weightOf: (member: Member, panic: boolean) => number,
  context: Pick<View, "random" | "loads">,
): Tier[] {
  const tiers: Tier[] = [];
  let upTo = 0;
  const add = (priority: number, members: readonly Member[], load: number, panic: boolean): void => {
    if (members.length === 0) return;
    upTo += load;
    for (const member of members) member.inPanic = panic;
    const weights = members.map((member) => weightOf(member, panic));
    tiers.push(new Tier(priority, members, weights, panic, upTo, context));
  };
  for (const [index, { priority, healthy, degraded, failed }] of levels.entries()) {
    const panic = loads.panic[index] === true;
    add(priority, panic ? [...healthy, ...degraded, ...failed] : healthy, loads.healthy[index] ?? 0, panic);
  }
  for (const [index, { priority, degraded }] of levels.entries()) {
    if (loads.panic[index] !== true) add(priority, degraded, loads.degraded[index] ?? 0, false);
  }
  return tiers;
}

function effectiveWeight(
  member: Member,
  panic: boolean,
  { slowStart }: SharedSettings,
  nowMs: number,
  validity: Validity,
): number {
  if (panic && member.ejection.suspect) return member.weight * FAILED_WEIGHT;
  if (slowStart === undefined) return member.weight;
  const factor = slowStartFactor(nowMs - member.returnedAtMs, slowStart);
  if (factor < 1) validity.in(slowStartStepMs(slowStart));
  return member.weight * factor;
}
