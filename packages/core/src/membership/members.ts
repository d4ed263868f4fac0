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
import { type Difference, differing } from "./differing.ts";
import { Member } from "./member.ts";
import { checkSpecs, type ResolvedSpec, resolveSpecs, sameSpec } from "./spec.ts";
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
  readonly #byId = new Map<string, Member>();
  /** One per entry of the set, in its order, which strategies and `first` see; then those on their way out. */
  #members: readonly Member[] = [];
  readonly #loads: LoadTable;
  readonly #views: Views;
  readonly #verdicts: Verdicts;
  readonly #cache = new SpecCache();
  /** The last complete set, as it was taken in. */
  #specs: readonly ResolvedSpec[] | undefined;

  constructor(context: MembersContext, settings: SharedSettings) {
    this.#context = context;
    this.#settings = settings;
    this.#loads = new LoadTable(DECAY_MS, context.clock.now());
    this.#views = new Views(
      { members: () => this.#members, context: (nowMs) => this.#viewContext(nowMs) },
      (before, after) => announcePanic(context, before?.panic ?? [], after.panic),
      context.callbackFailed,
    );
    this.#verdicts = new Verdicts(context, this.#views, () => this.#members);
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
    return this.#specs !== undefined;
  }

  get settings(): SharedSettings {
    return this.#settings;
  }

  set settings(settings: SharedSettings) {
    this.#settings = settings;
    this.#verdicts.configure(settings);
    if (settings.ejection === undefined) for (const member of this.#members) member.acquit();
    this.checks.use(settings.healthCheck, this.present);
    for (const member of this.#members) this.#fitCapacity(member);
    this.#changed();
  }

  get all(): readonly Member[] {
    return this.#members;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Attempts under way on all backends together, those on their way out included. */
  inFlight(kind: RequestKind): number {
    return kind === "request" ? this.#loads.totalRequests : this.#loads.totalConnections;
  }

  /** Members that are not on their way out. */
  get present(): Member[] {
    return this.all.filter(({ gone }) => !gone);
  }

  /** Requests under way on all backends. */
  get requests(): number {
    return this.#loads.totalRequests;
  }

  get(id: string): Member | undefined {
    return this.#byId.get(id);
  }

  /** The view for calls with these labels. */
  view(labels?: Readonly<Record<string, string>>): CurrentView {
    return this.#views.of(labels, this.#settings.subsets);
  }

  #viewContext(nowMs: number): ViewContext {
    for (const member of this.#members) {
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
    const inPlay = this.#members.filter((member) => member.inPlay);
    if (inPlay.some(({ isUnknown }) => isUnknown)) return this.nobodyWorks;
    return inPlay.length > 0 && inPlay.every(({ isPending }) => isPending);
  }

  /**
   * Takes in a complete set: new ones are added, known ones keep their history, missing ones drain away. The same set
   * again changes nothing.
   */
  apply(specs: readonly ResolvedSpec[]): void {
    const before = this.#specs ?? [];
    const first = this.#specs === undefined;
    this.#specs = specs;
    const range = differing(before, specs);
    const { from, to, toBefore } = range;
    if (!first && from === to && from === toBefore) return;
    const nowMs = this.#context.clock.now();
    // Where all are new, nobody is warm and all must take calls at once.
    const joins = from > 0 || to < specs.length || specs.some(({ id }) => this.#byId.get(id)?.gone === false);
    let changed = first;
    for (let index = from; index < to; index++)
      if (this.#takeIn(specs[index] as ResolvedSpec, joins, nowMs)) changed = true;
    const wanted = new Set(specs.slice(from, to).map(({ id }) => id));
    for (let index = from; index < toBefore; index++) {
      const { id } = before[index] as ResolvedSpec;
      if (!wanted.has(id)) this.#letGo(id);
    }
    if (this.#putInOrder(before.length, specs, range)) changed = true;
    if (changed) this.#changed();
  }

  #letGo(id: string): void {
    const member = this.#byId.get(id);
    if (member === undefined) return;
    member.gone = true;
    member.refreshGate();
    this.checks.remove(member);
    this.#forgetIfDone(member);
  }

  /** Adds or updates one; false if it was known as it is. */
  #takeIn(spec: ResolvedSpec, joins: boolean, nowMs: number): boolean {
    const { announcer, upstream } = this.#context;
    const known = this.#byId.get(spec.id);
    if (known !== undefined && !known.gone && (known.spec === spec || sameSpec(known.spec, spec))) return false;
    const member = known ?? new Member(spec, this.#loads, this.#context.random, this.#createBreaker(spec.id));
    const joined = known === undefined || known.gone;
    if (joined) {
      member.joinedAtMs = Math.floor(nowMs);
      if (joins) member.warmsUpFromMs = nowMs;
    }
    if (known === undefined) {
      this.#byId.set(spec.id, member);
      announcer.emit("backendAdded", () => ({ upstream, backend: spec.id }));
    } else {
      member.update(spec);
      announcer.emit("backendUpdated", () => ({ upstream, backend: spec.id }));
    }
    if (joined) this.checks.add(member);
    this.#fitCapacity(member);
    return true;
  }

  /** Only the part that differs is put together anew. Returns whether anybody came, went or changed places. */
  #putInOrder(count: number, specs: readonly ResolvedSpec[], { from, to, toBefore }: Difference): boolean {
    const before = this.#members;
    const middle = specs.slice(from, to).flatMap(({ id }) => this.#byId.get(id) ?? []);
    if (to === toBefore && middle.every((member, index) => member === before[from + index])) return false;
    const leaving = [...before.slice(from, toBefore), ...before.slice(count)].filter(
      (member) => member.gone && this.#byId.get(member.id) === member,
    );
    this.#members = [...before.slice(0, from), ...middle, ...before.slice(toBefore, count), ...leaving];
    return true;
  }

  /** A backend that has left the set goes when its last lease is back. */
  forgetIfDone(member: Member): void {
    if (this.#forgetIfDone(member)) this.#members = this.#members.filter((other) => other !== member);
  }

  #forgetIfDone(member: Member): boolean {
    if (!member.gone || !member.idle || this.#byId.get(member.id) !== member) return false;
    this.#byId.delete(member.id);
    member.dispose();
    this.#context.announcer.emit("backendRemoved", () => ({
      upstream: this.#context.upstream,
      backend: member.id,
    }));
    return true;
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
    const member = this.#byId.get(id);
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
    this.#verdicts.take(
      member,
      kind,
      generation,
      report,
      latencyMs - lagMs,
      nowMs - Math.max(0, latencyMs),
      nowMs,
      this.#settings,
    );
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
    for (const member of this.#members) member.dispose();
  }
}
