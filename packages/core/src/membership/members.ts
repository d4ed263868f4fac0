import type { AdminState, BackendSpec, RequestKind } from "../backend.ts";
import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { Breaker, BreakerProvider } from "../gate/breaker.ts";
import { guardBreaker } from "../gate/guarded-breaker.ts";
import type { EjectionChange } from "../health/ejection.ts";
import type { Random } from "../random.ts";
import type { SharedSettings } from "../settings.ts";
import { LoadTable } from "../strategy/load/load-table.ts";
import type { Announcer } from "../telemetry/events.ts";
import { buildTopology, type Topology } from "../view/topology.ts";
import { Member } from "./member.ts";
import type { ResolvedSpec } from "./spec.ts";

/** τ of all latencies: how fast a slow answer is forgotten (Finagle's default). */
const DECAY_MS = 10_000;
/** Views follow verdicts on health at least this far apart, so that a burst makes few. The gate closes at once anyway. */
const COALESCE_MS = 10;

export interface MembersContext {
  readonly upstream: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly breaker: BreakerProvider | undefined;
  readonly announcer: Announcer;
  /** A backend may admit what it did not before. */
  readonly changed: () => void;
  readonly callbackFailed: (where: string, error: unknown) => void;
}

/** The backends of one upstream with all that is known of them: shared by a balancer and those derived from it. */
export class Members {
  #settings: SharedSettings;
  readonly #context: MembersContext;
  readonly #byId = new Map<string, Member>();
  readonly #loads: LoadTable;
  #topology: Topology | undefined;
  #builtAtMs: number = Number.NEGATIVE_INFINITY;
  /** The current view serves no longer than this. */
  #validUntilMs = Number.NEGATIVE_INFINITY;
  /** Whether a complete set has ever come. */
  known = false;

  constructor(context: MembersContext, settings: SharedSettings) {
    this.#context = context;
    this.#settings = settings;
    this.#loads = new LoadTable(DECAY_MS, context.clock.now());
  }

  get settings(): SharedSettings {
    return this.#settings;
  }

