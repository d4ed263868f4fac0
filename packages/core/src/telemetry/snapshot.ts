import type { AdminState } from "../backend.ts";
import type { CallHost } from "../call/call-host.ts";
import type { Clock } from "../clock.ts";
import type { LimitName } from "../errors.ts";
import type { BreakerState } from "../gate/breaker.ts";
import type { RateSnapshot } from "../gate/rate/rate-gate.ts";
import type { EjectionSkip } from "../health/outliers/detection.ts";
import type { Member } from "../membership/member.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { Topology } from "../view/topology.ts";
import type { CallCounter } from "./counters.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** What another package adds to a balancer's snapshot and explanations. */
export interface TelemetrySection {
  /** Key of the section; must be unique in its balancer. */
  readonly name: string;
  snapshot?(): Json;
  explain?(request: PickRequest): Json;
}

/** One backend as it is now. Flat, so that `console.table(snapshot.backends)` reads well. */
export interface BackendSnapshot {
  readonly id: string;
  readonly url: string;
  readonly state: AdminState | "removed";
  /**
   * `down`: has failed its health checks; `pending`: has not passed any yet; `ejected`: out for a time; `probation`: back on
   * trial; `paused`: asked for peace; `panic`: failed, used all the same.
   */
  readonly health: "healthy" | "down" | "pending" | "ejected" | "probation" | "paused" | "panic";
  readonly breaker: BreakerState | null;
  readonly priority: number;
  readonly zone: string | null;
  readonly weight: number;
  readonly requests: number;
  readonly connections: number;
  /** How many there may be at once, an adaptive limit as it is now; null: any number. */
  readonly requestLimit: number | null;
  readonly connectionLimit: number | null;
  /** Leases ever given. */
  readonly attempts: number;
  readonly successes: number;
  readonly failures: number;
  readonly overloads: number;
  readonly unreached: number;
  readonly ignored: number;
  readonly streamFailures: number;
  readonly ejections: number;
  /** Ejections for which there was cause, but which a limit, chance or a dry run kept from coming about. */
  readonly ejectionsSkipped: number;
  readonly checksPassed: number;
  readonly checksFailed: number;
  /** Milliseconds; successful requests only. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What strategies compare: the faded peak, failures as charged. Milliseconds. */
  readonly ewmaMs: number;
  /** Milliseconds since 1970, or null. */
  readonly ejectedUntilAt: number | null;
  readonly pausedUntilAt: number | null;
  /** The last health check: when it ended, how long it took, what it found. Null: not checked. */
  readonly lastCheckAt: number | null;
  readonly lastCheckMs: number | null;
  readonly lastCheckPassed: boolean | null;
  readonly lastCheckReason: string | null;
  /** As that check saw it. */
  readonly certificateExpiresAt: number | null;
}

/** How often one backend gave cause of one kind for an ejection, and one thing came of it. */
export interface EjectionSnapshot {
  readonly backend: string;
  /** The option or the detector that has found it, or `failedTest`. */
  readonly kind: string;
  /** `ejected`, or what has kept it from that. */
  readonly result: "ejected" | EjectionSkip;
  readonly count: number;
}

/** Such as the size of a ring and the fewest and most entries of a backend. */
export interface TableSnapshot {
  readonly priority: number;
  readonly zone: string | null;
  readonly degraded: boolean;
  readonly values: Readonly<Record<string, number>>;
}

/** Everything a balancer knows now, as plain JSON. */
export interface BalancerSnapshot {
  readonly name: string;
  readonly origin: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly state: "starting" | "open" | "closing" | "closed";
  readonly strategy: string;
  readonly backends: readonly BackendSnapshot[];
  /** The health check that runs; null: none is wanted, or it can't run here (no background timers). */
  readonly healthCheck: string | null;
  /** By backend, kind and result; without those that have not happened. */
  readonly ejections: readonly EjectionSnapshot[];
  /** Priorities in which health and ejection are set aside. */
  readonly panic: readonly number[];
  /** How good the tables are by which the strategy picks, if it has any; one entry per tier that has been used. */
  readonly tables: readonly TableSnapshot[];
  /** Calls waiting for a backend. */
  readonly waiting: number;
  readonly calls: Readonly<Record<CallCounter, number>>;
  /** Limits of the upstream as a whole, as they are now. */
  readonly limits: {
    /** Null: any number. */
    readonly requests: number | null;
    readonly connections: number | null;
    /** Null: calls may come as fast as they like. */
    readonly rate: RateSnapshot | null;
    /** Calls and leases that each limit has turned away. */
    readonly shed: Readonly<Record<LimitName, number>>;
  };
  /** Extra attempts that could be made now; null: unlimited. */
  readonly budgets: { readonly retry: number | null; readonly requeue: number | null };
  readonly discovery: {
    readonly name: string;
    readonly updates: number;
    readonly errors: number;
    readonly lastError: string | null;
    readonly updatedAt: number | null;
    /** Milliseconds since the last usable answer, an unchanged one included; null before the first, or for a fixed set. */
    readonly ageMs: number | null;
    /** Answers without any backend in a row that the set in force has outlived. */
    readonly emptyAnswers: number;
  };
  /** By the name of the section. */
  readonly sections: Readonly<Record<string, Json>>;
}

