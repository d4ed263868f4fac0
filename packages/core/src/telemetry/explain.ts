import type { CallHost } from "../call/call-host.ts";
import { backendLimit, upstreamLimit } from "../call/queue-limit.ts";
import type { Member } from "../membership/member.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { Peek } from "../view/chooser.ts";
import type { Tier } from "../view/tier.ts";
import { hasLoad, type Topology } from "../view/topology.ts";
import type { Json } from "./snapshot.ts";

/** Why a backend would or would not get the call. */
export interface BackendExplanation {
  readonly id: string;
  readonly admitted: boolean;
  /** In words, such as `ejected for another 3.2 s`. */
  readonly reason: string;
  /** Why it was ejected, until it is back; null: it is not. */
  readonly ejection: string | null;
  /** The strategy's score, if it has one. */
  readonly score: number | null;
  /** Position in `tiers` of the one it is part of; null if it is in none. */
  readonly tier: number | null;
  /** The weight that counts now: configured × slow start; null outside all tiers. */
  readonly weight: number | null;
}

/** Backends among which the strategy chooses for a share of the calls. */
export interface TierExplanation {
  readonly priority: number;
  /** Null: calls are not divided by zone. */
  readonly zone: string | null;
  /** Of degraded backends. */
  readonly degraded: boolean;
  /** Health and ejection are set aside. */
  readonly panic: boolean;
  /** Percent of the calls that come here first; the others only when those take nobody. */
  readonly share: number;
  readonly backends: number;
  /** The call in question is drawn here; false where only the draw itself could say. */
  readonly drawn: boolean;
}

export interface PickExplanation {
  readonly strategy: string;
  /** Who would be chosen; null if nobody, or if the strategy decides by lot. */
  readonly choice: string | null;
  /** In order of preference. */
  readonly tiers: readonly TierExplanation[];
  readonly backends: readonly BackendExplanation[];
  /** By the name of the section. */
  readonly sections: Readonly<Record<string, Json>>;
}

export function explainPick(host: CallHost, request: PickRequest, nowMs: number): Omit<PickExplanation, "sections"> {
  const peek = host.chooser.peek(request, nowMs);
  const places = placesIn(peek);
  const full = upstreamLimit(host, request.kind ?? "request");
  const view = host.members.view(request.labels);
  return {
    strategy: host.settings.strategy.name,
    choice: full === undefined ? (peek.chosen?.id ?? null) : null,
    tiers: peek.topology.tiers.map((tier, index, tiers) => explainTier(tier, tiers[index - 1], peek.tier)),
    backends: host.members.all.map((member) => {
      const place = places.get(member);
      const here = request.pinned === member.id && view.mayHave(member);
      return {
        id: member.id,
        admitted: full === undefined && place !== undefined && !place.tier.closed && member.admits(request, nowMs),
        reason: full ?? reasonFor(member, here, place?.tier, peek.topology, request, nowMs),
        ejection: member.ejection.reason ?? null,
        score: place?.score ?? null,
        tier: place?.tier.index ?? null,
        weight: place?.weight ?? null,
      };
    }),
  };
}

/** Where a member is in the view. */
interface Place {
  readonly tier: Tier;
  readonly weight: number | undefined;
  readonly score: number | undefined;
}

function placesIn({ topology, scores }: Peek): ReadonlyMap<Member, Place> {
  const places = new Map<Member, Place>();
  for (const tier of topology.tiers) {
    for (const [index, member] of tier.members.entries())
      places.set(member, { tier, weight: tier.weights[index], score: scores[tier.index]?.[index] });
  }
  return places;
}

function explainTier(tier: Tier, before: Tier | undefined, drawn: Tier | undefined): TierExplanation {
  const { priority, zone, degraded, panic } = tier;
  const share = Math.round((tier.upTo - (before?.upTo ?? 0)) * 100) / 100;
  return {
    priority,
    zone: zone ?? null,
    degraded,
    panic,
    share,
    backends: tier.members.length,
    drawn: tier === drawn,
  };
}

/** The first thing that keeps the call away, from the most lasting to the most fleeting. */
function reasonFor(
  member: Member,
  here: boolean,
  tier: Tier | undefined,
  topology: Topology,
  request: PickRequest,
  nowMs: number,
): string {
  return (
    outOfPlay(member, here) ??
    behindTheGate(member, request, nowMs) ??
    (member.suspect || member.failed ? suspicion(member, request, nowMs) : undefined) ??
    (here ? "admits it" : undefined) ??
    (tier === undefined ? outsideTheView(member, topology, request) : standby(tier, topology)) ??
    (request.pinned === undefined ? "admits it" : "admits it, but the call is pinned elsewhere")
  );
}

function outOfPlay({ gone, state, isPending, lastCheck }: Member, pinnedHere: boolean): string | undefined {
  if (gone) return "no longer in the set";
  if (state === "disabled") return "disabled";
  if (state === "draining" && !pinnedHere) return "draining";
  if (!isPending) return undefined;
  return lastCheck === undefined ? "not checked yet" : `no check has passed yet, the last: ${lastCheck.reason}`;
}

function behindTheGate(member: Member, request: PickRequest, nowMs: number): string | undefined {
  if (nowMs < member.pausedUntilMs) {
    return `asked not to be called for another ${seconds(member.pausedUntilMs - nowMs)}`;
  }
  const full = backendLimit(member, request.kind ?? "request");
  if (full !== undefined) return full;
  const { breaker } = member;
  if (breaker?.admits(nowMs, request) === false) {
    const state = breaker.stateFor(nowMs, request);
    return `breaker ${state === "closed" ? "full" : state}`;
  }
  return request.tried?.has(member) === true ? "already tried" : undefined;
}

/** In play, but not among those that this call may choose from. */
function outsideTheView({ priority }: Member, { tiers }: Topology, { labels }: PickRequest): string {
  if (tiers.some((tier) => tier.closed && tier.priority === priority))
    return "refused: too few of its priority are healthy";
  return labels === undefined
    ? "not in the subset of this process"
    : "not in the subset that the labels of the call ask for, or not in that of this process";
}

function standby(tier: Tier, { tiers }: Topology): string | undefined {
  if (hasLoad(tier, tier.index, tiers)) return undefined;
  if (tier.degraded) return "degraded: stands by while the others suffice";
  const beside = tiers.some((other) => tier.isBeside(other) && hasLoad(other, other.index, tiers));
  return beside
    ? `stands by: other zones take the calls before ${tier.zone ?? "those without one"}`
    : `priority ${tier.priority} stands by`;
}

function suspicion(member: Member, request: PickRequest, nowMs: number): string | undefined {
  const { ejection, inPanic, health } = member;
  if (member.isDown && !inPanic) return `down: ${health.reason}`;
  if (ejection.untilMs !== undefined && !inPanic) return `ejected for another ${seconds(ejection.untilMs - nowMs)}`;
  if (!member.suspect) return undefined;
  if (!ejection.hasFreeProbe(nowMs)) return "failed, and its one test attempt is under way";
  return request.tried === undefined ? "failed, may be tested" : "failed, not for a retry";
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