  set settings(settings: SharedSettings) {
    this.#settings = settings;
    if (settings.ejection === undefined) for (const member of this.#byId.values()) member.acquit();
    this.invalidate();
  }

  get all(): Member[] {
    return [...this.#byId.values()];
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Members that are not on their way out. */
  get present(): Member[] {
    return this.all.filter(({ gone }) => !gone);
  }

  get(id: string): Member | undefined {
    return this.#byId.get(id);
  }

  /** The state of the world for a pick. */
  topology(nowMs: number): Topology {
    if (this.#topology !== undefined && nowMs < this.#validUntilMs) return this.#topology;
    for (const member of this.#byId.values()) if (member.ejection.expire(nowMs, member.idle)) member.refreshGate();
    const topology = buildTopology(this.#byId.values(), this.settings, nowMs, this.#context.random, this.#loads);
    this.#announcePanic(this.#topology?.panic ?? [], topology.panic);
    this.#topology = topology;
    this.#builtAtMs = nowMs;
    this.#validUntilMs = topology.validUntilMs;
    return topology;
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
    this.#context.changed();
  }

  /**
   * Takes in a complete set: new ones are added, known ones keep their history, missing ones drain away. The same set
   * again changes nothing.
   */
  apply(specs: readonly ResolvedSpec[]): void {
    const wanted = new Set(specs.map(({ id }) => id));
    let changed = !this.known || !this.#inOrderOf(specs);
    for (const spec of specs) if (this.#takeIn(spec)) changed = true;
    for (const member of this.all) {
      if (wanted.has(member.id) || member.gone) continue;
      changed = true;
      member.gone = true;
      member.refreshGate();
      this.forgetIfDone(member);
    }
    this.known = true;
    if (!changed) return;
    this.#sortAs(specs);
    this.invalidate();
  }

  /** Adds or updates one; false if it was known as it is. */
  #takeIn(spec: ResolvedSpec): boolean {
    const { announcer, upstream } = this.#context;
    const member = this.#byId.get(spec.id);
    if (member === undefined) {
      this.#byId.set(spec.id, new Member(spec, this.#loads, this.#context.random, this.#createBreaker(spec.id)));
      announcer.emit("backendAdded", () => ({ upstream, backend: spec.id }));
    } else if (member.gone || !sameSpec(member.spec, spec)) {
      member.update(spec);
      announcer.emit("backendUpdated", () => ({ upstream, backend: spec.id }));
    } else return false;
    return true;
  }

  #inOrderOf(specs: readonly ResolvedSpec[]): boolean {
    let index = 0;
    for (const id of this.#byId.keys()) if (specs[index++]?.id !== id) return false;
    return true;
  }

  /** Strategies and `first` see the order of the set. */
  #sortAs(specs: readonly ResolvedSpec[]): void {
    const leaving = this.all.filter(({ gone }) => gone);
    const ordered = specs.flatMap(({ id }) => this.#byId.get(id) ?? []);
    this.#byId.clear();
    for (const member of [...ordered, ...leaving]) this.#byId.set(member.id, member);
  }

  /** A backend that has left the set goes when its last lease is back. */
  forgetIfDone(member: Member): void {
    if (!member.gone || !member.idle || this.#byId.get(member.id) !== member) return;
    this.#byId.delete(member.id);
    member.dispose();
    this.#context.announcer.emit("backendRemoved", () => ({
      upstream: this.#context.upstream,
      backend: member.id,
    }));
  }

  setState(member: Member, state: AdminState | undefined): void {
    member.override(state);
    if (state === undefined) {
      member.acquit();
      this.#endPause(member);
    }
    this.invalidate();
    this.#context.announcer.emit("backendStateChanged", () => ({
      upstream: this.#context.upstream,
      backend: member.id,
      state: member.state,
    }));
  }

  setWeight(member: Member, weight: number): void {
    member.weightOverride = weight;
    member.weight = weight;
    this.invalidate();
  }

  /** A verdict from elsewhere; as of a connection, since its latency is not that of a request through here. */
  observe(id: string, report: Report, nowMs: number): void {
    const member = this.#byId.get(id);
    if (member !== undefined) this.judge(member, "connection", member.ejection.generation, report, 0, nowMs);
  }

  /** A verdict: load, counters, ejection, pause. `generation` is the ejection's when the attempt was admitted. */
  judge(member: Member, kind: RequestKind, generation: number, report: Report, latencyMs: number, nowMs: number): void {
    member.record(kind, report, latencyMs, nowMs);
    const { ejection } = this.settings;
    if (ejection !== undefined) {
      const change = member.ejection.report(generation, report.outcome, nowMs, ejection);
      if (change !== undefined) this.#ejectionChanged(member, change, report, nowMs);
      else this.#validUntilMs = Math.min(this.#validUntilMs, member.ejection.changesAtMs);
    }
    if (report.outcome === "ignored") return;
    if (report.retryAfterMs !== undefined && report.retryAfterMs > 0) this.#pause(member, report.retryAfterMs, nowMs);
    else if (member.pausedUntilMs > 0 && nowMs >= member.pausedUntilMs) this.#endPause(member);
  }

  #ejectionChanged(member: Member, change: NonNullable<EjectionChange>, report: Report, nowMs: number): void {
    const { announcer, upstream, clock } = this.#context;
    member.refreshGate();
    if (change.kind === "returned") {
      // What it did before says nothing about it now; slow start is the caution that is left.
      member.loads.forget(member.row);
      member.returnedAtMs = nowMs;
      announcer.emit("backendReturned", () => ({ upstream, backend: member.id }));
      this.invalidate();
      return;
    }
    member.counters.ejections++;
    this.#validUntilMs = Math.min(this.#validUntilMs, Math.max(nowMs, this.#builtAtMs + COALESCE_MS));
    announcer.emit("backendEjected", () => ({
      upstream,
      backend: member.id,
      reason: `consecutive failures, the last: ${report.status ?? report.errorCode ?? report.outcome}`,
      untilAt: Math.round(clock.wallNow() + (change.untilMs - nowMs)),
    }));
  }

  #pause(member: Member, retryAfterMs: number, nowMs: number): void {
    const { announcer, upstream, clock } = this.#context;
    const pauseMs = Math.min(retryAfterMs, this.settings.pauseLimitMs);
    member.pausedUntilMs = Math.max(member.pausedUntilMs, nowMs + pauseMs);
    member.refreshGate();
    announcer.emit("backendPaused", () => ({
      upstream,
      backend: member.id,
      untilAt: clock.wallNow() + pauseMs,
    }));
  }

  #endPause(member: Member): void {
    member.pausedUntilMs = 0;
    member.refreshGate();
  }

  #announcePanic(before: readonly number[], after: readonly number[]): void {
    const { announcer, upstream } = this.#context;
    for (const priority of after)
      if (!before.includes(priority)) announcer.emit("panicEntered", () => ({ upstream, priority }));
    for (const priority of before)
      if (!after.includes(priority)) announcer.emit("panicLeft", () => ({ upstream, priority }));
  }

  #createBreaker(backend: string): Breaker | undefined {
    const { breaker: provider, upstream, clock, random, changed, callbackFailed } = this.#context;
    if (provider === undefined) return undefined;
    return guardBreaker(() => provider.create({ upstream, backend, clock, random, changed }), callbackFailed);
  }

  dispose(): void {
    for (const member of this.#byId.values()) member.dispose();
  }
}

/** Nearly all of a set is the same at every update: texts and numbers are compared before anything is written out. */
function sameSpec(a: BackendSpec, b: BackendSpec): boolean {
  return (
    a.url === b.url &&
    a.weight === b.weight &&
    a.priority === b.priority &&
    a.state === b.state &&
    a.zone === b.zone &&
    a.host === b.host &&
    sameRecord(a.labels, b.labels) &&
    sameRecord(a.tls, b.tls)
  );
}

function sameRecord(a: object | undefined, b: object | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
