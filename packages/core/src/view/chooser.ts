import type { Member } from "../membership/member.ts";
import type { Members } from "../membership/members.ts";
import type { Random } from "../random.ts";
import { drawAdmitting } from "../strategy/scan.ts";
import type { PickRequest, Strategy } from "../strategy/strategy.ts";
import { drawOfKey } from "./draw.ts";
import { Pickers } from "./pickers.ts";
import type { Tier } from "./tier.ts";
import { hasLoad, type Topology } from "./topology.ts";

/** What a pick would find. */
export interface Peek {
  readonly topology: Topology;
  readonly chosen: Member | undefined;
  /** The tier that the call is drawn to; `undefined` if only a draw could say. */
  readonly tier: Tier | undefined;
  /** By the strategy, in the order of each tier's members. */
  readonly scores: readonly (readonly number[] | undefined)[];
}

/** Chooses backends for one balancer: pinned, then those that must prove themselves, then by strategy. */
export class Chooser {
  readonly #members: Members;
  readonly #random: Random;
  readonly #callbackFailed: (where: string, error: unknown) => void;
  #strategy: Strategy;
  #pickers: Pickers;

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
    this.#pickers = this.#newPickers();
  }

  set strategy(strategy: Strategy) {
    this.#strategy = strategy;
    this.#pickers = this.#newPickers();
  }

  #newPickers(): Pickers {
    return new Pickers((tier, kind) => this.#guard(() => this.#strategy.build(tier.view(kind))));
  }

  /** The backend that takes this attempt, or `undefined` if none does now. */
  choose(request: PickRequest, nowMs: number): Member | undefined {
    if (request.pinned !== undefined) {
      const pinned = this.#pinned(request, nowMs);
      if (pinned !== undefined || request.pinPolicy === "wait" || request.pinPolicy === "fail") return pinned;
    }
    const view = this.#members.view(request.labels);
    const chosen = this.#chooseIn(view.topology(nowMs), request, nowMs);
    if (chosen !== undefined || !view.rebuildIfStale(nowMs)) return chosen;
    return this.#chooseIn(view.topology(nowMs), request, nowMs);
  }

  #pinned(request: PickRequest, nowMs: number): Member | undefined {
    // Whose ejection is over is known when the view has been looked at.
    this.#members.view().topology(nowMs);
    const pinned = this.#members.get(request.pinned ?? "");
    if (pinned?.admits(request, nowMs) !== true) return undefined;
    // A session of another subset (a tenant's, a version's) is none of its own.
    return this.#members.view(request.labels).mayHave(pinned) ? pinned : undefined;
  }

  #chooseIn(topology: Topology, request: PickRequest, nowMs: number): Member | undefined {
    const probing = topology.probation.length === 0 ? undefined : probe(topology, request, nowMs);
    if (probing !== undefined) return probing;
    const { tiers } = topology;
    return tiers.length <= 1
      ? this.#pickIn(topology, tiers[0], request, nowMs)
      : this.#pickFrom(topology, this.#drawTier(tiers, request), request, nowMs);
  }

  /** In the tier that was drawn; if nobody there takes it, in one beside it, else in any. */
  #pickFrom(topology: Topology, drawn: Tier, request: PickRequest, nowMs: number): Member | undefined {
    // A refused share of the calls is no load for the others.
    if (drawn.closed) return undefined;
    return (
      this.#pickIn(topology, drawn, request, nowMs) ??
      this.#pickAmong(topology, (tier) => tier.isBeside(drawn), request, nowMs) ??
      this.#pickAmong(topology, (tier) => tier !== drawn && !tier.isBeside(drawn), request, nowMs)
    );
  }

  #pickAmong(
    topology: Topology,
    eligible: (tier: Tier) => boolean,
    request: PickRequest,
    nowMs: number,
  ): Member | undefined {
    for (const tier of topology.tiers) {
      const picked = eligible(tier) ? this.#pickIn(topology, tier, request, nowMs) : undefined;
      if (picked !== undefined) return picked;
    }
    return undefined;
  }

  /** By the hash of the key, so that a key stays with its tier; else by lot. */
  #drawTier(tiers: readonly Tier[], request: PickRequest): Tier {
    return (
      (request.hashKey === undefined ? undefined : this.#tierOfKey(tiers, request.hashKey)) ??
      tierAt(tiers, this.#random.next() * 100)
    );
  }

  /** `undefined` if the strategy's hash fails. */
  #tierOfKey(tiers: readonly Tier[], hashKey: string): Tier | undefined {
    try {
      return tierAt(tiers, drawOfKey(hashKey, this.#strategy.hash));
    } catch (error) {
      this.#callbackFailed(`strategy ${this.#strategy.name}`, error);
      return undefined;
    }
  }

  #pickIn(topology: Topology, tier: Tier | undefined, request: PickRequest, nowMs: number): Member | undefined {
    if (tier === undefined || tier.closed) return undefined;
    const picker = this.#pickers.of(topology, tier, request.kind ?? "request");
    try {
      const picked = picker?.pick(request, nowMs) as Member | undefined;
      if (picked === undefined) return picker === undefined ? fallback(tier, request, nowMs) : undefined;
      if (topology.places[picked.row] === picked && picked.admits(request, nowMs)) return picked;
      throw new Error(`picked ${picked.id}, which is not in the view or does not admit the call`);
    } catch (error) {
      this.#callbackFailed(`strategy ${this.#strategy.name}`, error);
      return fallback(tier, request, nowMs);
    }
  }

  /** What `choose` would return, where that can be said; changes nothing. */
  peek(request: PickRequest, nowMs: number): Peek {
    const view = this.#members.view(request.labels);
    const peek = this.#peekIn(view.topology(nowMs), request, nowMs);
    if (peek.chosen !== undefined || !view.rebuildIfStale(nowMs)) return peek;
    return this.#peekIn(view.topology(nowMs), request, nowMs);
  }

  #peekIn(topology: Topology, request: PickRequest, nowMs: number): Peek {
    const kind = request.kind ?? "request";
    const tier = this.#peekTier(topology.tiers, request);
    const picker = tier === undefined || tier.closed ? undefined : this.#pickers.of(topology, tier, kind);
    const scores = topology.tiers.map((other) =>
      this.#guard(() => this.#pickers.built(topology, other, kind)?.scores?.(nowMs)),
    );
    const pinned = request.pinned === undefined ? undefined : this.#pinned(request, nowMs);
    const mayGoElsewhere = request.pinPolicy !== "wait" && request.pinPolicy !== "fail";
    if (pinned !== undefined || (request.pinned !== undefined && !mayGoElsewhere)) {
      return { topology, chosen: pinned, tier, scores };
    }
    // With calls divided over several tiers the draw decides, and asking must not draw.
    const proves = probe(topology, request, nowMs);
    const picked = tier === undefined ? undefined : this.#guard(() => picker?.peek?.(request, nowMs));
    return { topology, chosen: proves ?? tier?.members.find((member) => member === picked), tier, scores };
  }

  /** What the picker of a tier says of its table, if it has been used and has one. */
  tableOf(topology: Topology, tier: Tier): Readonly<Record<string, number>> | undefined {
    return this.#guard(() =>
      (this.#pickers.built(topology, tier, "request") ?? this.#pickers.built(topology, tier, "connection"))?.table?.(),
    );
  }

  #peekTier(tiers: readonly Tier[], request: PickRequest): Tier | undefined {
    if (tiers.filter(hasLoad).length <= 1) return tiers.find(hasLoad) ?? tiers[0];
    return request.hashKey === undefined ? undefined : this.#tierOfKey(tiers, request.hashKey);
  }

  #guard<T>(ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.#callbackFailed(`strategy ${this.#strategy.name}`, error);
      return undefined;
    }
  }
}

/** Tiers cover 0 to 100; only rounding can leave the very end to nobody. */
function tierAt(tiers: readonly Tier[], draw: number): Tier {
  for (const tier of tiers) if (draw < tier.upTo) return tier;
  return tiers[0] as Tier;
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
