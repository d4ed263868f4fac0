import type { Target } from "@fairlead/core";
import { Dispatcher, errors, getGlobalDispatcher } from "undici";
import { CallPolicy } from "../call-policy.ts";
import { Destinations } from "../destination.ts";
import { type ClientOptions, checkClientOptions } from "../options.ts";
import { type AddressedRequest, addressRequest } from "./address.ts";
import { checkPoolOptions, type PoolOptions } from "./connections/pool-options.ts";
import { DispatchCall } from "./dispatch-call.ts";
import { type DispatchOptions, type Handler, type LegacyHandler, normalise, ownOptions, refuse } from "./handler.ts";
import { Lifetime } from "./lifetime.ts";
import { ourOrigin } from "./origin.ts";
import { type BackendConnections, TargetPools } from "./target-pools.ts";

type Interceptor = Dispatcher.DispatcherComposeInterceptor;

/** What holds for all its calls, and: */
export interface BalancedDispatcherOptions extends ClientOptions {
  /** The origin whose requests are balanced. Default: the logical origin of the balancer or router. */
  readonly origin?: string | undefined;
  /** Takes the requests to all other origins. Default: the global dispatcher as it is when this one is made. */
  readonly passThrough?: Dispatcher | undefined;
  /** Options of the connection pools; the first given for a balancer count. */
  readonly pool?: PoolOptions | undefined;
}

/**
 * An undici dispatcher that balances the requests to one origin, or to those that a router serves: for `fetch(url, { dispatcher })`, `undici.request` and
 * `setGlobalDispatcher`, of undici 7 and 8 and of the `fetch` inside Node.
 *
 * A request that was never sent goes to another backend whatever its method. One that may have been processed is repeated
 * only if its method is idempotent and its body can be sent again, which `fetch` streams: a POST or PUT through `fetch` is
 * not repeated here. Closing it leaves the balancer and `passThrough` alone.
 *
 * It is cheap to make, the connections being the balancer's: one per incoming request can carry what that says of its calls,
 * `new BalancedDispatcher(orders, fromIncoming(request.headers))`.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is a key that is no option
 */
export class BalancedDispatcher extends Dispatcher {
  readonly #destinations: Destinations;
  readonly #policy: CallPolicy;
  readonly #passThrough: Dispatcher;
  readonly #pools: TargetPools;
  /** No `#`: `compose` wraps dispatchers in a Proxy, by which those can't be read. */
  private readonly lifetime = new Lifetime();

  /** @throws FairleadError `FAIRLEAD_ERR_CONFIG` */
  constructor(target: Target, options: BalancedDispatcherOptions = {}) {
    super();
    checkClientOptions("BalancedDispatcher", options, ["origin", "passThrough", "pool"]);
    const { origin, passThrough, pool, ...calls } = options;
    checkPoolOptions("BalancedDispatcher", pool);
    this.#destinations = new Destinations(target, origin);
    this.#policy = new CallPolicy(calls);
    this.#passThrough = passThrough ?? getGlobalDispatcher();
    this.#pools = new TargetPools(target, pool);
  }

  /** `true` after `close()` or `destroy()`. */
  get closed(): boolean {
    return this.lifetime.closed;
  }

  /** `true` after `destroy()`, and when the last request after `close()` has ended. */
  get destroyed(): boolean {
    return this.lifetime.destroyed;
  }

  /** The connections, one record per backend that was called: what its pool counts, whoever uses it. */
  get stats(): readonly BackendConnections[] {
    return this.#pools.stats;
  }

  /** Begins a request. `false` only if it is refused; requests that wait do so at the pools, and there is no `drain` event. */
  override dispatch(options: DispatchOptions, handler: Handler | LegacyHandler): boolean {
    const inner = normalise(handler);
    try {
      const own = ownOptions(options);
      this.lifetime.refuseIfOver();
      // A tunnel is to somewhere else by its nature.
      const origin = own.method === "CONNECT" ? undefined : ourOrigin(this.#destinations, own.origin);
      if (origin !== undefined) this.#start(addressRequest(this.#destinations, this.#policy, origin, own), inner);
      else this.#passThrough.dispatch(own, inner);
      return true;
    } catch (error) {
      return refuse(inner, error);
    }
  }

  /** Handlers are made those of undici 8 first: its interceptors don't know what the `fetch` of Node 22 and 24 hands over. */
  override compose(interceptors: Interceptor[]): Dispatcher.ComposedDispatcher;
  override compose(...interceptors: Interceptor[]): Dispatcher.ComposedDispatcher;
  override compose(...interceptors: (Interceptor | Interceptor[])[]): Dispatcher.ComposedDispatcher {
    // undici counts the parameters: there must be two.
    return super.compose(...interceptors.flat(), (dispatch) => (options, handler) => {
      return dispatch(options, normalise(handler));
    });
  }

  /** Refuses further requests, and waits for those under way. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    if (callback === undefined) return new Promise((resolve) => this.lifetime.close(resolve));
    this.lifetime.close(callback);
  }

  /** Refuses further requests, and ends those under way with `error`. */
  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | (() => void) | null, callback?: () => void): Promise<void> | void {
    const reason = error instanceof Error ? error : new errors.ClientDestroyedError();
    const done = typeof error === "function" ? error : callback;
    if (done === undefined) return new Promise((resolve) => this.lifetime.destroy(reason, resolve));
    this.lifetime.destroy(reason, done);
  }

  #start(request: AddressedRequest, handler: Handler): void {
    const call: DispatchCall = new DispatchCall(
      this.#policy,
      request,
      handler,
      (attempt) => this.#pools.of(attempt),
      () => this.lifetime.ended(call),
    );
    this.lifetime.start(call);
  }
}
