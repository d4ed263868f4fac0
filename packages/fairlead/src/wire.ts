import { type Balancer, type BalancerOptions, expected, OptionCheck, type Target, within } from "@fairlead/core";
import { type ClientOptions, checkClientOptions } from "@fairlead/fetch";
import { withLazy } from "./lazy.ts";

/** What every call of the clients has in common; the rest of `ClientOptions` is a balancer's too. */
type CallDefaults = Pick<ClientOptions, "idempotencyKey" | "maxRequestBytes" | "methods" | "propagate">;

/** What the clients of a balancer are told. */
export interface WiredOptions extends CallDefaults {
  /** The `fetch` that makes requests and responses. Default: the platform's, looked up at each call. */
  readonly fetch?: typeof fetch | undefined;
}

export interface FairleadOptions extends BalancerOptions, WiredOptions {}

/** Makes each of the clients that a build has, for a balancer or a router. */
export type ClientMakers<C extends object> = (
  target: Target,
  calls: ClientOptions,
  underneath: typeof fetch | undefined,
) => { readonly [K in keyof C]: () => C[K] };

/**
 * A balancer with the clients of one build, all wired. `make` makes it of the options that are not the clients'.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function wire<O extends WiredOptions, C extends object>(
  options: O,
  make: (own: Omit<O, keyof WiredOptions>) => Balancer,
  makersOf: ClientMakers<C>,
): Balancer & C {
  const { fetch: underneath, idempotencyKey, maxRequestBytes, methods, propagate, ...own } = options ?? ({} as O);
  const calls: CallDefaults = { idempotencyKey, maxRequestBytes, methods, propagate };
  const check = new OptionCheck();
  check.optional("fetch", underneath, expected.func);
  within(check, "", () => checkClientOptions("fairlead", calls));
  const balancer = within(check, "", () => make(own)) as Balancer;
  if (check.count > 0) balancer?.close().catch(() => {});
  check.throwIfAny("fairlead");
  return withLazy(balancer, makersOf(balancer, calls, underneath));
}
