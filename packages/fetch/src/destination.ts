import {
  type Balancer,
  FairleadError,
  type RoutableRequest,
  type RouteMatch,
  type Router,
  type Target,
} from "@fairlead/core";

/** Where a request goes. */
export interface Destination {
  readonly balancer: Balancer;
  /** What the caller takes for the origin. */
  readonly origin: string;
  /** Path and query for the backend. */
  readonly path: string;
  /** What has decided that, if a router has. */
  readonly match: RouteMatch | undefined;
}

/** Finds out where requests go: all to one balancer, or where a router sends each. */
export class Destinations {
  /** What relative URLs are resolved against. */
  readonly origin: string;
  /** Takes them all; `undefined`: each goes where the router says. */
  readonly balancer: Balancer | undefined;
  readonly #router: Router | undefined;

  /** `origin`: in place of the target's own. */
  constructor(target: Target, origin: string = target.origin) {
    this.origin = new URL(origin).origin;
    this.#router = isRouter(target) ? target : undefined;
    this.balancer = isRouter(target) ? undefined : target;
  }

  /** Whether requests to `origin` are ours; all others pass through. */
  serves(origin: string): boolean {
    return origin === this.origin || this.#router?.serves(origin) === true;
  }

  /**
   * Where the router sends a request; `undefined`: there is no router.
   *
   * @throws FairleadError `FAIRLEAD_ERR_NO_ROUTE`
   */
  match(request: RoutableRequest): RouteMatch | undefined {
    if (this.#router === undefined) return undefined;
    const match = this.#router.route(request);
    if (match !== undefined) return match;
    const what = `${request.method} ${request.host}${request.path}`;
    throw new FairleadError("FAIRLEAD_ERR_NO_ROUTE", `${this.#router.name}: no route is for ${what}`);
  }
}

export function isRouter(target: Target): target is Router {
  return "route" in target;
}
