import type { LoadReport } from "./call/outcome.ts";

import type { PickRequest } from "./strategy/strategy.ts";

/** `request`: over within seconds. `connection`: a socket that may live for hours. */
export type RequestKind = "request" | "connection";

/** What an operator wants of a backend. `degraded`: used where enabled ones don't suffice. */
export type AdminState = "enabled" | "degraded" | "draining" | "disabled";

export interface TlsOptions {
  readonly ca?: string | readonly string[] | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly serverName?: string | undefined;
  /** Default `true`. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** One instance of a service, as configured or as discovery reports it. Immutable. */
export interface BackendSpec {
  /** Absolute `http:`, `https:`, `ws:` or `wss:` URL. A path is a prefix for every call. */
  readonly url: string;
  /** Identity: a backend with the same id keeps its history. Default `host:port`. */
  readonly id?: string | undefined;
  /** Share relative to the others, > 0. Default 1. */
  readonly weight?: number | undefined;
  /** 0 serves first (default); 1 and up stand by. */
  readonly priority?: number | undefined;
  readonly zone?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Host header and TLS server name, where the transport can set them. */
  readonly host?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Requests under way here at once; whole, ≥ 1. Default: `limits.maxConcurrentPerBackend`. */
  readonly maxConcurrent?: number | undefined;
  /** Connections open here at once; whole, ≥ 1. Default: `limits.maxConnectionsPerBackend`. */
  readonly maxConnections?: number | undefined;
  /** Default `enabled`. */
  readonly state?: AdminState | undefined;
}

/**
 * A smoothed latency that strategies compare, failures included at what they were charged.
 */
export interface LatencyLoad {
  /** Milliseconds, faded to `nowMs`; 0 without history. */
  read(nowMs: number): number;
  /**
   * The same times a factor that all backends of a balancer share at any moment: for comparing many backends without
   * an exponential function each. 0 without history.
   */
  readonly scaled: number;
}

/** What a backend last said of its own load. */
export interface ReportedLoad {
  readonly load: LoadReport;
  /** Monotonic milliseconds of the balancer's clock. */
  readonly atMs: number;
}

/** One instance of a service: its specification plus what this process knows of it now. */
export interface Backend {
  readonly id: string;
  /** Without a trailing slash. */
  readonly url: string;
  /** Configured or set at run time. */
  readonly weight: number;
  readonly priority: number;
  readonly zone: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: BackendSpec;
  readonly state: AdminState;
  readonly latency: LatencyLoad;
  /** `undefined` until it has reported any. */
  readonly reported: ReportedLoad | undefined;
  /** Leases held now, of one kind. */
  inFlight(kind: RequestKind): number;
  /**
   * The gate: whether this backend takes this attempt now (ejection, breaker, pause, already tried). Pure; false for a
   * backend that is out of play.
   */
  admits(request: PickRequest, nowMs: number): boolean;
}
