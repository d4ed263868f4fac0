import type { Backend, BackendSpec, Balancer } from "@fairlead/core";
import type { Dispatcher } from "undici";
import { checkedByteLimit } from "../request-bytes.ts";
import { DispatchCall, type Hop } from "./dispatch-call.ts";
import { type DispatchOptions, type Handler, type LegacyHandler, normalise } from "./handler.ts";
import { isFor } from "./origin.ts";
import { cleanPath, Route } from "./route.ts";

export interface BalanceOptions {
  /** The origin whose requests are balanced. Default: the balancer's logical origin. */
  readonly origin?: string | undefined;
  /** As `maxRequestBytes` of `createFetch`. */
  readonly maxRequestBytes?: number | undefined;
}

/**
 * An interceptor that balances the requests to one origin over the connections of the dispatcher it is composed into:
 * `new Agent().compose(balance(orders))`. What `BalancedDispatcher` says of repeats holds here as well; of a backend's
 * `tls` options, only the server name is used.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function balance(balancer: Balancer, options: BalanceOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  const limit = checkedByteLimit("balance", balancer, options.maxRequestBytes);
  const origin = new URL(options.origin ?? balancer.origin).origin;
  return (dispatch) => {
    const pool = { dispatch };
    const hops = new WeakMap<BackendSpec, Hop>();
    const hopTo = (backend: Backend): Hop => {
      const known = hops.get(backend.spec);
      if (known !== undefined) return known;
      const hop = { route: new Route(backend), pool };
      hops.set(backend.spec, hop);
      return hop;
    };
    // undici counts the parameters: there must be two.
    return (request: DispatchOptions, handler: Handler | LegacyHandler): boolean => {
      const inner = normalise(handler);
      if (request.method === "CONNECT" || !isFor(origin, request.origin)) return dispatch(request, inner);
      try {
        const path = cleanPath(request.path, origin);
        new DispatchCall(balancer, origin, { ...request, path }, inner, hopTo, () => {}, limit).start();
      } catch (error) {
        inner.onResponseError?.(null as never, error as Error);
      }
      return true;
    };
  };
}
