import { slowStartFactor, slowStartStepMs } from "../health/slow-start.ts";
import type { Member } from "../membership/member.ts";
import type { Random } from "../random.ts";
import type { SharedSettings } from "../settings.ts";
import type { LoadColumns } from "../strategy/load/load-table.ts";
import type { Failback } from "./failback.ts";
import { type Hold, type PriorityLoads, priorityLoads, sum } from "./priorities.ts";
import { Tier, type TierFacts } from "./tier.ts";
import type { ZoneCount, ZonePolicy } from "./zones.ts";

/** In panic, the share of its weight that a failed backend keeps: what works is preferred. */
const FAILED_WEIGHT = 0.1;

/** The backends in play and how calls divide over their tiers: one state of the world, until something changes. */
export interface Topology {
  /** In order of preference. One without load serves only when those with load take nobody. */
  readonly tiers: readonly Tier[];
  /** By row of the load table: who is part of it. */
  readonly places: readonly (Member | undefined)[];
  /** Backends whose ejection is over but who have not proved themselves yet. */
  readonly probation: readonly Member[];
  /** Priorities in panic. */
  readonly panic: readonly number[];
  /** Who may be called although ejected or down. */
  readonly panicking: readonly Member[];
  /** Time alone changes the picture then. */
  readonly validUntilMs: number;
}

/** What a topology is made from besides the members. */
export interface TopologyContext {
  readonly settings: SharedSettings;
  readonly random: Random;
  readonly loads: LoadColumns;
  readonly failback: Failback;
  /** A policy of the user threw or answered nonsense; it is passed over. */
  readonly callbackFailed: (where: string, error: unknown) => void;
}

