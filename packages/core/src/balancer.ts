import type { Backend, BackendSpec } from "./backend.ts";
import { resolveBalancerOptions } from "./balancer-options.ts";
import { type AcquireOptions, acquireLease } from "./call/acquire.ts";
import type { Attempt, CallOptions } from "./call/attempt.ts";
import { Call } from "./call/call.ts";
import { CallHost } from "./call/call-host.ts";
import type { Report } from "./call/outcome.ts";
import { leaseNow } from "./call/turn.ts";
import { type Clock, systemClock } from "./clock.ts";
import { closeUpstream } from "./closing.ts";
import type {
  Attachment,
  Balancer,
  BalancerOptions,
  DeriveOptions,
  DrainOptions,
  Lease,
  ReadyOptions,
  ReconfigurableOptions,
} from "./contract.ts";
import { closedError, FairleadError, type LimitName } from "./errors.ts";
import { awaitDrained } from "./membership/drain.ts";
import type { Member } from "./membership/member.ts";
import { Supervisor } from "./membership/supervisor.ts";
import { expected, OptionCheck } from "./options.ts";
import { createRandom } from "./random.ts";
import {
  DERIVABLE_KEYS,
  RECONFIGURABLE_KEYS,
  resolveCallSettings,
  resolveSharedSettings,
  type Settings,
  type SharedSettings,
} from "./settings.ts";
import type { PickRequest } from "./strategy/strategy.ts";
import { ASYNC_DISPOSE } from "./symbols.ts";
import type { BalancerEvents } from "./telemetry/events.ts";
import { explainPick, type PickExplanation } from "./telemetry/explain.ts";
import { type BalancerSnapshot, balancerSnapshot, type TelemetrySection } from "./telemetry/snapshot.ts";
import { Upstream } from "./upstream.ts";

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
  const { name, origin, source, breaker, clock, random, settings } = resolveBalancerOptions(options);
  const upstream = new Upstream(name, origin, clock ?? systemClock(), random ?? createRandom(), breaker, settings);
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
class UpstreamBalancer implements Balancer {
  readonly name: string;
  readonly origin: string;
  readonly clock: Clock;
  readonly #upstream: Upstream;
  readonly #host: CallHost;
  readonly #parent: UpstreamBalancer | undefined;
  readonly #derived: Set<UpstreamBalancer> = new Set();
  /** Of a derived balancer: what it does not take from its parent. */
  #overrides: Record<string, unknown> = {};
  #supervisor: Supervisor | undefined;
  #state: BalancerSnapshot["state"] = "open";
  #closing: Promise<void> | undefined;

  constructor(upstream: Upstream, settings: Settings, parent?: UpstreamBalancer) {
    this.name = upstream.name;
    this.origin = upstream.origin;
    this.clock = upstream.clock;
    this.#upstream = upstream;
    this.#host = new CallHost(this, upstream, settings);
    this.#parent = parent;
  }

  // Calls

