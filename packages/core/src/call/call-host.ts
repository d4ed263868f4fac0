import type { Clock, LagMeter } from "../clock.ts";
import { FairleadError, withoutStack } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Settings } from "../settings.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { CallCounters } from "../telemetry/counters.ts";
import type { Announcer } from "../telemetry/events.ts";
import type { Upstream } from "../upstream.ts";
import { Chooser } from "../view/chooser.ts";
import type { Budget } from "./budget.ts";
import { ActiveLease, type LeaseHost } from "./lease.ts";
import type { Report } from "./outcome.ts";
import { WaitingQueue } from "./queue.ts";
import { DEFAULT_RETRY, type RetrySettings } from "./retry-settings.ts";

/** Of a load report that can't be read. */
const SHOWN_CHARACTERS = 100;

/** What calls and leases of one balancer run on: its strategy and settings over the members of its upstream. */
export class CallHost implements LeaseHost {
  readonly upstream: Upstream;
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: CallCounters;
  readonly announcer: Announcer;
  readonly members: Upstream["members"];
  readonly lag: LagMeter | undefined;
  readonly chooser: Chooser;
  readonly queue: WaitingQueue;
  /** For calls that ask for retries of a balancer that has them off. */
  readonly defaultRetry: RetrySettings = DEFAULT_RETRY;
  #settings: Settings;

  constructor(upstream: Upstream, settings: Settings) {
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
    this.queue = new WaitingQueue(
      upstream.clock,
      (request) => this.tryLease(request, this.now()),
      (request) => this.#cutOff(request),
      (occupied) => {
        if (occupied) upstream.queues.add(this.queue);
        else upstream.queues.delete(this.queue);
      },
    );
  }

  get settings(): Settings {
    return this.#settings;
  }

  set settings(settings: Settings) {
    if (settings.strategy !== this.#settings.strategy) this.chooser.strategy = settings.strategy;
    this.#settings = settings;
  }

  get retryBudget(): Budget | undefined {
    return this.upstream.retryBudget;
  }

  get requeueBudget(): Budget | undefined {
    return this.upstream.requeueBudget;
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
    if (this.queue.contended && request.pinned === undefined) {
      this.queue.serve();
      if (this.queue.contended) return undefined;
    }
    return this.tryLease(request, nowMs);
  }

  /** view ─▶ pick ─▶ lease */
  tryLease(request: PickRequest, nowMs: number): ActiveLease | undefined {
    const member = this.chooser.choose(request, nowMs);
    return member === undefined ? undefined : new ActiveLease(this, member, request, nowMs);
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
    const cutOff = this.#cutOff(request);
    if (cutOff !== undefined) {
      fail(cutOff);
      return () => {};
    }
    const refused = this.#refusal(request);
    if (refused !== undefined) {
      fail(this.#noBackend(refused));
      return () => {};
    }
    const starting = !this.members.known;
    const patient = starting || (request.pinned !== undefined && request.pinPolicy === "wait");
    const timeoutMs = patient ? limitMs : Math.min(limitMs, queueLimitMs);
    const why = starting ? "discovery has not reported yet" : "no backend took the call";
    return this.queue.wait(request, timeoutMs, serve, fail, () =>
      this.#noBackend(`${why} (waited ${Math.round(timeoutMs)} ms)`),
    );
  }

  /** Why waiting is hopeless, if it is. */
  #refusal(request: PickRequest): string | undefined {
    if (this.queue.length >= this.#settings.queue.size) return "no backend is free, and the queue is full";
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
  #cutOff(request: PickRequest): FairleadError | undefined {
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
