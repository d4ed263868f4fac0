import { AdjustableBudget } from "./call/budget.ts";
import type { ActiveLease } from "./call/lease.ts";
import { OpenCalls } from "./call/open-calls.ts";
import { WaitingQueue } from "./call/queue.ts";
import type { Clock } from "./clock.ts";
import type { Attachment } from "./contract.ts";
import { FairleadError } from "./errors.ts";
import type { BreakerProvider } from "./gate/breaker.ts";
import { Limits } from "./gate/limits.ts";
import { Members } from "./membership/members.ts";
import type { Random } from "./random.ts";
import type { SharedSettings } from "./settings.ts";
import { catchLater } from "./telemetry/callbacks.ts";
import { CallCounters } from "./telemetry/counters.ts";
import { Announcer } from "./telemetry/events.ts";
import type { Json, TelemetrySection } from "./telemetry/snapshot.ts";

/** What a balancer and those derived from it have in common: members, budgets, counters, and everything under way. */
export class Upstream {
  readonly name: string;
  readonly origin: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly announcer: Announcer;
  readonly members: Members;
  readonly counters: CallCounters = new CallCounters();
  readonly queue: WaitingQueue;
  readonly limits: Limits;
  readonly calls: OpenCalls = new OpenCalls();
  /** Leases taken by hand. */
  readonly leases: Set<ActiveLease> = new Set();
  readonly attachments: Set<Attachment> = new Set();
  /** New work is refused, and nothing is repeated any more. */
  closing = false;
  readonly retryBudget: AdjustableBudget;
  readonly requeueBudget: AdjustableBudget;
  readonly #shared: Map<symbol, unknown> = new Map();
  readonly #sections: Map<string, TelemetrySection> = new Map();
  readonly #awaitingSet: Set<(error?: unknown) => void> = new Set();
  /** Called whenever a lease is given back: drains and closings wait for the last one. */
  readonly releaseListeners: Set<() => void> = new Set();

  constructor(
    name: string,
    origin: string,
    clock: Clock,
    random: Random,
    breaker: BreakerProvider | undefined,
    settings: SharedSettings,
  ) {
    this.name = name;
    this.origin = origin;
    this.clock = clock;
    this.random = random;
    this.announcer = new Announcer((where, error) => this.callbackFailed(where, error));
    const callbackFailed = (where: string, error: unknown): void => this.callbackFailed(where, error);
    this.queue = new WaitingQueue(clock);
    const queue = (): SharedSettings["queue"] => this.members.settings.queue;
    this.limits = new Limits(
      { upstream: name, clock, announcer: this.announcer, queue, callbackFailed },
      settings.limits,
    );
    this.members = new Members(
      {
        upstream: name,
        clock,
        random,
        breaker,
        announcer: this.announcer,
        limits: this.limits,
        changed: () => this.changed(),
        callbackFailed,
      },
      settings,
    );
    const nowMs = clock.now();
    const inFlight = (): number => this.members.inFlight("request");
    this.retryBudget = new AdjustableBudget(settings.retryBudget, inFlight, nowMs);
    this.requeueBudget = new AdjustableBudget(settings.requeueBudget, inFlight, nowMs);
  }

  configure(settings: SharedSettings): void {
    const nowMs = this.clock.now();
    this.retryBudget.configure(settings.retryBudget, nowMs);
    this.requeueBudget.configure(settings.requeueBudget, nowMs);
    this.limits.configure(settings.limits);
    this.members.settings = settings;
  }

  /** Resolves when the first complete set has come. */
  firstSet(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        this.#awaitingSet.delete(arrived);
        settle();
      };
      const arrived = (error?: unknown): void => finish(() => (error === undefined ? resolve() : reject(error)));
      const onAbort = (): void => arrived(signal?.reason);
      const late = (): void =>
        arrived(new FairleadError("FAIRLEAD_ERR_DISCOVERY", `${this.name}: no backends within ${timeoutMs} ms`));
      const timer = this.clock.schedule(timeoutMs, late);
      this.#awaitingSet.add(arrived);
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Ends waits for a first set, or for a turn, that will not come. */
  failWaiting(error: FairleadError): void {
    for (const arrived of this.#awaitingSet) arrived(error);
    this.limits.rate?.end(error);
  }

  /** A call begins: it earns its share of extra attempts. */
  callStarted(nowMs: number): void {
    this.counters.calls++;
    if (this.clock.background === false) this.calls.abandonGone(nowMs);
    this.retryBudget.current?.deposit(nowMs);
    this.requeueBudget.current?.deposit(nowMs);
  }

  /** A lease is back: its backend may be done for good, and somebody may be waiting for the place. */
  released(lease: ActiveLease): void {
    const { backend } = lease;
    if (this.leases.size > 0) this.leases.delete(lease);
    if (backend.gone) this.members.forgetIfDone(backend);
    this.changed();
    if (this.releaseListeners.size > 0) for (const listener of this.releaseListeners) listener();
  }

  /** Looks again at whoever waits. */
  changed(): void {
    if (this.#awaitingSet.size > 0 && this.members.known) for (const arrived of this.#awaitingSet) arrived();
    if (this.queue.length > 0) this.queue.serve();
  }

  get idle(): boolean {
    return this.members.all.every((member) => member.idle);
  }

  extend(section: TelemetrySection): () => void {
    this.#sections.set(section.name, section);
    return () => {
      if (this.#sections.get(section.name) === section) this.#sections.delete(section.name);
    };
  }

  attach(attachment: Attachment): () => void {
    this.attachments.add(attachment);
    return () => {
      this.attachments.delete(attachment);
    };
  }

  shared<T>(key: symbol, make: () => T): T {
    if (!this.#shared.has(key)) this.#shared.set(key, make());
    return this.#shared.get(key) as T;
  }

  /** What the sections of other packages say, by name. */
  askSections(ask: (section: TelemetrySection) => Json | undefined): Record<string, Json> {
    const answers: Record<string, Json> = {};
    for (const section of this.#sections.values()) {
      try {
        const answer = ask(section);
        if (answer === undefined) continue;
        // What is no JSON would break whoever sends the snapshot on.
        if (!catchLater(answer, (error) => this.callbackFailed(`section ${section.name}`, error))) {
          answers[section.name] = JSON.parse(JSON.stringify(answer)) as Json;
        }
      } catch (error) {
        this.callbackFailed(`section ${section.name}`, error);
      }
    }
    return answers;
  }

  callbackFailed(where: string, error: unknown): void {
    this.counters.callbackFailures++;
    this.announcer.emit("callbackFailed", () => ({ upstream: this.name, where, error }));
  }
}
