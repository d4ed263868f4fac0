import type { AdminState, Backend, ReportedLoad, RequestKind } from "../backend.ts";
import type { Outcome, Report } from "../call/outcome.ts";
import type { GuardedBreaker } from "../gate/guarded-breaker.ts";
import type { Capacity } from "../gate/limit-capacity.ts";
import type { CheckResult, CheckTarget } from "../health/check/health-check.ts";
import { Ejection } from "../health/ejection.ts";
import { type Health, UNCHECKED } from "../health/health.ts";
import type { Random } from "../random.ts";
import { LatencyRow, type LoadTable } from "../strategy/load/load-table.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import { BackendCounters } from "../telemetry/counters.ts";
import type { ResolvedSpec } from "./spec.ts";

/** What a failure is charged as latency, at least and at most: simulated, keeps fast failures unattractive. */
const LEAST_CHARGE_MS = 1_000;
const LARGEST_CHARGE_MS = 5_000;

/** The balancer's own record of a backend; callers see it as `Backend`. */
export class Member implements Backend, CheckTarget {
  readonly id: string;
  spec: ResolvedSpec;
  weight: number;
  state: AdminState;
  /** Set at run time; wins over the specification until `enable`. */
  stateOverride: AdminState | undefined;
  weightOverride: number | undefined;
  /** No longer in the complete set: forgotten once the last lease is back. */
  gone = false;
  /** In how many views it is in a tier that has set health and ejection aside. */
  panics = 0;
  /** Whole, which keeps it out of the heap; so does an `undefined` below. There may be ten thousand of these. */
  joinedAtMs = 0;
  /** Slow start counts from here: it came back from an ejection, or joined others that were there before. */
  warmsUpFromMs: number | undefined = undefined;
  pausedUntilMs = 0;
  reported: ReportedLoad | undefined = undefined;
  health: Health = UNCHECKED;
  /** Called in panic, it worked: then it takes as many calls as any other, for as long as the panic lasts. */
  worksThoughDown = false;
  lastCheck: CheckResult | undefined = undefined;
  /** Kept by detectors, where there are any: what it did in this interval. */
  tally: Float64Array | undefined = undefined;
  readonly latency: LatencyRow;
  readonly loads: LoadTable;
  /** Its row in `loads`; none after the end. */
  row: number;
  readonly ejection: Ejection;
  readonly counters: BackendCounters = new BackendCounters();
  readonly breaker: GuardedBreaker | undefined;
  #capacity: Capacity | undefined = undefined;
  /** As many are under way as may be. */
  #requestsFull = false;
  #connectionsFull = false;

  constructor(spec: ResolvedSpec, loads: LoadTable, random: Random, breaker: GuardedBreaker | undefined) {
    this.id = spec.id;
    this.spec = spec;
    this.weight = spec.weight;
    this.state = spec.state;
    this.loads = loads;
    this.row = loads.addRow();
    this.latency = new LatencyRow(loads, this.row);
    this.ejection = new Ejection(random);
    this.breaker = breaker;
    this.refreshGate();
  }

  /** Takes over a new specification; history stays. */
  update(spec: ResolvedSpec): void {
    this.spec = spec;
    this.weight = this.weightOverride ?? spec.weight;
    this.state = this.stateOverride ?? spec.state;
    this.gone = false;
    this.refreshGate();
  }

  override(state: AdminState | undefined): void {
    this.stateOverride = state;
    this.state = state ?? this.spec.state;
    this.refreshGate();
  }

  get url(): string {
    return this.spec.url;
  }

  get priority(): number {
    return this.spec.priority;
  }

  get zone(): string | undefined {
    return this.spec.zone;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.spec.labels;
  }

  inFlight(kind: RequestKind): number {
    return (kind === "request" ? this.loads.requests : this.loads.connections)[this.row] ?? 0;
  }

  get idle(): boolean {
    return this.inFlight("request") === 0 && this.inFlight("connection") === 0;
  }

  /** How much may be under way here at once; `undefined`: any amount. */
  get capacity(): Capacity | undefined {
    return this.#capacity;
  }

  set capacity(capacity: Capacity | undefined) {
    this.#capacity = capacity;
    this.noteLimits();
  }

