import type { RequestKind } from "../backend.ts";
import type { Clock, LagMeter } from "../clock.ts";
import type { Balancer } from "../contract.ts";
import { FairleadError, withoutStack } from "../errors.ts";
import type { Limits } from "../gate/limits.ts";
import type { Member } from "../membership/member.ts";
import type { Random } from "../random.ts";
import type { Settings } from "../settings.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { CallCounters } from "../telemetry/counters.ts";
import type { Announcer } from "../telemetry/events.ts";
import type { Upstream } from "../upstream.ts";
import { Chooser } from "../view/chooser.ts";
import type { Budget } from "./budget.ts";
import type { Hedging } from "./hedge.ts";
import { ActiveLease, type LeaseHost } from "./lease.ts";
import type { Report } from "./outcome.ts";
import type { LeaseGiver, WaitingQueue } from "./queue.ts";
import { limitReached } from "./queue-limit.ts";
import { lastResort, untried } from "./request.ts";

/** Of a load report that can't be read. */
const SHOWN_CHARACTERS = 100;

/** What calls and leases of one balancer run on: its strategy and settings over the members of its upstream. */
export class CallHost implements LeaseHost, LeaseGiver {
  readonly balancer: Balancer;
  readonly upstream: Upstream;
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: CallCounters;
  readonly announcer: Announcer;
  readonly members: Upstream["members"];
  readonly lag: LagMeter | undefined;
  readonly chooser: Chooser;
  /** That of the upstream. */
  readonly queue: WaitingQueue;
  readonly limits: Limits;
  /** New work is welcome. */
  open = true;
  #settings: Settings;

  constructor(balancer: Balancer, upstream: Upstream, settings: Settings) {
    this.balancer = balancer;
    this.upstream = upstream;
    this.name = upstream.name;
    this.clock = upstream.clock;
    this.random = upstream.random;
    this.counters = upstream.counters;
    this.announcer = upstream.announcer;
    this.members = upstream.members;
    this.lag = upstream.clock.lag;
    this.#settings = settings;
    this.chooser = new Chooser(upstream.members, settings.strategy, upstream.random, (where, error) =>
      upstream.callbackFailed(where, error),
    );
    this.queue = upstream.queue;
    this.limits = upstream.limits;
  }

  get settings(): Settings {
    return this.#settings;
  }

  set settings(settings: Settings) {
    if (settings.strategy !== this.#settings.strategy) this.chooser.strategy = settings.strategy;
    this.#settings = settings;
  }

  get retryBudget(): Budget | undefined {
    return this.upstream.retryBudget.current;
  }

  get requeueBudget(): Budget | undefined {
    return this.upstream.requeueBudget.current;
  }

  /** Backends that a call could try. */
  get size(): number {
    return this.members.size;
  }

  now(): number {
    return this.clock.now();
  }

  /** For a call's first attempt: those who wait already come first. */
  firstLease(request: PickRequest, nowMs: number): ActiveLease | undefined {
    if (this.queue.length > 0 && this.queue.holdsUp(this, request)) return undefined;
    return this.tryLease(request, nowMs);
  }

  /** view ─▶ pick ─▶ lease */
  tryLease(request: PickRequest, nowMs: number): ActiveLease | undefined {
    const { kind = "request" } = request;
    if (this.limits.whole?.isFull(kind, this.members.inFlight(kind)) === true) return undefined;
    const member = this.chooser.choose(request, nowMs);
    return member === undefined ? undefined : new ActiveLease(this, member, request, nowMs);
  }

  lineOf({ pinned, pinPolicy, labels, tried }: PickRequest): unknown {
    if (tried === undefined) return pinned === undefined ? this.members.view(labels) : `${pinPolicy} ${pinned}`;
    // A repeat passes over backends that others would take, so that it holds up only who has tried the same.
    return labels === undefined ? JSON.stringify([pinned, pinPolicy, ...[...tried].map(({ id }) => id).sort()]) : tried;
  }

  /** For an attempt beside one that takes long: on a backend that the call has not tried, if the budget has one left. */
  hedgeLease(hedging: Hedging, request: PickRequest, nowMs: number): ActiveLease | undefined {
    if (!hedging.withdraw(nowMs)) {
      this.counters.hedgesDenied++;
      this.announcer.emit("budgetExhausted", () => ({ upstream: this.name, budget: "hedge" }));
      return undefined;
    }
    // Those who have no attempt at all come first.
    const lease = this.queue.length > 0 ? undefined : this.tryLease(request, nowMs);
    if (lease === undefined) hedging.giveBack(nowMs);
    else {
      this.counters.hedges++;
      this.announcer.emit("attemptHedged", () => ({ upstream: this.name, backend: lease.backend.id }));
    }
    return lease;
  }

  /**
   * For a repeat: somebody whom the call has not tried, be it one that has failed before; a retry takes anybody. What was
   * refused a moment ago is refused again: a requeue goes elsewhere or waits.
   */
  leaseForRepeat(request: PickRequest, kind: "retry" | "requeue", nowMs: number): ActiveLease | undefined {
    return (
      this.tryLease(request, nowMs) ??
      this.tryLease(untried(request), nowMs) ??
      (kind === "retry" ? this.tryLease(lastResort(request), nowMs) : undefined)
    );
  }

  leaseForWaiter(request: PickRequest, nowMs: number): ActiveLease | undefined {
    // Whom a repeat waits for may have failed its test since.
    return this.tryLease(request.tried === undefined ? request : this.worthWaitingFor(request), nowMs);
  }

  /** What a repeat waits for: one it has not tried, if such a one is only busy with its test attempt; else anybody. */
  worthWaitingFor(request: PickRequest): PickRequest {
    const busy = this.members.all.some((member) => member.testable && request.tried?.has(member) !== true);
    return busy ? untried(request) : lastResort(request);
  }

  /**
   * Waits for a lease: for the first complete set and for a pinned backend as long as `limitMs`, for any other reason
   * no longer than `queueLimitMs`. Fails at once where waiting is hopeless. Returns how to leave.
   */
  waitForLease(
    request: PickRequest,
    limitMs: number,
    serve: (lease: ActiveLease) => void,
    fail: (error: unknown) => void,
    queueLimitMs: number = this.#settings.queue.timeoutMs,
  ): () => void {
    const cutOff = this.hopeless(request);
    if (cutOff !== undefined) {
      fail(cutOff);
      return () => {};
    }
    const refused = this.#refusal(request);
    if (refused !== undefined) {
      fail(refused);
      return () => {};
    }
    const starting = !this.members.known || this.members.pending;
    const patient = starting || (request.pinned !== undefined && request.pinPolicy === "wait");
    const timeoutMs = patient ? limitMs : Math.min(limitMs, queueLimitMs);
    return this.queue.wait(this, request, timeoutMs, serve, fail, () => this.#late(request, starting, timeoutMs));
  }

  #late(request: PickRequest, starting: boolean, timeoutMs: number): FairleadError {
    const waited = `(waited ${Math.round(timeoutMs)} ms)`;
    const reached = limitReached(this, request);
    if (reached !== undefined) return this.limits.refuse("queue-timeout", `${reached.why} ${waited}`);
    return this.#noBackend(`${starting ? this.#whyStarting() : "no backend took the call"} ${waited}`);
  }

  #whyStarting(): string {
    return this.members.known ? "no backend has passed its first check" : "discovery has not reported yet";
  }

