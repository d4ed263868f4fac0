import type { Target } from "@fairlead/core";
import { Dispatcher, errors, getGlobalDispatcher } from "undici";
import { CallPolicy } from "../call-policy.ts";
import { Destinations } from "../destination.ts";
import { type ClientOptions, checkClientOptions } from "../options.ts";
import { type AddressedRequest, addressRequest } from "./address.ts";
import { checkPoolOptions, type PoolOptions } from "./connections/pool-options.ts";
import { DispatchCall } from "./dispatch-call.ts";
import { type DispatchOptions, type Handler, type LegacyHandler, normalise } from "./handler.ts";
import { ourOrigin } from "./origin.ts";
import { poolsOf } from "./pools.ts";

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
  readonly #pool: PoolOptions | undefined;
  readonly #calls = new Set<DispatchCall>();
  #closed: Error | undefined = undefined;
  #idle: (() => void)[] = [];

  /** @throws FairleadError `FAIRLEAD_ERR_CONFIG` */
  constructor(target: Target, options: BalancedDispatcherOptions = {}) {
    super();
    checkClientOptions("BalancedDispatcher", options, ["origin", "passThrough", "pool"]);
    const { origin, passThrough, pool, ...calls } = options;
    checkPoolOptions("BalancedDispatcher", pool);
    this.#destinations = new Destinations(target, origin);
    this.#policy = new CallPolicy(calls);
    this.#passThrough = passThrough ?? getGlobalDispatcher();
    this.#pool = pool;
  }

  override dispatch(options: DispatchOptions, handler: Handler | LegacyHandler): boolean {
    const inner = normalise(handler);
    // A tunnel is to somewhere else by its nature.
    const origin = options.method === "CONNECT" ? undefined : ourOrigin(this.#destinations, options.origin);
    if (origin === undefined) return this.#passThrough.dispatch(options, inner);
    try {
      if (this.#closed !== undefined) throw this.#closed;
      this.#start(addressRequest(this.#destinations, this.#policy, origin, options), inner);
    } catch (error) {
      inner.onResponseError?.(null as never, error as Error);
    }
    return true;
  }

  /** Refuses further requests, and waits for those under way. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    this.#closed ??= new errors.ClientClosedError();
    if (callback !== undefined) this.#whenIdle(callback);
    else return new Promise((resolve) => this.#whenIdle(resolve));
  }

  /** Refuses further requests, and ends those under way with `error`. */
  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | (() => void) | null, callback?: () => void): Promise<void> | void {
    const reason = error instanceof Error ? error : new errors.ClientDestroyedError();
    this.#closed = reason;
    for (const call of this.#calls) call.controller.abort(reason);
    return typeof error === "function"
      ? this.close(error)
      : callback === undefined
        ? this.close()
        : this.close(callback);
  }

  #start(request: AddressedRequest, handler: Handler): void {
    const call: DispatchCall = new DispatchCall(
      this.#policy,
      request,
      handler,
      ({ balancer, backend }) => poolsOf(balancer, this.#pool).of(backend),
      () => this.#done(call),
    );
    this.#calls.add(call);
    call.start();
  }

  #whenIdle(callback: () => void): void {
    if (this.#calls.size === 0) queueMicrotask(callback);
    else this.#idle.push(callback);
  }

  #done(call: DispatchCall): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const callback of idle) callback();
  }
}
