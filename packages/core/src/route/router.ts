import type { Affinity } from "../affinity/affinity.ts";
import type { Attempt, CallOptions } from "../call/attempt.ts";
import type { Balancer } from "../contract.ts";
import type { RoutableRequest } from "./routable.ts";

/** What the calls of a route have in common, where a call says nothing itself; see `CallOptions`. */
export type RouteCallOptions = Pick<
  CallOptions<unknown>,
  "attemptTimeoutMs" | "classify" | "deadlineMs" | "fallback" | "hedge" | "labels" | "retry"
>;

/** Whatever makes calls takes either. */
export type Target = Balancer | Router;

/** Chooses a balancer for each request, by its host, path, method and headers. Made by `createRouter`. */
export interface Router {
  readonly name: string;
  /** The logical origin: what relative URLs are resolved against. */
  readonly origin: string;
  /** Every balancer that a request can be sent to, mirrors included. */
  readonly balancers: readonly Balancer[];
  /** Whether requests to an origin, such as `http://api.example.com`, are for this router. */
  serves(origin: string): boolean;
  /** Where a request goes; `undefined`: no route is for it. Counts it: ask once per request. */
  route(request: RoutableRequest): RouteMatch | undefined;
  /** Where it would go, and why no earlier route takes it. No side effect. */
  explain(request: RoutableRequest): RouteExplanation;
  /** What has gone where, as plain JSON. */
  snapshot(): RouterSnapshot;
}

/** Why a request goes where it goes. */
export interface RouteExplanation {
  /** Null: no route is for it. */
  readonly route: string | null;
  /** Null: nobody, or that is drawn when the request comes. */
  readonly upstream: string | null;
  /** Path and query for the backend. */
  readonly path: string | null;
  /** The routes before it, with the first of their conditions that does not hold: `host`, `path`, `header x-canary`… */
  readonly passed: readonly { readonly route: string; readonly because: string }[];
}

/** A router as it stands. */
export interface RouterSnapshot {
  readonly name: string;
  readonly origin: string;
  /** In their order; the default is the last. */
  readonly routes: readonly RouteSnapshot[];
  /** Requests that no route was for. */
  readonly unmatched: number;
}

export interface RouteSnapshot {
  readonly route: string;
  /** Requests that it was for, redirects and those that its limits turned away included. */
  readonly matched: number;
  readonly shares: readonly { readonly upstream: string; readonly percent: number; readonly requests: number }[];
  /** Calls under way; null: nobody counts them, there being no limit. */
  readonly underWay: number | null;
  /** Calls that its limits have turned away. */
  readonly shed: { readonly concurrency: number; readonly rate: number };
  /** Null: nothing is mirrored. */
  readonly mirror: {
    readonly upstream: string;
    readonly mirrored: number;
    /** Not mirrored, because too many mirrored calls were under way. */
    readonly dropped: number;
    readonly underWay: number;
  } | null;
}

/** What a router has decided for one request. */
export interface RouteMatch {
  /** The name of the route. */
  readonly route: string;
  readonly balancer: Balancer;
  /** Path and query for the backend: the request's own, unless the route rewrites it. */
  readonly path: string;
  readonly options: RouteCallOptions | undefined;
  readonly affinity: Affinity | undefined;
  /** The path of the caller that leads to `path` of a backend: undoes what the route rewrites. */
  logicalPath(path: string): string;
  /**
   * `balancer.call` within the limits of the route; what the route mirrors is mirrored. `options` are complete: those of
   * the route have been merged in by whoever calls.
   *
   * @param mirror makes the mirrored attempt, where that differs from `run`; what it resolves to is discarded
   */
  call<T>(
    run: (attempt: Attempt) => Promise<T>,
    options?: CallOptions<T>,
    mirror?: (attempt: Attempt) => Promise<T>,
  ): Promise<T>;
}
