/** How long a worker takes for a request, milliseconds. */
export type ServiceTime =
  | { readonly kind: "exponential" | "constant"; readonly meanMs: number }
  /** e^(μ + σZ) with the given mean. `sigma` > 0, default 1. */
  | { readonly kind: "lognormal"; readonly meanMs: number; readonly sigma?: number | undefined }
  /** A share of the requests, above 0 and below 1, takes `slowFactor` ≥ 1 times as long as the others. */
  | { readonly kind: "bimodal"; readonly meanMs: number; readonly slowShare: number; readonly slowFactor: number };

/** Backends that are alike. Their ids are the name and a number from 1 on: `web-1`, `web-2`. */
export interface BackendGroup {
  /** Letters, digits and hyphens. */
  readonly name: string;
  /** How many there are at first; 0 for a group that a change adds to later. */
  readonly count: number;
  /** Requests served at once; the others wait, first come first served. Default 4. */
  readonly workers?: number | undefined;
  /** Default exponential with a mean of 10 ms. */
  readonly service?: ServiceTime | undefined;
  /** As in a `BackendSpec`; so are the three below. */
  readonly weight?: number | undefined;
  readonly zone?: string | undefined;
  readonly priority?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * Some of the backends: the name of a group (`web`), one backend (`web-3`), everybody in a zone (`zone:a`), or several of
 * these. Looked up when needed, among those that are in the set then.
 */
export type Targets = string | readonly string[];

/** Times are milliseconds from the beginning of the measurement. */
interface Span {
  readonly targets: Targets;
  /** Default: from the beginning of the warm-up. */
  readonly fromMs?: number | undefined;
  /** Default: to the end. */
  readonly toMs?: number | undefined;
}

/** Requests begun in this time take `factor` > 0 times as long. */
interface Slow {
  readonly kind: "slow";
  readonly factor: number;
}

/** Stands still for so many milliseconds; what is under way goes on after. */
interface Pause {
  readonly kind: "pause";
  readonly forMs: number;
  /** From the beginning of one to that of the next. Default: there is one. */
  readonly everyMs?: number | undefined;
}

/** Answers an error without taking a worker. */
interface Fail {
  readonly kind: "fail";
  /** 400 to 599; below 500, only 429 counts as an error. Default 503. */
  readonly status?: number | undefined;
  /** Default 0. */
  readonly afterMs?: number | undefined;
  /** Of the requests; above 0 to 1. Default 1. */
  readonly share?: number | undefined;
}

/** Resets what it has, then refuses connections. */
interface Dead {
  readonly kind: "dead";
  /** How long a refusal takes. Default 0. */
  readonly afterMs?: number | undefined;
}

/** Takes requests and never answers them; those it had before it answers. */
interface Hang {
  readonly kind: "hang";
}

/** Begins `factor` ≥ 1 times as slow; the factor falls evenly to 1 over `forMs`. */
interface Cold {
  readonly kind: "cold";
  readonly factor: number;
  readonly forMs: number;
}

/** What is wrong with some backends for a time. */
export type Fault = Span & (Slow | Pause | Fail | Dead | Hang | Cold);

/** When a change comes about, and how it is told. */
interface Pace {
  /** Milliseconds from the beginning of the measurement. */
  readonly atMs: number;
  /** Milliseconds from one backend to the next. Default 0: all at once. */
  readonly everyMs?: number | undefined;
  /** Milliseconds until clients know. Default 0. */
  readonly noticeMs?: number | undefined;
}

/** How new backends are slow at first. */
export type ColdStart = Omit<Cold, "kind">;

/** New backends of a group. */
interface Add {
  readonly kind: "add";
  readonly group: string;
  readonly count: number;
  readonly cold?: ColdStart | undefined;
}

/** Ends backends: each resets what it still has, and refuses what comes later. */
interface Remove {
  readonly kind: "remove";
  readonly targets: Targets;
  /** Milliseconds for which clients are told that it is draining, before it ends. Default 0. */
  readonly drainMs?: number | undefined;
}

/** Ends backends in the same way; each time another one takes its place: `web-3-v2` that of `web-3`. */
interface Replace {
  readonly kind: "replace";
  readonly targets: Targets;
  readonly drainMs?: number | undefined;
  readonly cold?: ColdStart | undefined;
}

/** How the set of backends changes. */
export type Change = Pace & (Add | Remove | Replace);

/** A stretch of the measurement with figures of its own. */
export interface Phase {
  readonly name: string;
  readonly fromMs: number;
  /** Default: to the end. */
  readonly toMs?: number | undefined;
}

/**
 * How often calls arrive, of all clients together, at random (a Poisson process). `loadPercent`: of what the workers of
 * the first set can do, in the priority that serves first; faults and changes are not counted.
 */
export type Arrivals = { readonly loadPercent: number } | { readonly callsPerSecond: number };

/** The hash keys of calls: `key-1`, `key-2` and so on, each call drawing one by lot. */
export interface Keys {
  /** Whole, 1 to 10,000,000. */
  readonly count: number;
  /**
   * How much they differ: the chance of key number k is in proportion to 1/k^skew (Zipf's law), ≥ 0. Default 0: all alike.
   * With 1, the first of 10,000 keys has a tenth of the calls.
   */
  readonly skew?: number | undefined;
}

/** What is simulated: plain data, which JSON can hold. */
export interface Scenario {
  readonly name: string;
  readonly description?: string | undefined;
  readonly backends: readonly BackendGroup[];
  readonly arrivals: Arrivals;
  /** Milliseconds that are measured. */
  readonly durationMs: number;
  /** Milliseconds before that. Default 5,000. */
  readonly warmUpMs?: number | undefined;
  /** Processes, each with a balancer of its own. Default 20. */
  readonly clients?: number | undefined;
  /** Where the clients are: they take these zones by turns. Default: nowhere. */
  readonly clientZones?: readonly string[] | undefined;
  /** Milliseconds that a request, and its answer, is on its way. Default 0.25. */
  readonly networkMs?: number | undefined;
  /** Milliseconds after which a client gives an attempt up; the backend works on. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /** Whether calls may be repeated, as a GET may. Default `true`. */
  readonly idempotent?: boolean | undefined;
  /** Each call carries one of these hash keys. Default: none. */
  readonly keys?: Keys | undefined;
  readonly faults?: readonly Fault[] | undefined;
  readonly changes?: readonly Change[] | undefined;
  readonly phases?: readonly Phase[] | undefined;
  /** Milliseconds of each step of the timeline. Default: a twentieth of `durationMs`. */
  readonly stepMs?: number | undefined;
  /** Whole, 0 to 2³² − 1. Default 1. */
  readonly seed?: number | undefined;
}

export const DEFAULTS = {
  workers: 4,
  service: { kind: "exponential", meanMs: 10 },
  warmUpMs: 5_000,
  clients: 20,
  networkMs: 0.25,
  timeoutMs: 2_000,
  steps: 20,
  seed: 1,
} as const;
