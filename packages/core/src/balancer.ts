import type { Backend, BackendSpec } from "./backend.ts";
import { resolveBalancerOptions } from "./balancer-options.ts";
import type { Attempt, CallOptions } from "./call/attempt.ts";
import type { Budget } from "./call/budget.ts";
import { Call, type CallHost, type OpenCall } from "./call/call.ts";
import { ActiveLease, type LeaseHost } from "./call/lease.ts";
import type { Report } from "./call/outcome.ts";
import { WaitingQueue } from "./call/queue.ts";
import { type Clock, systemClock } from "./clock.ts";
import { closeUpstream } from "./closing.ts";
import type { Attachment, Balancer, BalancerOptions, DeriveOptions, Lease, ReconfigurableOptions } from "./contract.ts";
import { FairleadError } from "./errors.ts";
import { awaitDrained } from "./membership/drain.ts";
import type { Member } from "./membership/member.ts";
import { resolveSpecs } from "./membership/spec.ts";
import { Supervisor } from "./membership/supervisor.ts";
import { expected, OptionCheck } from "./options.ts";
import { createRandom, type Random } from "./random.ts";
import {
  DERIVABLE_KEYS,
  defaultCallSettings,
  RECONFIGURABLE_KEYS,
  type RetrySettings,
  resolveCallSettings,
  resolveSharedSettings,
  type Settings,
} from "./settings.ts";
import type { PickRequest } from "./strategy/strategy.ts";
import type { CallCounters } from "./telemetry/counters.ts";
import type { Announcer, BalancerEvents } from "./telemetry/events.ts";
import { explainPick, type PickExplanation } from "./telemetry/explain.ts";
import { type BalancerSnapshot, balancerSnapshot, type Json, type TelemetrySection } from "./telemetry/snapshot.ts";
import { Upstream } from "./upstream.ts";
import { Chooser } from "./view/chooser.ts";

const NO_REQUEST: PickRequest = {};
const NO_OPTIONS: CallOptions<unknown> = {};
const READY_TIMEOUT_MS = 10_000;
const DRAIN_DEADLINE_MS = 30_000;

/**
 * Makes a balancer over a fixed set of backends or a discovery.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function createBalancer(options: BalancerOptions): Balancer {
  const {
    name,
    origin,
    source,
    breaker,
    clock = systemClock(),
    random = createRandom(),
    settings,
  } = resolveBalancerOptions(options);
  const upstream = new Upstream(name, origin, clock, random, breaker, settings);
  const balancer = new UpstreamBalancer(upstream, settings);
  if ("watch" in source) balancer.follow(source);
  else upstream.members.apply(source);
  return balancer;
}

/**
 * One balancer: its own strategy and call policy over the members of an upstream.
 *
 * call ─▶ view ─▶ pick ─▶ lease ─▶ attempt ─▶ classify ─▶ settle ─▶ release, or again on another backend
 */
class UpstreamBalancer implements Balancer, CallHost, LeaseHost {
  readonly #upstream: Upstream;
  readonly #parent: UpstreamBalancer | undefined;
  readonly #derived = new Set<UpstreamBalancer>();
  readonly #chooser: Chooser;
  readonly #queue: WaitingQueue;
  #supervisor: Supervisor | undefined;
  #state: BalancerSnapshot["state"] = "open";
  #closing: Promise<void> | undefined;
  settings: Settings;
  readonly defaultRetry: RetrySettings;

  constructor(upstream: Upstream, settings: Settings, parent?: UpstreamBalancer) {
    this.#upstream = upstream;
    this.#parent = parent;
    this.settings = settings;
    this.defaultRetry = settings.retry ?? DEFAULT_RETRY;
    this.#chooser = new Chooser(upstream.members, settings.strategy, upstream.random, (where, error) =>
      upstream.callbackFailed(where, error),
    );
    this.#queue = new WaitingQueue(
      upstream.clock,
      (request) => this.tryLease(request, this.now()),
      (occupied) => {
        if (occupied) upstream.queues.add(this.#queue);
        else upstream.queues.delete(this.#queue);
      },
    );
  }

