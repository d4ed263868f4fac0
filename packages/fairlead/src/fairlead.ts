import {
  type Balancer,
  type BalancerOptions,
  createBalancer,
  expected,
  FairleadError,
  OptionCheck,
} from "@fairlead/core";
import { type BalancedFetch, createFetch } from "@fairlead/fetch";
import { BalancedDispatcher, type BalancedRequest, createRequest, undiciTransport } from "@fairlead/fetch/undici";

export interface FairleadOptions extends BalancerOptions {
  /** The `fetch` that makes requests and responses. Default: the platform's, looked up at each call. */
  readonly fetch?: typeof fetch | undefined;
  /** The most bytes that a request's body may have, through `fetch`, `request` and `dispatcher`. Default: no limit. */
  readonly maxRequestBytes?: number | undefined;
}

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
  const { fetch: underneath, maxRequestBytes, ...balancerOptions } = options ?? {};
  if (underneath !== undefined && typeof underneath !== "function") {
    throw new FairleadError("FAIRLEAD_ERR_CONFIG", `fairlead: fetch: expected a function`);
  }
  const check = new OptionCheck();
  check.optional("maxRequestBytes", maxRequestBytes, expected.integer({ min: 0 }));
  check.throwIfAny("fairlead");
  const balancer = createBalancer(balancerOptions);
  const bounds = maxRequestBytes === undefined ? {} : { maxRequestBytes };
  return withLazy(balancer, {
    fetch: () => createFetch(balancer, { fetch: undiciTransport(balancer, { fetch: underneath }), ...bounds }),
    request: () => createRequest(balancer, bounds),
    dispatcher: () => new BalancedDispatcher(balancer, bounds),
  });
}

/** Adds properties that are made when first read: nobody pays for what they do not use. */
function withLazy<T extends object, L extends object>(
  target: T,
  makers: { readonly [K in keyof L]: () => L[K] },
): T & L {
  for (const [name, make] of Object.entries<() => unknown>(makers)) {
    Object.defineProperty(target, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        const value = make();
        Object.defineProperty(target, name, { value, enumerable: true });
        return value;
      },
    });
  }
  return target as T & L;
}
