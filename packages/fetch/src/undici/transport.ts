import type { Attempt, Balancer } from "@fairlead/core";
import { getGlobalDispatcher, type Pool } from "undici";
import { blameNobody } from "../classify.ts";
import type { Transport, TransportInit } from "../transport.ts";
import { type DispatchOptions, type Handler, type LegacyHandler, normalise } from "./handler.ts";
import { LogicalExchange } from "./logical-exchange.ts";
import { type Pools, poolsOf } from "./pools.ts";

export interface UndiciTransportOptions {
  /**
   * The `fetch` that makes requests and responses. Default: the platform's, looked up at each call, so that responses are
   * the platform's.
   */
  readonly fetch?: typeof fetch | undefined;
  /** Options of the connection pools; the first given for a balancer count. */
  readonly pool?: Pool.Options | undefined;
}

/**
 * The transport of `createFetch` for Node: the platform's `fetch` over connections of our own. URLs, redirects and
 * cookies stay logical natively, it is known for sure whether a request was sent, and no body is wrapped.
 */
export function undiciTransport(balancer: Balancer, options: UndiciTransportOptions = {}): Transport {
  const pools = poolsOf(balancer, options.pool);
  const given = options.fetch;
  const send = (url: string, init: TransportInit, attempt: Attempt): Promise<Response> => {
    const channel = new Channel(balancer, pools, attempt);
    if (init.signal === undefined) attempt.onAbort(channel);
    return (given ?? globalThis.fetch)(url, { ...init, dispatcher: channel } as RequestInit).catch((error: unknown) => {
      // A redirect that can't or mustn't be followed, or whose place fails.
      if (channel.hasRedirected) blameNobody(error);
      throw error;
    });
  };
  return Object.assign(send, { keepsOrigin: true, fetch: given });
}

/** What one attempt's `fetch` has for a dispatcher: the connections to the attempt's backend. */
class Channel {
  readonly #balancer: Balancer;
  readonly #pools: Pools;
  readonly #attempt: Attempt;
  #exchange: LogicalExchange | undefined = undefined;
  #aborted = false;
  #reason: unknown = undefined;

  constructor(balancer: Balancer, pools: Pools, attempt: Attempt) {
    this.#balancer = balancer;
    this.#pools = pools;
    this.#attempt = attempt;
    attempt.markSent(false);
  }

  /** The last answer of the backend was a redirect. */
  get hasRedirected(): boolean {
    return this.#exchange?.redirects === true;
  }

  abort(reason: unknown): void {
    this.#aborted = true;
    this.#reason = reason;
    this.#exchange?.abort(reason);
  }

  /** Called by `fetch` once, and again for each redirect. */
  dispatch(options: DispatchOptions, handler: Handler | LegacyHandler): boolean {
    const inner = normalise(handler);
    if (String(options.origin) !== this.#balancer.origin) return getGlobalDispatcher().dispatch(options, inner);
    const { route, pool } = this.#pools.of(this.#attempt.backend);
    const exchange = new LogicalExchange(this.#attempt, inner, route, this.#balancer.origin);
    if (this.#aborted) exchange.abort(this.#reason);
    this.#exchange = exchange;
    const { bodyIdleTimeoutMs } = this.#balancer.settings;
    return pool.dispatch(
      route.address({ ...options }, options.path, bodyIdleTimeoutMs, this.#attempt.remainingMs),
      exchange,
    );
  }
}
