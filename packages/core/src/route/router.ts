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
  /** Where a request goes; `undefined`: no route is for it. */
  route(request: RoutableRequest): RouteMatch | undefined;
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