function backendSnapshot(member: Member, clock: Clock, nowMs: number): BackendSnapshot {
  const { counters } = member;
  const { latency, ...counts } = counters;
  const toWall = (ms: number): number => Math.round(clock.wallNow() + ms - nowMs);
  return {
    id: member.id,
    url: member.url,
    state: member.gone ? "removed" : member.state,
    health: healthOf(member, nowMs),
    breaker: member.breaker?.state ?? null,
    priority: member.priority,
    zone: member.zone ?? null,
    weight: member.weight,
    requests: member.inFlight("request"),
    connections: member.inFlight("connection"),
    requestLimit: member.capacity?.limitOf("request") ?? null,
    connectionLimit: member.capacity?.limitOf("connection") ?? null,
    ...counts,
    ejections: counters.countEjections(true),
    ejectionsSkipped: counters.countEjections(false),
    p50Ms: latency.quantile(0.5),
    p99Ms: latency.quantile(0.99),
    ewmaMs: round(member.latency.read(nowMs)),
    ejectedUntilAt: member.ejection.untilMs === undefined ? null : toWall(member.ejection.untilMs),
    pausedUntilAt: nowMs < member.pausedUntilMs ? toWall(member.pausedUntilMs) : null,
    ...lastCheckOf(member, toWall),
  };
}

type LastCheck = Pick<
  BackendSnapshot,
  "lastCheckAt" | "lastCheckMs" | "lastCheckPassed" | "lastCheckReason" | "certificateExpiresAt"
>;

function lastCheckOf({ lastCheck }: Member, toWall: (ms: number) => number): LastCheck {
  return {
    lastCheckAt: lastCheck === undefined ? null : toWall(lastCheck.endedAtMs),
    lastCheckMs: lastCheck === undefined ? null : round(lastCheck.endedAtMs - lastCheck.startedAtMs),
    lastCheckPassed: lastCheck?.passed ?? null,
    lastCheckReason: lastCheck?.reason ?? null,
    certificateExpiresAt: lastCheck?.certificateExpiresAt ?? null,
  };
}

function healthOf(member: Member, nowMs: number): BackendSnapshot["health"] {
  if (member.isPending) return "pending";
  if (member.failed && member.inPanic) return "panic";
  if (member.isDown) return "down";
  if (member.ejection.ejected) return "ejected";
  if (member.ejection.probation) return "probation";
  return nowMs < member.pausedUntilMs ? "paused" : "healthy";
}

/** What a snapshot says beyond what calls run on. */
export interface SnapshotContext {
  readonly origin: string;
  readonly state: BalancerSnapshot["state"];
  /** `undefined`: a fixed set. */
  readonly discovery: BalancerSnapshot["discovery"] | undefined;
  readonly sections: Readonly<Record<string, Json>>;
}

const FIXED: BalancerSnapshot["discovery"] = {
  name: "fixed",
  updates: 1,
  errors: 0,
  lastError: null,
  updatedAt: null,
  ageMs: null,
  emptyAnswers: 0,
};

export function balancerSnapshot(host: CallHost, context: SnapshotContext): BalancerSnapshot {
  const { clock, members } = host;
  const nowMs = clock.now();
  const topology = members.view().topology(nowMs);
  return {
    name: host.name,
    origin: context.origin,
    at: Math.round(clock.wallNow()),
    state: context.state,
    strategy: host.settings.strategy.name,
    backends: members.all.map((member) => backendSnapshot(member, clock, nowMs)),
    healthCheck: members.checks.running ?? null,
    ejections: members.all.flatMap(({ id, counters }) =>
      (counters.ejections ?? []).map((ejection) => ({ backend: id, ...ejection })),
    ),
    panic: topology.panic,
    tables: tablesOf(host, topology),
    waiting: host.queue.lengthOf(host),
    calls: host.counters.toJSON(),
    limits: {
      requests: host.limits.whole?.limitOf("request") ?? null,
      connections: host.limits.whole?.limitOf("connection") ?? null,
      rate: host.limits.rate?.snapshot() ?? null,
      shed: { ...host.limits.shed },
    },
    budgets: {
      retry: host.retryBudget?.available(nowMs) ?? null,
      requeue: host.requeueBudget?.available(nowMs) ?? null,
    },
    discovery: context.discovery ?? FIXED,
    sections: context.sections,
  };
}

function tablesOf({ chooser }: CallHost, topology: Topology): TableSnapshot[] {
  return topology.tiers.flatMap((tier) => {
    const values = chooser.tableOf(topology, tier);
    return values === undefined
      ? []
      : [{ priority: tier.priority, zone: tier.zone ?? null, degraded: tier.degraded, values }];
  });
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
