import type { Attempt } from "@fairlead/core";
import type { Pool } from "undici";
import type { Destination } from "../destination.ts";
import type { Transport, TransportInit } from "../transport.ts";
import { ForwardExchange } from "./forward-exchange.ts";
import type { DispatchOptions } from "./handler.ts";
import { poolsOf } from "./pools.ts";

export interface ForwardTransportOptions {
  /** Options of the connection pools; the first given for a balancer count. */
  readonly pool?: Pool.Options | undefined;
}

/**
 * The transport of `createForward` for Node: undici itself, without a `fetch`. Bodies pass through as they are, encoded or not,
 * backends see no header that is not the client's or ours, and a request costs less. It follows no redirects and knows no
 * other origins: it is none for `createFetch`.
 */
export function forwardTransport({ pool }: ForwardTransportOptions = {}): Transport {
  const send = (
    _url: string,
    { method = "GET", headers, body }: TransportInit,
    attempt: Attempt,
    { path }: Destination,
  ): Promise<Response> => {
    const { backend, balancer, remainingMs } = attempt;
    const way = poolsOf(balancer, pool).of(backend);
    const own = { method, headers, body: body ?? null } as Partial<DispatchOptions>;
    const { bodyIdleTimeoutMs } = balancer.settings;
    const options = way.route.address(own, path, bodyIdleTimeoutMs, remainingMs) as unknown as DispatchOptions;
    return new ForwardExchange(attempt, method).send(way.pool, options);
  };
  return Object.assign(send, { keepsOrigin: true, keepsEncoding: true, needsNoSignal: true });
}
