import type { Balancer } from "@fairlead/core";
import { type BalancedFetch, createFetch } from "@fairlead/fetch";
import { type FairleadOptions, wire } from "./wire.ts";

/** A balancer with everything that makes calls through it where there is no undici. All of it ends with `close()`. */
export interface Fairlead extends Balancer {
  /** A `fetch` over the backends; other origins go to the platform's. */
  readonly fetch: BalancedFetch;
}

/**
 * Makes a balancer over one upstream, and what calls it, all wired.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function fairlead(options: FairleadOptions): Fairlead {
  return wire<Pick<Fairlead, "fetch">>(options, (balancer, calls, underneath) => ({
    fetch: () => createFetch(balancer, { ...calls, fetch: underneath }),
  }));
}
