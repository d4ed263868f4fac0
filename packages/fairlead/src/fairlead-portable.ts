import { type Balancer, createBalancer } from "@fairlead/core";
import { type BalancedFetch, createFetch, createForward, type Forward } from "@fairlead/fetch";
import { type App, wireApp } from "./app.ts";
import { type FairleadAppOptions, isApp } from "./app-options.ts";
import { type ClientMakers, type FairleadOptions, forwardOptions, wire } from "./wire.ts";

/** What makes calls where there is no undici. */
interface Clients {
  /** A `fetch` over the backends; other origins go to the platform's. */
  readonly fetch: BalancedFetch;
  /** Takes requests of clients to the backends: the heart of a gateway or Worker. */
  readonly forward: Forward;
}

const clientsOf: ClientMakers<Clients> = (target, calls, { fetch, forward, hooks }) => ({
  fetch: () => createFetch(target, { ...calls, hooks, fetch }),
  forward: () => createForward(target, { fetch, ...forwardOptions(calls, forward) }),
});

/** A balancer with everything that makes calls through it where there is no undici. All of it ends with `close()`. */
export interface Fairlead extends Balancer, Clients {}

/** Several upstreams, a router over them, and everything that makes calls through it. All of it ends with `close()`. */
export interface FairleadApp<Name extends string = string> extends App<Name, Clients>, Clients {}

/**
 * Makes a balancer over one upstream, and what calls it, all wired; or, with `upstreams` and `routes`, several of them with
 * a router.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function fairlead(options: FairleadOptions): Fairlead;
export function fairlead<const Name extends string>(options: FairleadAppOptions<Name>): FairleadApp<Name>;
export function fairlead(options: FairleadOptions | FairleadAppOptions): Fairlead | FairleadApp {
  return isApp(options) ? wireApp(options, clientsOf) : wire(options, createBalancer, clientsOf);
}
