import { type Balancer, type BalancerOptions, createBalancer, FairleadError } from "@fairlead/core";
import { type BalancedFetch, type ClientOptions, checkClientOptions, createFetch } from "@fairlead/fetch";
import { BalancedDispatcher, type BalancedRequest, createRequest, undiciTransport } from "@fairlead/fetch/undici";

/** What every call of `.fetch`, `.request` and `.dispatcher` has in common; the rest of `ClientOptions` is a balancer's too. */
type CallDefaults = Pick<ClientOptions, "idempotencyKey" | "maxRequestBytes" | "methods" | "propagate">;

export interface FairleadOptions extends BalancerOptions, CallDefaults {
  /** The `fetch` that makes requests and responses. Default: the platform's, looked up at each call. */
  readonly fetch?: typeof fetch | undefined;
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
  const { fetch: underneath, idempotencyKey, maxRequestBytes, methods, propagate, ...balancerOptions } = options ?? {};
  const calls: CallDefaults = { idempotencyKey, maxRequestBytes, methods, propagate };
  if (underneath !== undefined && typeof underneath !== "function") {
    throw new FairleadError("FAIRLEAD_ERR_CONFIG", `fairlead: fetch: expected a function`);
  }
  checkClientOptions("fairlead", calls);
  const balancer = createBalancer(balancerOptions);
  return withLazy(balancer, {
    fetch: () => createFetch(balancer, { ...calls, fetch: undiciTransport({ fetch: underneath }) }),
    request: () => createRequest(balancer, calls),
    dispatcher: () => new BalancedDispatcher(balancer, calls),
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
