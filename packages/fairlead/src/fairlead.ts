import { type Balancer, createBalancer } from "@fairlead/core";
import { type BalancedFetch, createFetch, createForward, type Forward } from "@fairlead/fetch";
import {
  BalancedDispatcher,
  type BalancedRequest,
  createRequest,
  forwardTransport,
  undiciTransport,
} from "@fairlead/fetch/undici";
import { type App, wireApp } from "./app.ts";
import { type FairleadAppOptions, isApp } from "./app-options.ts";
import { type ClientMakers, type FairleadOptions, forwardOptions, wire } from "./wire.ts";

/** What makes calls. Each is made when it is first read. */
interface Clients {
  /** A `fetch` over the backends; other origins go to the platform's. */
  readonly fetch: BalancedFetch;
  /** Takes requests of clients to the backends: the heart of a gateway. */
  readonly forward: Forward;
  /** undici's `request` over the backends: the fastest way to make a call. */
  readonly request: BalancedRequest;
  /** An undici dispatcher for the logical origin: `fetch(url, { dispatcher })`, `setGlobalDispatcher`. */
  readonly dispatcher: BalancedDispatcher;
}

const clientsOf: ClientMakers<Clients> = (target, calls, { fetch, forward, hooks }) => ({
  fetch: () => createFetch(target, { ...calls, hooks, fetch: undiciTransport({ fetch }) }),
  forward: () => createForward(target, { fetch: forwardTransport(), ...forwardOptions(calls, forward) }),
  request: () => createRequest(target, calls),
  dispatcher: () => new BalancedDispatcher(target, calls),
});

/** A balancer with everything that makes calls through it. All of it ends with `close()`. */
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
