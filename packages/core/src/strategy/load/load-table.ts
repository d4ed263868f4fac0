import type { LatencyLoad, RequestKind } from "../../backend.ts";

/** How far exponents may grow before the time scale is moved: e^500 times any latency is far below 1.8e308. */
const LARGEST_EXPONENT = 500;
const FIRST_ROWS = 16;

/**
 * What strategies compare, for all backends of a balancer, in columns: a pick that looks at many backends reads a few
 * dense arrays instead of many objects. Columns are replaced when the table grows, so read them anew for every pick.
 */
export interface LoadColumns {
  /** Latency in scaled time (see `LatencyLoad.scaled`); 0 without history. */
  readonly latency: Float64Array;
  /** Requests under way. */
  readonly requests: Int32Array;
  /** Connections open or opening. */
  readonly connections: Int32Array;
  /** Sums over all backends of the balancer, in play or not. */
  readonly totalRequests: number;
  readonly totalConnections: number;
  /** 0: the gate is open to every attempt that has not tried this backend, so `admits` need not be asked. */
  readonly gated: Uint8Array;
  /** How many rows of `gated` are not 0: mostly none. */
  readonly gatedRows: number;
}

/**
 * Keeps in-flight counts and peak EWMAs of latency, a row per backend.
 *
 * An average that fades as `value · e^(−age/τ)` is kept as `value · e^(stamp/τ)` instead ("forward decay"): then all of
 * them fade by not being touched, and comparing them at any moment needs no exponential function at all.
 *
 * Sources: Finagle, `loadbalancer/PeakEwma.scala`; Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay" (ICDE 2009).
 */
export class LoadTable implements LoadColumns {
  latency: Float64Array = new Float64Array(FIRST_ROWS);
  requests: Int32Array = new Int32Array(FIRST_ROWS);
  connections: Int32Array = new Int32Array(FIRST_ROWS);
  totalRequests = 0;
  totalConnections = 0;
  gated: Uint8Array = new Uint8Array(FIRST_ROWS);
  gatedRows = 0;
  /** The factor of the last sample's moment; 0 without history. */
  #stamps: Float64Array = new Float64Array(FIRST_ROWS);
  #free: number[] = [];
  #rows = 0;
  #epochMs: number;
  readonly #decayMs: number;

  /** @param decayMs τ, in milliseconds */
  constructor(decayMs: number, nowMs: number) {
    this.#decayMs = decayMs;
    this.#epochMs = nowMs;
  }

  addRow(): number {
    const row = this.#free.pop() ?? this.#rows++;
    if (row === this.latency.length) this.#grow();
    return row;
  }

  /** The row may be given to another backend. */
  freeRow(row: number): void {
    this.forget(row);
    this.totalRequests -= this.requests[row] ?? 0;
    this.totalConnections -= this.connections[row] ?? 0;
    this.requests[row] = 0;
    this.connections[row] = 0;
    this.setGated(row, false);
    this.#free.push(row);
  }

  /** One attempt more (1) or less (−1) under way. Returns how many there are now. */
  count(row: number, kind: RequestKind, change: 1 | -1): number {
    if (kind === "request") {
      const requests = (this.requests[row] ?? 0) + change;
      this.requests[row] = requests;
      this.totalRequests += change;
      return requests;
    }
    const connections = (this.connections[row] ?? 0) + change;
    this.connections[row] = connections;
    this.totalConnections += change;
    return connections;
  }

  setGated(row: number, gated: boolean): void {
    const before = this.gated[row] ?? 0;
    const after = gated ? 1 : 0;
    this.gated[row] = after;
    this.gatedRows += after - before;
  }

  /** Takes in a latency of `ms` milliseconds: `max(ms, old · w + ms · (1 − w))`, w = e^(−age/τ). */
  observe(row: number, ms: number, nowMs: number): void {
    const factor = this.#factorAt(nowMs);
    const kept = (this.#stamps[row] ?? 0) / factor;
    const mixed = (this.latency[row] ?? 0) / factor + ms * (1 - kept);
    this.latency[row] = (ms > mixed ? ms : mixed) * factor;
    this.#stamps[row] = factor;
  }

  /** An attempt was given up after `ms` milliseconds: its latency would have been that or more. */
  observeAtLeast(row: number, ms: number, nowMs: number): void {
    if (ms > this.read(row, nowMs)) this.observe(row, ms, nowMs);
  }

  /** Milliseconds, faded to `nowMs`. */
  read(row: number, nowMs: number): number {
    const scaled = this.latency[row] ?? 0;
    return scaled === 0 ? 0 : scaled / this.#factorAt(nowMs);
  }

  /** Back to "no history": what a backend did before it was ejected says nothing about it now. */
  forget(row: number): void {
    this.latency[row] = 0;
    this.#stamps[row] = 0;
  }

  /** The factor by which values of this moment are scaled. */
  #factorAt(nowMs: number): number {
    const exponent = (nowMs - this.#epochMs) / this.#decayMs;
    if (exponent < LARGEST_EXPONENT) return Math.exp(exponent);
    const back = Math.exp(-exponent);
    this.latency = this.latency.map((value) => value * back);
    this.#stamps = this.#stamps.map((value) => value * back);
    this.#epochMs = nowMs;
    return 1;
  }

  #grow(): void {
    const size = this.latency.length * 2;
    this.latency = copyInto(new Float64Array(size), this.latency);
    this.#stamps = copyInto(new Float64Array(size), this.#stamps);
    this.requests = copyInto(new Int32Array(size), this.requests);
    this.connections = copyInto(new Int32Array(size), this.connections);
    this.gated = copyInto(new Uint8Array(size), this.gated);
  }
}

function copyInto<T extends Float64Array | Int32Array | Uint8Array>(larger: T, column: T): T {
  larger.set(column);
  return larger;
}

/** One backend's latency, as callers see it. */
export class LatencyRow implements LatencyLoad {
  readonly #table: LoadTable;
  #row: number;

  constructor(table: LoadTable, row: number) {
    this.#table = table;
    this.#row = row;
  }

  read(nowMs: number): number {
    return this.#table.read(this.#row, nowMs);
  }

  get scaled(): number {
    return this.#table.latency[this.#row] ?? 0;
  }

  /** The row is free: whoever keeps this must not read the latency of the next backend in it. */
  end(): void {
    this.#row = -1;
  }
}
