import type { Member } from "../membership/member.ts";
import { Failback } from "./failback.ts";
import { buildTopology, type Topology, type TopologyContext } from "./topology.ts";

/** Views follow verdicts on health at least this far apart, so that a burst makes few. The gate closes at once anyway. */
const COALESCE_MS = 10;

export type ViewContext = Omit<TopologyContext, "failback">;

/** What a view is made from, asked for anew each time. */
export interface ViewSource {
  members(): Iterable<Member>;
  /** Whether a member is one of them; left out where all are. */
  belongs?(member: Member): boolean;
  context(nowMs: number): ViewContext;
}

/** The state of the world for picks among some of the members: made when a pick needs it, and again when it is out of date. */
export class CurrentView {
  readonly #source: ViewSource;
  readonly #rebuilt: (before: Topology | undefined, after: Topology) => void;
  readonly #failback = new Failback();
  #topology: Topology | undefined;
  #builtAtMs = Number.NEGATIVE_INFINITY;
  /** The topology serves no longer than this. */
  #validUntilMs = Number.NEGATIVE_INFINITY;

  constructor(source: ViewSource, rebuilt: (before: Topology | undefined, after: Topology) => void) {
    this.#source = source;
    this.#rebuilt = rebuilt;
  }

  topology(nowMs: number): Topology {
    if (this.#topology !== undefined && nowMs < this.#validUntilMs) return this.#topology;
    const context = { ...this.#source.context(nowMs), failback: this.#failback };
    const topology = buildTopology(this.#source.members(), nowMs, context);
    for (const member of this.#topology?.panicking ?? []) member.panics--;
    for (const member of topology.panicking) member.panics++;
    this.#rebuilt(this.#topology, topology);
    this.#topology = topology;
    this.#builtAtMs = nowMs;
    this.#validUntilMs = topology.validUntilMs;
    return topology;
  }

  /** Whether it is about a member at all, whatever the state of that is. */
  mayHave(member: Member): boolean {
    return this.#source.belongs?.(member) !== false;
  }

  /** Nobody of it may get calls, whatever their health. */
  get isOutOfPlay(): boolean {
    for (const member of this.#source.members()) if (member.inPlay) return false;
    return true;
  }

  /** Whether the view is waiting for a coalesced rebuild; then a failed pick is worth another look. */
  rebuildIfStale(nowMs: number): boolean {
    if (this.#topology === undefined || this.#validUntilMs >= this.#topology.validUntilMs) return false;
    this.invalidate();
    this.topology(nowMs);
    return true;
  }

  /** The next pick sees everything as it is then. */
  invalidate(): void {
    this.#validUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Something has changed that can wait a moment. */
  invalidateSoon(nowMs: number): void {
    this.look(Math.max(nowMs, this.#builtAtMs + COALESCE_MS));
  }

  /** The picture may be another at that time. */
  look(atMs: number): void {
    if (atMs < this.#validUntilMs) this.#validUntilMs = atMs;
  }

  /** Nobody asks any more. */
  end(): void {
    for (const member of this.#topology?.panicking ?? []) member.panics--;
    this.#topology = undefined;
  }
}
