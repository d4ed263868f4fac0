import type { AdminState, RequestKind } from "../backend.ts";
import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { BreakerContext, BreakerProvider } from "../gate/breaker.ts";
import { type GuardedBreaker, guardBreaker } from "../gate/guarded-breaker.ts";
import type { Limits } from "../gate/limits.ts";
import type { OptionCheck } from "../options.ts";
import type { Random } from "../random.ts";
import type { SharedSettings } from "../settings.ts";
import { LoadTable } from "../strategy/load/load-table.ts";
import type { Announcer } from "../telemetry/events.ts";
import type { CurrentView, ViewContext } from "../view/current-view.ts";
import { Views } from "../view/views.ts";
import { announcePanic } from "./announcements.ts";
import { Checks } from "./checks.ts";
import { Member } from "./member.ts";
import { Roster, type RosterHooks } from "./roster.ts";
import { checkSpecs, type ResolvedSpec, resolveSpecs } from "./spec.ts";
import { SpecCache } from "./spec-cache.ts";
import { Verdicts } from "./verdicts.ts";

/** τ of all latencies: how fast a slow answer is forgotten (Finagle's default). */
const DECAY_MS = 10_000;

export interface MembersContext {
  readonly upstream: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly breaker: BreakerProvider | undefined;
  readonly announcer: Announcer;
  readonly limits: Limits;
  /** A backend may admit what it did not before. */
  readonly changed: () => void;
  readonly callbackFailed: (where: string, error: unknown) => void;
}

/** The backends of one upstream with all that is known of them: shared by a balancer and those derived from it. */
export class Members {
  #settings: SharedSettings;
  readonly checks: Checks;
  readonly #context: MembersContext;
  readonly #roster: Roster;
  readonly #loads: LoadTable;
  readonly #views: Views;
  readonly #verdicts: Verdicts;
  readonly #cache = new SpecCache();

  constructor(context: MembersContext, settings: SharedSettings) {
    this.#context = context;
    this.#settings = settings;
    this.#loads = new LoadTable(DECAY_MS, context.clock.now());
    this.#roster = new Roster(this.#rosterHooks());
    this.#views = new Views(
      { members: () => this.all, context: (nowMs) => this.#viewContext(nowMs) },
      (before, after) => announcePanic(context, before?.panic ?? [], after.panic),
      context.callbackFailed,
    );
    this.#verdicts = new Verdicts(context, this.#views, () => this.all);
    this.#verdicts.configure(settings);
    this.checks = new Checks(context, this.#views, this.#verdicts, () => this.#settings);
    this.checks.use(settings.healthCheck, []);
  }

  /** Whether backends have breakers. */
  get guarded(): boolean {
    return this.#context.breaker !== undefined;
  }

  /** Whether a complete set has ever come. */
  get known(): boolean {
    return this.#roster.known;
  }

  get settings(): SharedSettings {
    return this.#settings;
  }

  set settings(settings: SharedSettings) {
    this.#settings = settings;
    this.#verdicts.configure(settings);
    if (settings.ejection === undefined) for (const member of this.all) member.acquit();
    this.checks.use(settings.healthCheck, this.present);
    for (const member of this.all) this.#fitCapacity(member);
    this.#changed();
  }

  get all(): readonly Member[] {
    return this.#roster.all;
  }

  get size(): number {
    return this.#roster.size;
  }

  /** Attempts under way on all backends together, those on their way out included. */
  inFlight(kind: RequestKind): number {
    return kind === "request" ? this.#loads.totalRequests : this.#loads.totalConnections;
  }

  /** Members that are not on their way out. */
  get present(): Member[] {
    return this.all.filter(({ gone }) => !gone);
  }

  get(id: string): Member | undefined {
    return this.#roster.get(id);
  }

  /** The one with that id, unless it is on its way out. */
  inSet(id: string): Member | undefined {
    const member = this.get(id);
    return member?.gone === false ? member : undefined;
  }

  /** The view for calls with these labels. */
  view(labels?: Readonly<Record<string, string>>): CurrentView {
    return this.#views.of(labels, this.#settings.subsets);
  }

  #viewContext(nowMs: number): ViewContext {
    for (const member of this.all) {
      const { ejection } = member;
      if (nowMs >= ejection.changesAtMs && ejection.expire(nowMs, member.idle)) member.refreshGate();
    }
    const { random, callbackFailed } = this.#context;
    return { settings: this.#settings, random, loads: this.#loads, callbackFailed };
  }

  /** The next pick sees everything as it is then. */
  #invalidate(): void {
    this.#views.invalidate();
    this.#context.changed();
  }

