import { Budget } from "./call/budget.ts";
import type { OpenCall } from "./call/call.ts";
import type { ActiveLease } from "./call/lease.ts";
import type { WaitingQueue } from "./call/queue.ts";
import type { Clock } from "./clock.ts";
import type { Attachment } from "./contract.ts";
import type { BreakerProvider } from "./gate/breaker.ts";
import { Members } from "./membership/members.ts";
import type { Random } from "./random.ts";
import type { BudgetSettings, SharedSettings } from "./settings.ts";
import { CallCounters } from "./telemetry/counters.ts";
import { Announcer } from "./telemetry/events.ts";
import type { TelemetrySection } from "./telemetry/snapshot.ts";

/** What a balancer and those derived from it have in common: members, budgets, counters, and everything under way. */
export class Upstream {
  readonly name: string;
  readonly origin: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly announcer: Announcer;
  readonly members: Members;
  readonly counters: CallCounters = new CallCounters();
  /** Queues in which somebody waits. */
  readonly queues: Set<WaitingQueue> = new Set();
  readonly calls: Set<OpenCall> = new Set();
  /** Leases taken by hand. */
  readonly leases: Set<ActiveLease> = new Set();
  readonly sections: Map<string, TelemetrySection> = new Map();
  readonly attachments: Set<Attachment> = new Set();
  retryBudget: Budget | undefined;
  requeueBudget: Budget | undefined;
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
    this.members = new Members(
      {
        upstream: name,
        clock,
        random,
        breaker,
        announcer: this.announcer,
        changed: () => this.changed(),
        callbackFailed: (where, error) => this.callbackFailed(where, error),
      },
      settings,
    );
    const nowMs = clock.now();
    this.retryBudget = settings.retryBudget === undefined ? undefined : new Budget(settings.retryBudget, nowMs);
    this.requeueBudget = settings.requeueBudget === undefined ? undefined : new Budget(settings.requeueBudget, nowMs);
  }

  configure(settings: SharedSettings): void {
    const nowMs = this.clock.now();
    this.members.settings = settings;
    this.retryBudget = reconfigured(this.retryBudget, settings.retryBudget, nowMs);
    this.requeueBudget = reconfigured(this.requeueBudget, settings.requeueBudget, nowMs);
    this.members.invalidate();
  }

  /** A call begins: it earns its share of extra attempts. */
  callStarted(nowMs: number): void {
    this.counters.calls++;
    this.retryBudget?.deposit(nowMs);
    this.requeueBudget?.deposit(nowMs);
  }

  /** A lease is back: its backend may be done for good, and somebody may be waiting for the place. */
  released(lease: ActiveLease): void {
    const { backend } = lease;
    if (backend.gone) this.members.forgetIfDone(backend);
    this.changed();
    if (this.releaseListeners.size > 0) for (const listener of this.releaseListeners) listener();
  }

  /** Looks again at whoever waits. */
  changed(): void {
    if (this.queues.size === 0) return;
    for (const queue of this.queues) queue.serve();
  }

  get idle(): boolean {
    return this.members.all.every((member) => member.idle);
  }

  callbackFailed(where: string, error: unknown): void {
    this.counters.callbackFailures++;
    this.announcer.emit("callbackFailed", () => ({ upstream: this.name, where, error }));
  }
}

function reconfigured(
  budget: Budget | undefined,
  settings: BudgetSettings | undefined,
  nowMs: number,
): Budget | undefined {
  if (settings === undefined) return undefined;
  if (budget === undefined) return new Budget(settings, nowMs);
  budget.configure(settings);
  return budget;
}