export function buildTopology(members: Iterable<Member>, nowMs: number, context: TopologyContext): Topology {
  const { settings } = context;
  const validity = new Validity(nowMs);
  const levels = groupByPriority(members).map(([priority, all]) => levelOf(priority, chosenOf(all, context)));
  const shares = priorityLoads(levels.map(countsOf), settings, holdOf(levels, nowMs, validity, context));
  for (const { healthy, degraded, failed } of levels) {
    for (const group of [healthy, degraded, failed])
      for (const { ejection } of group) validity.at(ejection.changesAtMs);
  }
  const tiers = new TierList(context, nowMs, validity).build(levels, shares);
  const places: (Member | undefined)[] = [];
  for (const tier of tiers) for (const member of tier.members) places[member.row] = member;
  return {
    tiers,
    places,
    probation: tiers
      .filter(hasLoad)
      .flatMap((tier) => tier.members.filter(({ ejection, isDown }) => ejection.probation && !isDown)),
    panic: levels.filter((_, index) => shares.panic[index] === true).map(({ priority }) => priority),
    panicking: tiers.flatMap(({ panic, members: ofTier }) => (panic ? ofTier : [])),
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
  /** Ejected or down: in play only in panic. */
  readonly failed: Member[];
}

function countsOf({ healthy, degraded, failed }: Level): { healthy: number; degraded: number; total: number } {
  const total = healthy.length + degraded.length + failed.length;
  return { healthy: healthy.length, degraded: degraded.length, total };
}

/** `undefined`: calls go back at once. */
function holdOf(
  levels: readonly Level[],
  nowMs: number,
  validity: Validity,
  { settings: { failbackMs }, failback }: TopologyContext,
): Hold | undefined {
  if (failbackMs === 0) return undefined;
  const priorities = levels.map(({ priority }) => priority);
  return failback.holdAt(priorities, nowMs, failbackMs, (atMs) => validity.at(atMs));
}

function groupByPriority(members: Iterable<Member>): [number, Member[]][] {
  const inPlay = new Map<number, Member[]>();
  for (const member of members) if (member.inPlay) append(inPlay, member.priority, member);
  return [...inPlay].sort(([a], [b]) => a - b);
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** The part of a priority that this process deals with. */
function chosenOf(members: readonly Member[], context: TopologyContext): readonly Member[] {
  const { subsetting } = context.settings;
  if (subsetting === undefined) return members;
  try {
    const chosen = subsetting.choose(members, context.random);
    if (chosen === members) return members;
    const among = new Set(chosen);
    const kept = members.filter((member) => among.has(member));
    if (kept.length > 0) return kept;
    throw new TypeError(`${subsetting.name} chose none of ${members.length} backends`);
  } catch (error) {
    context.callbackFailed("subsetting", error);
    return members;
  }
}

function levelOf(priority: number, members: readonly Member[]): Level {
  const level: Level = { priority, healthy: [], degraded: [], failed: [] };
  for (const member of members) {
    // Neither one of those that could serve nor one of those that can't.
    if (member.isPending) continue;
    if (member.failed) level.failed.push(member);
    else if (member.state === "degraded") level.degraded.push(member);
    else level.healthy.push(member);
  }
  // While the first look at all of them is not over, calls rather wait than go where that has failed.
  const { healthy, degraded, failed } = level;
  if (healthy.length + degraded.length === 0 && members.some(({ isUnknown }) => isUnknown)) failed.length = 0;
  return level;
}

/** Turns levels with their loads into tiers. */
class TierList {
  readonly #context: TopologyContext;
  readonly #nowMs: number;
  readonly #validity: Validity;
  readonly #tiers: Tier[] = [];
  #upTo = 0;

  constructor(context: TopologyContext, nowMs: number, validity: Validity) {
    this.#context = context;
    this.#nowMs = nowMs;
    this.#validity = validity;
  }

  build(levels: readonly Level[], loads: PriorityLoads): Tier[] {
    for (const [index, level] of levels.entries()) {
      const load = loads.healthy[index] ?? 0;
      if (loads.panic[index] === true) this.#addInPanic(level, load);
      else this.#addByZone(level, level.healthy, load, false);
    }
    for (const [index, level] of levels.entries()) {
      if (loads.panic[index] !== true) this.#addByZone(level, level.degraded, loads.degraded[index] ?? 0, true);
    }
    return this.#tiers;
  }

  #addInPanic({ priority, healthy, degraded, failed }: Level, load: number): void {
    const closed = this.#context.settings.panicMode === "fail-closed";
    const members = [...healthy, ...degraded, ...failed];
    this.#add({ priority, zone: undefined, degraded: false, panic: true, closed }, closed ? [] : members, load);
  }

  /** The zones divide the load among themselves; without a policy, or where it has no say, all are one. */
  #addByZone(level: Level, members: readonly Member[], load: number, degraded: boolean): void {
    if (members.length === 0) return;
    const facts = { priority: level.priority, zone: undefined, degraded, panic: false, closed: false };
    const divided = byZone(level, members, this.#context);
    if (divided === undefined) this.#add(facts, members, load);
    else for (const { zone, members: ofZone, share } of divided) this.#add({ ...facts, zone }, ofZone, load * share);
  }

  #add(facts: Omit<TierFacts, "index" | "upTo">, members: readonly Member[], load: number): void {
    this.#upTo += load;
    const weights = members.map((member) => this.#weightOf(member, facts.panic));
    const { random, loads } = this.#context;
    this.#tiers.push(
      new Tier({ ...facts, index: this.#tiers.length, upTo: this.#upTo }, members, weights, { random, loads }),
    );
  }

  #weightOf(member: Member, panic: boolean): number {
    const { slowStart } = this.#context.settings;
    if (panic && member.suspect) return member.weight * FAILED_WEIGHT;
    if (slowStart === undefined || member.warmsUpFromMs === undefined) return member.weight;
    const factor = slowStartFactor(this.#nowMs - member.warmsUpFromMs, slowStart);
    if (factor < 1) this.#validity.in(slowStartStepMs(slowStart));
    return member.weight * factor;
  }
}

interface ZoneShare {
  readonly zone: string | undefined;
  readonly members: readonly Member[];
  readonly share: number;
}

/** The zones with the largest share come first. `undefined`: zones don't matter now. */
function byZone(level: Level, members: readonly Member[], context: TopologyContext): ZoneShare[] | undefined {
  const { zones: policy } = context.settings;
  if (policy === undefined) return undefined;
  const zones = new Map<string | undefined, Member[]>();
  for (const member of members) append(zones, member.zone, member);
  const totals = new Map<string | undefined, number>();
  for (const group of [level.healthy, level.degraded, level.failed])
    for (const { zone } of group) totals.set(zone, (totals.get(zone) ?? 0) + 1);
  const counts = [...zones].map(([zone, ofZone]) => ({
    zone,
    available: ofZone.length,
    total: totals.get(zone) ?? ofZone.length,
  }));
  const shares = sharesOf(policy, counts, context);
  return shares === undefined
    ? undefined
    : [...zones]
        .map(([zone, ofZone], index) => ({ zone, members: ofZone, share: shares[index] ?? 0 }))
        .sort((a, b) => b.share - a.share);
}

/** Adjusted to sum to 1. */
function sharesOf(
  policy: ZonePolicy,
  counts: readonly ZoneCount[],
  { callbackFailed }: TopologyContext,
): readonly number[] | undefined {
  try {
    const shares = policy.shares(counts);
    if (shares === undefined) return undefined;
    const total = sum(shares);
    if (shares.length === counts.length && shares.every((share) => share >= 0) && total > 0 && total < Infinity)
      return shares.map((share) => share / total);
    throw new TypeError(`${policy.name} gave ${JSON.stringify(shares)} as the shares of ${counts.length} zones`);
  } catch (error) {
    callbackFailed("zones", error);
    return undefined;
  }
}