  /** The error of a call for which waiting is out of the question, or hopeless. */
  #refusal(request: PickRequest): FairleadError | undefined {
    const { size } = this.#settings.queue;
    const mustNotWait = request.pinned !== undefined && request.pinPolicy === "fail";
    if (this.queue.length >= size || mustNotWait) {
      const reached = limitReached(this, request);
      if (reached !== undefined && (mustNotWait || size === 0)) return this.limits.refuse(reached.limit, reached.why);
      if (reached !== undefined) return this.limits.refuse("queue-size", `${reached.why}, and the queue is full`);
    }
    const hopeless = this.#hopeless(request, size);
    return hopeless === undefined ? undefined : this.#noBackend(hopeless);
  }

  #hopeless(request: PickRequest, size: number): string | undefined {
    if (this.queue.length >= size) return "no backend is free, and the queue is full";
    if (!this.members.known) return undefined;
    if (request.pinned !== undefined && request.pinPolicy === "fail") return `backend ${request.pinned} takes no calls`;
    if (request.pinned !== undefined && request.pinPolicy === "wait") return undefined;
    const view = this.members.view(request.labels);
    if (view.isOutOfPlay) {
      return request.labels === undefined ? "no backend is in play" : "no backend in play has the labels it asks for";
    }
    const { tiers } = view.topology(this.now());
    const refused = tiers.length > 0 && tiers.every(({ closed }) => closed);
    return refused ? "too few backends are healthy, and panicMode is fail-closed" : undefined;
  }

  /**
   * The error of a call for which every backend in play has an open breaker: at once, and cheap, as a service that is down
   * gets many of them.
   */
  hopeless(request: PickRequest): FairleadError | undefined {
    const { members } = this;
    if (!members.guarded || (request.pinned !== undefined && request.pinPolicy === "wait")) return undefined;
    const nowMs = this.now();
    const { tiers } = members.view(request.labels).topology(nowMs);
    if (tiers.length === 0) return undefined;
    for (const tier of tiers) for (const member of tier.members) if (!member.cutOff(request, nowMs)) return undefined;
    this.counters.noBackend++;
    return withoutStack(
      () => new FairleadError("FAIRLEAD_ERR_CIRCUIT_OPEN", `${this.name}: the breakers of all backends are open`),
    );
  }

  #noBackend(why: string): FairleadError {
    this.counters.noBackend++;
    return new FairleadError("FAIRLEAD_ERR_NO_BACKEND", `${this.name}: ${why}`);
  }

  entered(backend: Member, kind: RequestKind): number {
    const inFlight = backend.count(kind, 1);
    return this.limits.adaptsWhole ? this.members.inFlight(kind) : inFlight;
  }

  learn(lease: ActiveLease, outcome: Report["outcome"], ownMs: number): void {
    if (outcome === "ignored") return;
    this.limits.learn(lease, outcome === "success", ownMs);
    lease.backend.noteLimits();
  }

  settled(): void {
    this.upstream.changed();
  }

  readLoad(report: Report): Report {
    const { load, ...rest } = report;
    const { reports } = this.#settings.strategy;
    if (typeof load !== "string" || reports === undefined) return rest;
    try {
      const read = reports.parse(load);
      if (read !== undefined) return { ...rest, load: read };
    } catch (error) {
      this.callbackFailed("load report", error);
      return rest;
    }
    this.announcer.emit("loadReportIgnored", () => ({ upstream: this.name, text: load.slice(0, SHOWN_CHARACTERS) }));
    return rest;
  }

  released(lease: ActiveLease): void {
    this.upstream.released(lease);
  }

  callbackFailed(where: string, error: unknown): void {
    this.upstream.callbackFailed(where, error);
  }
}
