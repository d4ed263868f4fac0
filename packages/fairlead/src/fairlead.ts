import type { Balancer } from "@fairlead/core";
import { type BalancedFetch, createFetch } from "@fairlead/fetch";
import { BalancedDispatcher, type BalancedRequest, createRequest, undiciTransport } from "@fairlead/fetch/undici";
import { type FairleadOptions, wire } from "./wire.ts";

/** A balancer with everything that makes calls through it. All of it ends with `close()`. */
export interface Fairlead extends Balancer {
  /** A `fetch` over the backends; other origins go to the platform's. */
  readonly fetch: BalancedFetch;
  /** undici's `request` over the backends: the fastest way to make a call. */
  readonly request: BalancedRequest;
  /** An undici dispatcher for the logical origin: `fetch(url, { dispatcher })`, `setGlobalDispatcher`. */
  readonly dispatcher: BalancedDispatcher;
}

/**
 * Makes a balancer over one upstream, and what calls it, all wired.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function fairlead(options: FairleadOptions): Fairlead {
  return wire<Pick<Fairlead, "fetch" | "request" | "dispatcher">>(options, (balancer, calls, underneath) => ({
    fetch: () => createFetch(balancer, { ...calls, fetch: undiciTransport({ fetch: underneath }) }),
    request: () => createRequest(balancer, calls),
    dispatcher: () => new BalancedDispatcher(balancer, calls),
  }));
}