  // The way of a call

  call<T>(run: (attempt: Attempt) => Promise<T>, options: CallOptions<T> = NO_OPTIONS as CallOptions<T>): Promise<T> {
    if (this.#state !== "open") return Promise.reject(this.#closedError());
    const nowMs = this.now();
    this.#upstream.callStarted(nowMs);
    return new Call(this, run, options, nowMs).start(nowMs);
  }

  tryAcquire(request: PickRequest = NO_REQUEST): Lease | undefined {
    return this.#state === "open" ? this.#byHand(this.tryLease(request, this.now())) : undefined;
  }

  acquire(
    request: PickRequest = NO_REQUEST,
    {
      signal,
      deadlineMs,
    }: { readonly signal?: AbortSignal | undefined; readonly deadlineMs?: number | undefined } = {},
  ): Promise<Lease> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      if (this.#state !== "open") return reject(this.#closedError());
      // Those who wait already come first.
      const lease = this.#queue.length === 0 ? this.tryLease(request, this.now()) : undefined;
      if (lease !== undefined) return resolve(this.#byHand(lease));
      const onAbort = (): void => {
        leave();
        reject(signal?.reason);
      };
      const settled =
        <V>(settle: (value: V) => void) =>
        (value: V) => {
          signal?.removeEventListener("abort", onAbort);
          settle(value);
        };
      signal?.addEventListener("abort", onAbort, { once: true });
      const limitMs =
        deadlineMs ?? (this.settings.deadlineMs === false ? Number.POSITIVE_INFINITY : this.settings.deadlineMs);
      const leave = this.waitForLease(
        request,
        limitMs,
        settled((served: ActiveLease) => resolve(this.#byHand(served))),
        settled(reject),
        deadlineMs,
      );
    });
  }

  /** view ─▶ pick ─▶ lease */
  tryLease(request: PickRequest, nowMs: number): ActiveLease | undefined {
    const member = this.#chooser.choose(request, nowMs);
    return member === undefined ? undefined : new ActiveLease(this, member, request.kind ?? "request", nowMs);
  }

  waitForLease(
    request: PickRequest,
    limitMs: number,
    serve: (lease: ActiveLease) => void,
    fail: (error: unknown) => void,
    queueLimitMs: number = this.settings.queue.timeoutMs,
  ): () => void {
    const { members } = this.#upstream;
    const starting = !members.known;
    const pinned = request.pinned !== undefined && request.pinPolicy === "wait";
    const noBackend = (why: string) => (): FairleadError => {
      this.counters.noBackend++;
      return new FairleadError("FAIRLEAD_ERR_NO_BACKEND", `${this.name}: ${why}`);
    };
    const hopeless =
      !starting && !pinned && (request.pinPolicy === "fail" || !members.present.some(({ inPlay }) => inPlay));
    if (hopeless)
      fail(
        noBackend(
          request.pinned === undefined ? "no backend is in play" : `backend ${request.pinned} takes no calls`,
        )(),
      );
    else if (this.#queue.length >= this.settings.queue.size)
      fail(noBackend("no backend is free, and the queue is full")());
    else {
      const timeoutMs = starting || pinned ? limitMs : Math.min(limitMs, queueLimitMs);
      const why = starting
        ? "discovery has not reported yet"
        : `no backend took the call within ${Math.round(timeoutMs)} ms`;
      return this.#queue.wait(request, timeoutMs, serve, fail, noBackend(why));
    }
    return () => {};
  }

  released(lease: ActiveLease): void {
    this.#upstream.leases.delete(lease);
    this.#upstream.released(lease);
  }

  observe(id: string, report: Report): void {
    const member = this.members.get(id);
    if (member === undefined) return;
    this.members.judge(member, "connection", member.ejection.generation, report, report.latencyMs ?? 0, this.now());
  }

  // Membership and control

  get backends(): readonly Backend[] {
    return this.members.present;
  }

  async ready({
    signal,
    timeoutMs = READY_TIMEOUT_MS,
  }: {
    readonly signal?: AbortSignal | undefined;
    readonly timeoutMs?: number | undefined;
  } = {}): Promise<void> {
    if (this.members.known && this.#state === "open") return;
    const lease = await this.acquire(NO_REQUEST, { signal, deadlineMs: timeoutMs });
    lease.release();
  }

  set(backends: readonly (string | BackendSpec)[]): void {
    this.#refuseIfClosed();
    const check = new OptionCheck();
    const specs = resolveSpecs(check, "backends", backends);
    check.throwIfAny(`${this.name}: set`);
    this.members.apply(specs);
  }

  /** Begins to follow a discovery; called once, by `createBalancer`. */
  follow(discovery: NonNullable<BalancerOptions["discovery"]>): void {
    const { clock, random, announcer } = this.#upstream;
    this.#supervisor = new Supervisor(discovery, {
      upstream: this.name,
      clock,
      random,
      announcer,
      apply: (specs) => this.members.apply(specs),
      configure: (settings) => this.configure(settings),
    });
    this.#supervisor.start();
  }

  refresh(): void {
    this.#supervisor?.refresh();
  }

  enable(id: string): void {
    this.members.setState(this.#member(id), undefined);
  }

  disable(id: string): void {
    this.members.setState(this.#member(id), "disabled");
  }

  setWeight(id: string, weight: number): void {
    const check = new OptionCheck();
    check.required("weight", weight, expected.number({ above: 0 }));
    check.throwIfAny(`${this.name}: setWeight`);
    this.members.setWeight(this.#member(id), weight);
  }

  drain(
    id: string,
    { deadlineMs = DRAIN_DEADLINE_MS }: { readonly deadlineMs?: number | undefined } = {},
  ): Promise<void> {
    const member = this.#member(id);
    this.members.setState(member, "draining");
    return awaitDrained(this.#upstream, member, deadlineMs);
  }

  configure(patch: ReconfigurableOptions): void {
    this.#refuseIfClosed();
    const check = new OptionCheck();
    const input = check.record("", patch, RECONFIGURABLE_KEYS) ?? {};
    const shared = resolveSharedSettings(check, input, this.settings);
    const settings = { ...resolveCallSettings(check, input, this.settings), ...shared };
    check.throwIfAny(`${this.name}: configure`);
    if (settings.strategy !== this.settings.strategy) this.#chooser.strategy = settings.strategy;
    this.#root.#share(shared);
    this.settings = settings;
    this.#upstream.configure(shared);
    this.announcer.emit("configured", () => ({ upstream: this.name }));
  }

  derive(options: DeriveOptions): Balancer {
    this.#refuseIfClosed();
    const check = new OptionCheck();
    const input = check.record("", options, DERIVABLE_KEYS) ?? {};
    const settings = { ...this.settings, ...resolveCallSettings(check, input, this.settings) };
    check.throwIfAny(`${this.name}: derive`);
    const derived = new UpstreamBalancer(this.#upstream, settings, this);
    this.#derived.add(derived);
    return derived;
  }

  // Seeing it

  snapshot(): BalancerSnapshot {
    const { members } = this.#upstream;
    return balancerSnapshot({
      name: this.name,
      origin: this.origin,
      state: this.#state === "open" && !members.known ? "starting" : this.#state,
      strategy: this.settings.strategy.name,
      clock: this.clock,
      members: members.all,
      topology: members.topology(this.now()),
      waiting: this.#queue.length,
      counters: this.counters,
      retryBudget: this.retryBudget,
      requeueBudget: this.requeueBudget,
      discovery: this.#root.#supervisor?.status ?? {
        name: "fixed",
        updates: 1,
        errors: 0,
        lastError: null,
        updatedAt: null,
      },
      sections: this.#sections((section) => section.snapshot?.()),
    });
  }

  explain(request: PickRequest = NO_REQUEST): PickExplanation {
    const explanation = explainPick(this.settings.strategy.name, this.#chooser, this.members.all, request, this.now());
    return { ...explanation, sections: this.#sections((section) => section.explain?.(request)) };
  }

  extend(section: TelemetrySection): () => void {
    const { sections } = this.#upstream;
    sections.set(section.name, section);
    return () => {
      if (sections.get(section.name) === section) sections.delete(section.name);
    };
  }

  attach(attachment: Attachment): () => void {
    this.#upstream.attachments.add(attachment);
    return () => {
      this.#upstream.attachments.delete(attachment);
    };
  }

  on<E extends keyof BalancerEvents>(event: E, listener: BalancerEvents[E]): () => void {
    return this.announcer.on(event, listener);
  }

  // The end

  close({ drainMs }: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainMs: number | undefined): Promise<void> {
    this.#refuseNewWork();
    if (this.#parent !== undefined) {
      this.#parent.#derived.delete(this);
      return;
    }
    await closeUpstream(this.#upstream, this.#closedError(), () => this.#supervisor?.close(), drainMs);
    this.#state = "closed";
    this.announcer.emit("closed", () => ({ upstream: this.name }));
    this.announcer.clear();
  }

  #refuseNewWork(): void {
    this.#state = "closing";
    this.#queue.failAll(() => this.#closedError());
    for (const derived of this.#derived) derived.#refuseNewWork();
  }

  // What calls need of their host

  get name(): string {
    return this.#upstream.name;
  }
  get origin(): string {
    return this.#upstream.origin;
  }
  get clock(): Clock {
    return this.#upstream.clock;
  }
  get random(): Random {
    return this.#upstream.random;
  }
  get members(): Upstream["members"] {
    return this.#upstream.members;
  }
  get counters(): CallCounters {
    return this.#upstream.counters;
  }
  get announcer(): Announcer {
    return this.#upstream.announcer;
  }
  get retryBudget(): Budget | undefined {
    return this.#upstream.retryBudget;
  }
  get requeueBudget(): Budget | undefined {
    return this.#upstream.requeueBudget;
  }
  get size(): number {
    return this.members.size;
  }
  now(): number {
    return this.#upstream.clock.now();
  }
  started(call: OpenCall): void {
    this.#upstream.calls.add(call);
  }
  ended(call: OpenCall): void {
    this.#upstream.calls.delete(call);
  }
  callbackFailed(where: string, error: unknown): void {
    this.#upstream.callbackFailed(where, error);
  }

  // Small things

  get #root(): UpstreamBalancer {
    return this.#parent === undefined ? this : this.#parent.#root;
  }

  /** Settings of the upstream hold for every balancer over it. */
  #share(shared: Partial<Settings>): void {
    this.settings = { ...this.settings, ...shared };
    for (const derived of this.#derived) derived.#share(shared);
  }

  #byHand<L extends ActiveLease | undefined>(lease: L): L {
    if (lease !== undefined) this.#upstream.leases.add(lease);
    return lease;
  }

  #member(id: string): Member {
    const member = this.members.get(id);
    if (member !== undefined) return member;
    throw new FairleadError("FAIRLEAD_ERR_CONFIG", `${this.name}: there is no backend ${JSON.stringify(id)}`);
  }

  #sections(ask: (section: TelemetrySection) => Json | undefined): Record<string, Json> {
    const answers: Record<string, Json> = {};
    for (const section of this.#upstream.sections.values()) {
      try {
        const answer = ask(section);
        if (answer !== undefined) answers[section.name] = answer;
      } catch (error) {
        this.callbackFailed(`section ${section.name}`, error);
      }
    }
    return answers;
  }

  #refuseIfClosed(): void {
    if (this.#state !== "open") throw this.#closedError();
  }

  #closedError(): FairleadError {
    return new FairleadError("FAIRLEAD_ERR_CLOSED", `${this.name}: the balancer is closed`);
  }
}

const DEFAULT_RETRY = defaultCallSettings().retry as RetrySettings;