  call<T>(run: (attempt: Attempt) => Promise<T>, options: CallOptions<T> = NO_OPTIONS): Promise<T> {
    if (this.#state !== "open") return Promise.reject(closedError(this.name));
    const nowMs = this.clock.now();
    this.#upstream.callStarted(nowMs);
    return new Call(this.#host, run, options, nowMs).begin(nowMs);
  }

  tryAcquire(request: PickRequest = NO_REQUEST): Lease | undefined {
    if (this.#state !== "open") return undefined;
    return leaseNow(this.#host, request, this.clock.now());
  }

  async acquire(request: PickRequest = NO_REQUEST, options: AcquireOptions = {}): Promise<Lease> {
    this.#refuseIfClosed();
    return acquireLease(this.#host, request, options);
  }

  shed(limit: LimitName, why: string, retryAfterMs?: number): FairleadError {
    return this.#upstream.limits.refuse(limit, why, retryAfterMs);
  }

  announce<E extends keyof BalancerEvents>(event: E, record: () => Parameters<BalancerEvents[E]>[0]): void {
    this.#upstream.announcer.emit(event, record);
  }

  observe(id: string, report: Report): void {
    this.#upstream.members.observe(id, report, this.clock.now());
  }

  // Members

  get backends(): readonly Backend[] {
    return this.#upstream.members.present;
  }

  backend(id: string): Backend | undefined {
    return this.#upstream.members.inSet(id);
  }

  async ready({ signal, timeoutMs = READY_TIMEOUT_MS }: ReadyOptions = {}): Promise<void> {
    this.#refuseIfClosed();
    if (!this.#upstream.members.known) await this.#upstream.firstSet(timeoutMs, signal);
  }

  set(backends: readonly (string | BackendSpec)[]): void {
    this.#refuseIfClosed();
    const { members } = this.#upstream;
    members.apply(members.check(`${this.name}: set`, backends));
  }

  /** Begins to follow a discovery; called once, by `createBalancer`. */
  follow(discovery: NonNullable<BalancerOptions["discovery"]>): void {
    this.#supervisor = new Supervisor(discovery, this.#upstream, (settings) => this.configure(settings));
    this.#supervisor.start();
  }

  refresh(): void {
    this.#root.#supervisor?.refresh();
  }

  enable(id: string): void {
    this.#upstream.members.setState(this.#member(id), undefined);
  }

  disable(id: string): void {
    this.#upstream.members.setState(this.#member(id), "disabled");
  }

  setWeight(id: string, weight: number): void {
    const check = new OptionCheck();
    check.required("weight", weight, expected.number({ above: 0 }));
    check.throwIfAny(`${this.name}: setWeight`);
    this.#upstream.members.setWeight(this.#member(id), weight);
  }

  async drain(id: string, { deadlineMs = DRAIN_DEADLINE_MS }: DrainOptions = {}): Promise<void> {
    const member = this.#member(id);
    this.#upstream.members.setState(member, "draining");
    await awaitDrained(this.#upstream, member, deadlineMs);
  }

  // Options

  get settings(): Settings {
    return this.#host.settings;
  }

  configure(patch: ReconfigurableOptions): void {
    this.#refuseIfClosed();
    const check = new OptionCheck();
    const input = check.record("", patch, RECONFIGURABLE_KEYS) ?? {};
    const overrides = { ...this.#overrides, ...input };
    const own = resolveCallSettings(check, overrides, this.#parent?.settings ?? this.settings);
    const shared = resolveSharedSettings(check, input, this.settings);
    check.throwIfAny(`${this.name}: configure`);
    if (this.#parent !== undefined) this.#overrides = overrides;
    this.#host.settings = { ...own, ...shared };
    this.#root.#passOn(shared);
    this.#upstream.configure(shared);
    this.#upstream.announcer.emit("configured", () => ({ upstream: this.name }));
  }

  derive(options: DeriveOptions): Balancer {
    this.#refuseIfClosed();
    const check = new OptionCheck();
    const input = check.record("", options, DERIVABLE_KEYS) ?? {};
    const own = resolveCallSettings(check, input, this.settings);
    check.throwIfAny(`${this.name}: derive`);
    const derived = new UpstreamBalancer(this.#upstream, { ...this.settings, ...own }, this);
    derived.#overrides = input;
    this.#derived.add(derived);
    return derived;
  }

  // Seeing it

  snapshot(): BalancerSnapshot {
    return balancerSnapshot(this.#host, {
      origin: this.origin,
      state: this.#state === "open" && !this.#upstream.members.known ? "starting" : this.#state,
      discovery: this.#root.#supervisor?.status,
      sections: this.#upstream.askSections((section) => section.snapshot?.()),
    });
  }

  explain(request: PickRequest = NO_REQUEST): PickExplanation {
    return {
      ...explainPick(this.#host, request, this.clock.now()),
      sections: this.#upstream.askSections((section) => section.explain?.(request)),
    };
  }

  extend(section: TelemetrySection): () => void {
    return this.#upstream.extend(section);
  }

  on<E extends keyof BalancerEvents>(event: E, listener: BalancerEvents[E]): () => void {
    return this.#upstream.announcer.on(event, listener);
  }

  // The end

  attach(attachment: Attachment): () => void {
    return this.#upstream.attach(attachment);
  }

  shared<T>(key: symbol, make: () => T): T {
    return this.#upstream.shared(key, make);
  }

  close({ drainMs }: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  [ASYNC_DISPOSE](): Promise<void> {
    return this.close();
  }

  async #close(drainMs: number | undefined): Promise<void> {
    this.#refuseNewWork();
    if (this.#parent === undefined) {
      this.#upstream.failWaiting(closedError(this.name));
      await closeUpstream(this.#upstream, closedError(this.name), () => this.#supervisor?.close(), drainMs);
      this.#upstream.announcer.emit("closed", () => ({ upstream: this.name }));
      this.#upstream.announcer.clear();
    } else this.#parent.#derived.delete(this);
    this.#closed();
  }

  #closed(): void {
    this.#state = "closed";
    for (const derived of this.#derived) derived.#closed();
  }

  #refuseNewWork(): void {
    this.#state = "closing";
    this.#host.open = false;
    this.#host.queue.failAll(() => closedError(this.name), this.#host);
    for (const derived of this.#derived) derived.#refuseNewWork();
  }

  #refuseIfClosed(): void {
    if (this.#state !== "open") throw closedError(this.name);
  }

  get #root(): UpstreamBalancer {
    return this.#parent === undefined ? this : this.#parent.#root;
  }

  /** Settings of the upstream hold for every balancer over it; those of a parent where a derived one has none. */
  #passOn(shared: SharedSettings): void {
    this.#host.settings = { ...this.settings, ...shared };
    for (const derived of this.#derived) {
      const own = resolveCallSettings(new OptionCheck(), derived.#overrides, this.settings);
      derived.#host.settings = { ...own, ...shared };
      derived.#passOn(shared);
    }
  }

  #member(id: string): Member {
    const member = this.#upstream.members.get(id);
    if (member !== undefined) return member;
    throw new FairleadError("FAIRLEAD_ERR_CONFIG", `${this.name}: there is no backend ${JSON.stringify(id)}`);
  }
}
