import type { RequestKind } from "../backend.ts";
import type { Member } from "../membership/member.ts";
import type { View } from "../strategy/strategy.ts";

/** Where a tier stands in its topology, and which calls it takes. */
export type TierFacts = Pick<Tier, "index" | "priority" | "zone" | "degraded" | "panic" | "closed" | "upTo">;

/** Backends among which one strategy chooses: those of one priority and zone, either the healthy or the degraded ones. */
export class Tier {
  /** Its position among the tiers of its topology. */
  readonly index: number;
  readonly priority: number;
  /** `undefined`: calls are not divided by zone, or these have none. */
  readonly zone: string | undefined;
  readonly degraded: boolean;
  readonly panic: boolean;
  /** Its calls are refused: too few are healthy, and the mode is fail-closed. */
  readonly closed: boolean;
  /** Calls whose draw (0…100) is below this, and not below the tier before it, go here: none if the two are equal. */
  readonly upTo: number;
  readonly members: readonly Member[];
  readonly weights: readonly number[];
  readonly #view: Omit<View, "kind">;
  #requests: View | undefined;
  #connections: View | undefined;

  constructor(
    { index, priority, zone, degraded, panic, closed, upTo }: TierFacts,
    members: readonly Member[],
    weights: readonly number[],
    context: Pick<View, "random" | "loads">,
  ) {
    this.index = index;
    this.priority = priority;
    this.zone = zone;
    this.degraded = degraded;
    this.panic = panic;
    this.closed = closed;
    this.upTo = upTo;
    this.members = members;
    this.weights = weights;
    const rows = new Int32Array(members.length);
    for (let i = 0; i < rows.length; i++) rows[i] = members[i]?.row ?? 0;
    this.#view = { ...context, backends: members, weights, rows };
  }

  /** Where a call goes next if this tier takes nobody: its own kind in other zones first. */
  isBeside(other: Tier): boolean {
    return this !== other && this.priority === other.priority && this.degraded === other.degraded;
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
