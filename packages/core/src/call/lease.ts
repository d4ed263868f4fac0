import type { RequestKind } from "../backend.ts";
import type { LagMeter } from "../clock.ts";
import type { Lease } from "../contract.ts";
import type { Member } from "../membership/member.ts";
import type { Members } from "../membership/members.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import { DISPOSE } from "../symbols.ts";
import { type Outcome, type Report, UNSETTLED } from "./outcome.ts";

/** What a lease needs of the balancer it came from. */
export interface LeaseHost {
  readonly members: Members;
  readonly lag: LagMeter | undefined;
  now(): number;
  /** An attempt begins: counts it. Returns how many are under way now, where its limit is. */
  entered(backend: Member, kind: RequestKind): number;
  /** What a backend says of its load, as text: read by the strategy that asked for it. */
  readLoad(report: Report): Report;
  /** Where a limit follows latency. `ownMs`: that of the attempt, without the time that this process stood still. */
  readonly limits: { readonly adapts: boolean };
  learn(lease: ActiveLease, outcome: Outcome, ownMs: number): void;
  /** A verdict may have opened a gate. */
  settled(): void;
  /** A place is free: somebody may be waiting for it. */
  released(lease: ActiveLease): void;
}

/** One attempt's hold on one backend: enters the gate when made, leaves it when settled, is counted until released. */
export class ActiveLease implements Lease {
  readonly backend: Member;
  readonly kind: RequestKind;
  readonly startedAtMs: number;
  /** What was under way when it began, itself included: on its backend, or on all if that is what is limited. */
  readonly inFlight: number;
  readonly #host: LeaseHost;
  readonly #ejectionGeneration: number;
  readonly #breakerGeneration: number;
  /** Whether it holds the one place of a suspect backend. */
  readonly probe: boolean;
  settled = false;
  released = false;

  constructor(host: LeaseHost, backend: Member, request: PickRequest, nowMs: number) {
    const kind = request.kind ?? "request";
    this.#host = host;
    this.backend = backend;
    this.kind = kind;
    this.startedAtMs = nowMs;
    this.#ejectionGeneration = backend.ejection.generation;
    this.probe = backend.suspect;
    if (this.probe) backend.ejection.enterProbe(nowMs);
    this.#breakerGeneration = backend.breaker === undefined ? 0 : backend.breaker.enter(nowMs, request);
    backend.counters.attempts++;
    this.inFlight = host.entered(backend, kind);
    host.lag?.watch(nowMs);
  }

  settle(report: Report): void {
    this.settleAt(report, this.#host.now());
  }

  settleAt(given: Report, nowMs: number): void {
    if (this.settled) return;
    this.settled = true;
    const { backend } = this;
    const report = typeof given.load === "string" ? this.#host.readLoad(given) : given;
    const lagMs = this.#host.lag?.during(this.startedAtMs, nowMs) ?? 0;
    const latencyMs = this.#latencyOf(report, nowMs);
    if (backend.breaker !== undefined)
      backend.breaker.report(this.#breakerGeneration, report, nowMs, Math.max(0, latencyMs - lagMs));
    if (this.probe) this.#host.members.tested(backend, this.#ejectionGeneration, report, nowMs);
    this.#host.members.judge(backend, this.kind, this.#ejectionGeneration, report, latencyMs, lagMs, nowMs);
    if (this.#host.limits.adapts) this.#host.learn(this, report.outcome, latencyMs - lagMs);
    this.#host.settled();
  }

  /** Whatever a transport measured, a latency is a number. */
  #latencyOf({ latencyMs = -1 }: Report, nowMs: number): number {
    return latencyMs >= 0 && latencyMs < Number.POSITIVE_INFINITY ? latencyMs : nowMs - this.startedAtMs;
  }

  release(late?: Report): void {
    if (this.released) return;
    this.released = true;
    if (!this.settled) this.settle(late ?? UNSETTLED);
    else if (late !== undefined && late.outcome !== "success" && late.outcome !== "ignored")
      this.backend.counters.streamFailures++;
    this.backend.count(this.kind, -1);
    this.#host.released(this);
  }

  declare readonly [Symbol.dispose]: () => void;
}

/** Not among the methods: declarations can't name it, since it has another name in browsers without `Symbol.dispose`. */
Object.defineProperty(ActiveLease.prototype, DISPOSE, {
  value(this: ActiveLease) {
    this.release();
  },
});
