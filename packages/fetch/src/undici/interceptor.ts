import type { Attempt, BackendSpec, Target } from "@fairlead/core";
import type { Dispatcher } from "undici";
import { CallPolicy } from "../call-policy.ts";
import { Destinations } from "../destination.ts";
import { type ClientOptions, checkClientOptions } from "../options.ts";
import { addressRequest } from "./address.ts";
import { DispatchCall, type Hop } from "./dispatch-call.ts";
import { type DispatchOptions, type Handler, type LegacyHandler, normalise, ownOptions, refuse } from "./handler.ts";
import { ourOrigin } from "./origin.ts";
import { Route } from "./route.ts";

/** What holds for all its calls, and: */
export interface BalanceOptions extends ClientOptions {
  /** The origin whose requests are balanced. Default: the logical origin of the balancer or router. */
  readonly origin?: string | undefined;
}

/**
 * An interceptor that balances the requests to one origin over the connections of the dispatcher it is composed into:
 * `new Agent().compose(balance(orders))`. What `BalancedDispatcher` says of repeats holds here as well; of a backend's
 * `tls` options, only the server name is used.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is a key that is no option
 */
export function balance(target: Target, options: BalanceOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  checkClientOptions("balance", options, ["origin"]);
  const { origin: given, ...calls } = options;
  const destinations = new Destinations(target, given);
  const policy = new CallPolicy(calls);
  return (dispatch) => {
    const pool = { dispatch };
    const hops = new WeakMap<BackendSpec, Hop>();
    const hopTo = ({ backend }: Attempt): Hop => {
      const known = hops.get(backend.spec);
      if (known !== undefined) return known;
      const hop = { route: new Route(backend), pool };
      hops.set(backend.spec, hop);
      return hop;
    };
    // undici counts the parameters: there must be two.
    return (request: DispatchOptions, handler: Handler | LegacyHandler): boolean => {
      const inner = normalise(handler);
      try {
        const own = ownOptions(request);
        const origin = own.method === "CONNECT" ? undefined : ourOrigin(destinations, own.origin);
        if (origin === undefined) return dispatch(own, inner);
        const addressed = addressRequest(destinations, policy, origin, own);
        new DispatchCall(policy, addressed, inner, hopTo, () => {}).start();
        return true;
      } catch (error) {
        return refuse(inner, error);
      }
    };
  };
}
