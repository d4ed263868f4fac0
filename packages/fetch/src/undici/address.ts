import type { Balancer, RouteMatch } from "@fairlead/core";
import type { CallPolicy } from "../call-policy.ts";
import type { Destinations } from "../destination.ts";
import type { FairleadInit } from "../options.ts";
import { hostOf, Routable } from "../routable.ts";
import type { DispatchOptions } from "./handler.ts";
import { givenHeader, lastingHeaders } from "./headers.ts";
import { cleanPath } from "./route.ts";

/** A request to a dispatcher, with where it goes and what holds for it. */
export interface AddressedRequest {
  readonly balancer: Balancer;
  readonly match: RouteMatch | undefined;
  readonly said: FairleadInit | undefined;
  /** What the caller takes for the origin. */
  readonly origin: string;
  /** With the path for the backend, and headers that can be read more than once. */
  readonly options: DispatchOptions;
}

/**
 * Finds out where a request to `origin` goes.
 *
 * @throws InvalidArgumentError (undici's) if its path leads away from `origin`; FairleadError `FAIRLEAD_ERR_NO_ROUTE`
 */
export function addressRequest(
  destinations: Destinations,
  policy: CallPolicy,
  origin: string,
  options: DispatchOptions,
): AddressedRequest {
  const path = cleanPath(options.path, origin);
  const headers = lastingHeaders(options.headers) ?? null;
  const asked =
    destinations.balancer === undefined || policy.looks
      ? new Routable(options.method, hostOf(origin), path, headers, givenHeader)
      : undefined;
  const match = asked && destinations.match(asked);
  const balancer = (match?.balancer ?? destinations.balancer) as Balancer;
  const said = policy.of(undefined, match, asked, balancer);
  return { balancer, match, said, origin, options: { ...options, headers, path: match?.path ?? path } };
}
