import { type Balancer, type BalancerOptions, createBalancer, FairleadError } from "@fairlead/core";
import { type ClientOptions, checkClientOptions } from "@fairlead/fetch";

/** What every call of the clients has in common; the rest of `ClientOptions` is a balancer's too. */
type CallDefaults = Pick<ClientOptions, "idempotencyKey" | "maxRequestBytes" | "methods" | "propagate">;

export interface FairleadOptions extends BalancerOptions, CallDefaults {
  /** The `fetch` that makes requests and responses. Default: the platform's, looked up at each call. */
  readonly fetch?: typeof fetch | undefined;
}

/** Makes each of the clients that a build has. */
export type ClientMakers<C extends object> = (
  balancer: Balancer,
  calls: CallDefaults,
  underneath: typeof fetch | undefined,
) => { readonly [K in keyof C]: () => C[K] };

/**
 * A balancer over one upstream with the clients of one build, all wired.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function wire<C extends object>(options: FairleadOptions, makersOf: ClientMakers<C>): Balancer & C {
  const { fetch: underneath, idempotencyKey, maxRequestBytes, methods, propagate, ...balancerOptions } = options ?? {};
  const calls: CallDefaults = { idempotencyKey, maxRequestBytes, methods, propagate };
  if (underneath !== undefined && typeof underneath !== "function") {
    throw new FairleadError("FAIRLEAD_ERR_CONFIG", `fairlead: fetch: expected a function`);
  }
  checkClientOptions("fairlead", calls);
  const balancer = createBalancer(balancerOptions);
  return withLazy(balancer, makersOf(balancer, calls, underneath));
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
