import type { RequestKind } from "../backend.ts";
import type { Member } from "../membership/member.ts";
import type { Members } from "../membership/members.ts";
import type { Random } from "../random.ts";
import { drawAdmitting } from "../strategy/scan.ts";
import type { Picker, PickRequest, Strategy } from "../strategy/strategy.ts";
import { hasLoad, type Tier, type Topology } from "./topology.ts";

/** What a pick would find. */
export interface Peek {
  readonly chosen: Member | undefined;
  /** The first tier, whose order the scores follow. */
  readonly tier: Tier | undefined;
  readonly scores: readonly number[] | undefined;
}

/** Chooses backends for one balancer: pinned, then those that must prove themselves, then by strategy. */
export class Chooser {
  readonly #members: Members;
  readonly #random: Random;
  readonly #callbackFailed: (where: string, error: unknown) => void;
  #strategy: Strategy;
  /** Pickers of the current topology, by tier; built when first used. */
  #generation = -1;
  #requests: (Picker | undefined)[] = [];
  #connections: (Picker | undefined)[] = [];

  constructor(
    members: Members,
    strategy: Strategy,
    random: Random,
    callbackFailed: (where: string, error: unknown) => void,
  ) {
    this.#members = members;
    this.#strategy = strategy;
    this.#random = random;
    this.#callbackFailed = callbackFailed;
  }

  set strategy(strategy: Strategy) {
    this.#strategy = strategy;
    this.#generation = -1;
  }

  /** The backend that takes this attempt, or `undefined` if none does now. */
  choose(request: PickRequest, nowMs: number): Member | undefined {
    const topology = this.#members.topology(nowMs);
    if (request.pinned !== undefined) {
      const pinned = this.#members.get(request.pinned);
      if (pinned?.admits(request, nowMs) === true) return pinned;
      if (request.pinPolicy === "wait" || request.pinPolicy === "fail") return undefined;
    }
    const chosen = this.#chooseIn(topology, request, nowMs);
    if (chosen !== undefined || !this.#members.rebuildIfStale(nowMs)) return chosen;
    return this.#chooseIn(this.#members.topology(nowMs), request, nowMs);
  }

  /** What `choose` would return, where that can be said; changes nothing. */
  peek(request: PickRequest, nowMs: number): Peek {
    const peek = this.#peekIn(this.#members.topology(nowMs), request, nowMs);
    if (peek.chosen !== undefined || !this.#members.rebuildIfStale(nowMs)) return peek;
    return this.#peekIn(this.#members.topology(nowMs), request, nowMs);
  }

  #peekIn(topology: Topology, request: PickRequest, nowMs: number): Peek {
    const tier = topology.tiers[0];
    const picker = tier === undefined ? undefined : this.#picker(topology, 0, tier, request.kind ?? "request");
    const scores = this.#guard(() => picker?.scores?.(nowMs));
    const chosen = this.#peekAt(topology, picker, request, nowMs);
    return { chosen, tier, scores };
  }

  #peekAt(topology: Topology, picker: Picker | undefined, request: PickRequest, nowMs: number): Member | undefined {
    if (request.pinned !== undefined) {
      const pinned = this.#members.get(request.pinned);
      if (pinned?.admits(request, nowMs) === true) return pinned;
      if (request.pinPolicy === "wait" || request.pinPolicy === "fail") return undefined;
    }
    // With calls divided over several tiers the draw decides, and asking must not draw.
    if (topology.tiers.filter(hasLoad).length > 1) return undefined;
    const chosen = probe(topology, request, nowMs) ?? this.#guard(() => picker?.peek?.(request, nowMs));
    return topology.tiers.flatMap(({ members }) => members).find((member) => member === chosen);
  }

  #guard<T>(ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.#callbackFailed(`strategy ${this.#strategy.name}`, error);
      return undefined;
    }
  }

  #chooseIn(topology: Topology, request: PickRequest, nowMs: number): Member | undefined {
    const probing = topology.probation.length === 0 ? undefined : probe(topology, request, nowMs);
    if (probing !== undefined) return probing;
    const { tiers } = topology;
    const index = tiers.length <= 1 ? 0 : this.#drawTier(tiers, request);
    const first = this.#pickIn(topology, index, request, nowMs);
    if (first !== undefined || tiers.length <= 1) return first;
    for (let other = 0; other < tiers.length; other++) {
      const picked = other === index ? undefined : this.#pickIn(topology, other, request, nowMs);
      if (picked !== undefined) return picked;
    }
    return undefined;
  }

  /** By the hash of the key, so that a key stays with its tier; else by lot. */
  #drawTier(tiers: readonly Tier[], request: PickRequest): number {
    const draw = request.hashKey === undefined ? this.#random.next() * 100 : fnv1a(request.hashKey) % 100;
    const index = tiers.findIndex(({ upTo }) => draw < upTo);
    return Math.max(index, 0);
  }

  #pickIn(topology: Topology, index: number, request: PickRequest, nowMs: number): Member | undefined {
    const tier = topology.tiers[index];
    if (tier === undefined) return undefined;
    const picker = this.#picker(topology, index, tier, request.kind ?? "request");
    try {
      const picked = picker?.pick(request, nowMs) as Member | undefined;
      if (picked === undefined) return picker === undefined ? fallback(tier, request, nowMs) : undefined;
      if (picked.viewGeneration === topology.generation && picked.admits(request, nowMs)) return picked;
      throw new Error(`picked ${picked.id}, which is not in the view or does not admit the call`);
    } catch (error) {
      this.#callbackFailed(`strategy ${this.#strategy.name}`, error);
      return fallback(tier, request, nowMs);
    }
  }

  #picker(topology: Topology, index: number, tier: Tier, kind: RequestKind): Picker | undefined {
    if (this.#generation !== topology.generation) {
      this.#generation = topology.generation;
      this.#requests = [];
      this.#connections = [];
    }
    const pickers = kind === "request" ? this.#requests : this.#connections;
    return pickers[index] ?? (pickers[index] = this.#build(tier, kind));
  }

  #build(tier: Tier, kind: RequestKind): Picker | undefined {
    return this.#guard(() => this.#strategy.build(tier.view(kind)));
  }
}

/** A user's strategy has failed: the call is served all the same. */
function fallback(tier: Tier, request: PickRequest, nowMs: number): Member | undefined {
  return tier.members[drawAdmitting(tier.view(request.kind ?? "request"), request, nowMs)];
}

/** A backend that came back from an ejection gets the next call that could be repeated elsewhere, one at a time. */
function probe({ probation }: Topology, request: PickRequest, nowMs: number): Member | undefined {
  if (
    request.replayable !== true ||
    request.tried !== undefined ||
    request.hashKey !== undefined ||
    request.kind === "connection"
  )
    return undefined;
  return probation.find((member) => member.ejection.probation && member.admits(request, nowMs));
}

/** FNV-1a, 32 bits: enough to divide keys over percentages. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