  /** So it does, and who belongs to which subset may be another matter as well. */
  #changed(): void {
    this.#views.reset();
    this.#context.changed();
  }

  /** Checks a set that a discovery reports: what is wrong is left out and noted. */
  resolve(check: OptionCheck, specs: unknown): readonly ResolvedSpec[] {
    return resolveSpecs(check, "backends", specs, this.#cache);
  }

  /**
   * Checks a set that a user gives.
   *
   * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
   */
  check(what: string, specs: unknown): readonly ResolvedSpec[] {
    return checkSpecs(what, specs, this.#cache);
  }

  /** Nobody of the present set takes calls: none is there, or all are out of play, ejected, down or not checked yet. */
  get nobodyWorks(): boolean {
    return this.present.every(({ inPlay, failed, isPending }) => !inPlay || failed || isPending);
  }

  /** Nobody works yet, and the first look at all of them is not over. */
  get pending(): boolean {
    if (this.checks.running === undefined) return false;
    const inPlay = this.all.filter((member) => member.inPlay);
    if (inPlay.some(({ isUnknown }) => isUnknown)) return this.nobodyWorks;
    return inPlay.length > 0 && inPlay.every(({ isPending }) => isPending);
  }

  /** Takes in a complete set; see `Roster`. */
  apply(specs: readonly ResolvedSpec[]): void {
    if (this.#roster.apply(specs)) this.#changed();
  }

  /** A backend that has left the set goes when its last lease is back. */
  forgetIfDone(member: Member): void {
    this.#roster.forgetIfDone(member);
  }

  #rosterHooks(): RosterHooks {
    const { announcer, upstream, random, clock } = this.#context;
    return {
      create: (spec) => new Member(spec, this.#loads, random, this.#createBreaker(spec.id)),
      joined: (member, others) => {
        const nowMs = clock.now();
        member.joinedAtMs = Math.floor(nowMs);
        if (others) member.warmsUpFromMs = nowMs;
        this.checks.add(member);
      },
      added: (member) => {
        this.#fitCapacity(member);
        announcer.emit("backendAdded", () => ({ upstream, backend: member.id }));
      },
      updated: (member) => {
        this.#fitCapacity(member);
        announcer.emit("backendUpdated", () => ({ upstream, backend: member.id }));
      },
      left: (member) => this.checks.remove(member),
      removed: (member) => announcer.emit("backendRemoved", () => ({ upstream, backend: member.id })),
    };
  }

  setState(member: Member, state: AdminState | undefined): void {
    member.override(state);
    if (state === undefined) {
      member.acquit();
      member.endPause();
    }
    this.#invalidate();
    this.#context.announcer.emit("backendStateChanged", () => ({
      upstream: this.#context.upstream,
      backend: member.id,
      state: member.state,
    }));
  }

  setWeight(member: Member, weight: number): void {
    member.weightOverride = weight;
    member.weight = weight;
    this.#invalidate();
  }

  /** A verdict from elsewhere; as of a connection, since its latency is not that of a request through here. */
  observe(id: string, report: Report, nowMs: number): void {
    const member = this.#roster.get(id);
    if (member === undefined) return;
    const young = nowMs - member.joinedAtMs < this.#settings.membership.graceMs;
    // What has just started may not answer checks yet.
    if (young && (report.outcome === "failure" || report.outcome === "unreached")) return;
    // Nor is any latency known.
    this.judge(member, "connection", member.ejection.generation, report, -1, 0, nowMs);
  }

  /** The verdict on an attempt that a suspect backend had been given to prove itself. */
  tested(member: Member, generation: number, { outcome }: Report, nowMs: number): void {
    if (member.leaveProbe(generation, outcome)) this.#views.invalidateSoon(nowMs);
  }

  /** See `Verdicts.take`. */
  judge(
    member: Member,
    kind: RequestKind,
    generation: number,
    report: Report,
    latencyMs: number,
    lagMs: number,
    nowMs: number,
  ): void {
    member.record(kind, report, latencyMs, lagMs, nowMs);
    this.#verdicts.take(member, kind, generation, report, latencyMs, lagMs, nowMs, this.#settings);
  }

  #fitCapacity(member: Member): void {
    member.capacity = this.#context.limits.capacityOf(member.spec, member.capacity);
  }

  #createBreaker(backend: string): GuardedBreaker | undefined {
    const { breaker: provider, announcer, ...shared } = this.#context;
    if (provider === undefined) return undefined;
    const { upstream, callbackFailed } = shared;
    const context: BreakerContext = {
      ...shared,
      backend,
      gateChanged: () => this.get(backend)?.refreshGate(),
      announce: (event, change) => announcer.emit(event, () => ({ upstream, backend, key: null, ...change })),
    };
    return guardBreaker(() => provider.create(context), callbackFailed);
  }

  dispose(): void {
    for (const member of this.all) member.dispose();
  }
}