  /** One attempt more (1) or less (−1) under way. Returns how many there are now. */
  count(kind: RequestKind, change: 1 | -1): number {
    const inFlight = this.loads.count(this.row, kind, change);
    if (this.#capacity !== undefined) this.#noteLimit(kind, this.#capacity.isFull(kind, inFlight));
    return inFlight;
  }

  isFull(kind: RequestKind): boolean {
    return this.#capacity?.isFull(kind, this.inFlight(kind)) === true;
  }

  /** To be called after any change of a limit. */
  noteLimits(): void {
    this.#noteLimit("request", this.isFull("request"));
    this.#noteLimit("connection", this.isFull("connection"));
  }

  /** The gate has to be asked only while a limit is reached. */
  #noteLimit(kind: RequestKind, full: boolean): void {
    if (full === (kind === "request" ? this.#requestsFull : this.#connectionsFull)) return;
    if (kind === "request") this.#requestsFull = full;
    else this.#connectionsFull = full;
    this.refreshGate();
  }

  get inPanic(): boolean {
    return this.panics > 0;
  }

  /** Whether new calls may come here at all, as far as operator and discovery are concerned. */
  get inPlay(): boolean {
    return !this.gone && (this.state === "enabled" || this.state === "degraded");
  }

  get epoch(): number {
    return this.ejection.generation;
  }

  get isDown(): boolean {
    return this.health.kind === "down";
  }

  get isPending(): boolean {
    return this.health.kind === "pending";
  }

  /** Waits for its very first check. */
  get isUnknown(): boolean {
    return this.isPending && this.lastCheck === undefined;
  }

  /** In play only in panic. */
  get failed(): boolean {
    return this.ejection.ejected || this.isDown;
  }

  /** Not fully trusted, by what calls or checks tell: such a backend takes one attempt at a time. */
  get suspect(): boolean {
    return this.ejection.suspect || (this.isDown && !this.worksThoughDown);
  }

  admits(request: PickRequest, nowMs: number): boolean {
    if (this.loads.gated[this.row] !== 0 && !this.#gateOpen(request, nowMs)) return false;
    return request.tried === undefined || !request.tried.has(this);
  }

  #gateOpen(request: PickRequest, nowMs: number): boolean {
    if (this.gone || this.state === "disabled") return false;
    // A draining backend serves those who live there.
    if (this.state === "draining" && request.pinned !== this.id) return false;
    if (nowMs < this.pausedUntilMs) return false;
    if (request.kind === "connection" ? this.#connectionsFull : this.#requestsFull) return false;
    if (this.breaker !== undefined && !this.breaker.admits(nowMs, request)) return false;
    if (this.isPending || (this.failed && !this.inPanic)) return false;
    return !this.suspect || this.#admitsSuspect(request, nowMs);
  }

  /** Has failed, and takes one attempt at a time. */
  get testable(): boolean {
    return this.inPlay && this.suspect && (this.inPanic || !this.failed);
  }

  /** Whatever else may open: its breaker takes no such call for a time, so that waiting for it is pointless. */
  cutOff(request: PickRequest, nowMs: number): boolean {
    const { breaker } = this;
    return breaker !== undefined && breaker.stateFor(nowMs, request) === "open" && !breaker.admits(nowMs, request);
  }

  /** One attempt at a time, and a retry only as the last resort: it has failed once already. */
  #admitsSuspect(request: PickRequest & { readonly lastResort?: boolean }, nowMs: number): boolean {
    if (request.tried !== undefined && request.lastResort !== true) return false;
    return this.ejection.hasFreeProbe(nowMs);
  }

  /** Back in play as if it had never failed. */
  acquit(): void {
    this.ejection.reset();
    this.tally?.fill(0);
    this.refreshGate();
  }

  /** A test attempt has its verdict. Returns whether that has shown that it works although it is down. */
  leaveProbe(generation: number, outcome: Outcome): boolean {
    this.ejection.leaveProbe(generation);
    if (outcome !== "success" || !this.isDown) return false;
    this.worksThoughDown = true;
    this.refreshGate();
    return true;
  }

  endPause(): void {
    this.pausedUntilMs = 0;
    this.refreshGate();
  }

  /** To be called after any change of what the gate looks at: notes whether it has to be asked at all. */
  refreshGate(): void {
    const gated =
      this.breaker?.passes === false ||
      this.pausedUntilMs > 0 ||
      this.ejection.suspect ||
      this.isDown ||
      this.isPending ||
      this.#requestsFull ||
      this.#connectionsFull ||
      this.gone ||
      this.state === "draining" ||
      this.state === "disabled";
    this.loads.setGated(this.row, gated);
  }

  /**
   * Takes in the verdict on load and counters; connections tell nothing about request latency.
   *
   * @param lagMs how much of `latencyMs` this process spent on itself: callers felt it, but it is not the backend's load
   */
  record(kind: RequestKind, report: Report, latencyMs: number, lagMs: number, nowMs: number): void {
    this.counters.count(report.outcome);
    if (typeof report.load === "object") this.reported = { load: report.load, atMs: nowMs };
    if (kind === "connection") return;
    const ownMs = Math.max(0, latencyMs - lagMs);
    if (report.outcome === "ignored") {
      // No blame; but a backend must not look fast because nobody has the patience to wait for it.
      this.loads.observeAtLeast(this.row, Math.min(ownMs, LARGEST_CHARGE_MS), nowMs);
    } else if (report.outcome === "success") {
      this.counters.latency.record(latencyMs);
      // Where this process stood still all the time, nothing is known; 0 would say that there is no history.
      if (ownMs > 0 || lagMs === 0) this.loads.observe(this.row, ownMs, nowMs);
    } else {
      this.loads.observe(this.row, Math.min(Math.max(ownMs, LEAST_CHARGE_MS), LARGEST_CHARGE_MS), nowMs);
    }
  }

  dispose(): void {
    this.loads.freeRow(this.row);
    this.latency.end();
    this.row = -1;
    this.breaker?.[Symbol.dispose]();
  }
}
