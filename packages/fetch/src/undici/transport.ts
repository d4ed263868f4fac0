import { type Attempt, FairleadError } from "@fairlead/core";
import { getGlobalDispatcher } from "undici";
import type { Destination } from "../destination.ts";
import type { Transport, TransportInit } from "../transport.ts";
import { checkPoolOptions, type PoolOptions } from "./connections/pool-options.ts";
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
  readonly pool?: PoolOptions | undefined;
}

/**
 * The transport of `createFetch` for Node: the platform's `fetch` over connections of our own. URLs and cookies stay
 * logical natively, it is known for sure whether a request was sent, and no body is wrapped.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` in Bun and Deno, unless it is given a `fetch` that takes a dispatcher
 */
export function undiciTransport(options: UndiciTransportOptions = {}): Transport {
  const { fetch: given, pool } = options;
  checkPoolOptions("undiciTransport", pool);
  if (given === undefined) refuseDeafFetch();
  const send = (url: string, init: TransportInit, attempt: Attempt, destination: Destination): Promise<Response> => {
    const channel = new Channel(poolsOf(attempt.balancer, pool), attempt, destination);
    if (init.signal === undefined) attempt.onAbort(channel);
    return (given ?? globalThis.fetch)(url, { ...init, dispatcher: channel } as RequestInit);
  };
  return Object.assign(send, { keepsOrigin: true, fetch: given });
}

/** Their `fetch` ignores a dispatcher: calls would go to the logical origin, which may even exist. */
function refuseDeafFetch(): void {
  const runtime = ["Bun", "Deno"].find((name) => name in globalThis);
  if (runtime === undefined) return;
  const message = `undiciTransport: ${runtime}'s fetch takes no dispatcher; use createFetch without a transport`;
  throw new FairleadError("FAIRLEAD_ERR_CONFIG", message);
}

/** What one attempt's `fetch` has for a dispatcher: the connections to the attempt's backend. */
class Channel {
  readonly #pools: Pools;
  readonly #attempt: Attempt;
  readonly #destination: Destination;
  #exchange: LogicalExchange | undefined = undefined;
  #aborted = false;
  #reason: unknown = undefined;

  constructor(pools: Pools, attempt: Attempt, destination: Destination) {
    this.#pools = pools;
    this.#attempt = attempt;
    this.#destination = destination;
    attempt.markSent(false);
  }

  abort(reason: unknown): void {
    this.#aborted = true;
    this.#reason = reason;
    this.#exchange?.abort(reason);
  }

  /** Called by `fetch`, which follows no redirects here. One that was given may have requests of its own to make. */
  dispatch(options: DispatchOptions, handler: Handler | LegacyHandler): boolean {
    const inner = normalise(handler);
    const { origin, path } = this.#destination;
    if (String(options.origin) !== origin) return getGlobalDispatcher().dispatch(options, inner);
    const { backend, balancer, remainingMs } = this.#attempt;
    const { route, pool } = this.#pools.of(backend);
    const exchange = new LogicalExchange(this.#attempt, inner, route, this.#destination);
    if (this.#aborted) exchange.abort(this.#reason);
    this.#exchange = exchange;
    // `fetch` makes its options for this alone.
    const { bodyIdleTimeoutMs } = balancer.settings;
    return pool.dispatch(route.address(options, path, bodyIdleTimeoutMs, remainingMs), exchange);
  }
}
