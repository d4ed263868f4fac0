import { type Balancer, type BalancerOptions, expected, OptionCheck, type Target, within } from "@fairlead/core";
import {
  type ClientOptions,
  checkClientOptions,
  checkForwardOptions,
  checkHooks,
  type FetchHooks,
  type ForwardOptions,
} from "@fairlead/fetch";
import { withLazy } from "./lazy.ts";

/** What every call of the clients has in common; the rest of `ClientOptions` is a balancer's too. */
type CallDefaults = Pick<ClientOptions, "idempotencyKey" | "maxRequestBytes" | "methods" | "propagate">;

/** What single clients are told. */
export interface ClientSettings {
  /** The `fetch` that makes requests and responses. Default: the platform's, looked up at each call. */
  readonly fetch?: typeof fetch | undefined;
  /** What `.fetch` calls at each attempt, response and error. */
  readonly hooks?: FetchHooks | undefined;
  /** What holds for `.forward`, over what holds for all clients. */
  readonly forward?: ForwardOptions | undefined;
}

/** What the clients of a balancer are told. */
export interface WiredOptions extends CallDefaults, ClientSettings {}

export interface FairleadOptions extends BalancerOptions, WiredOptions {}

/** Makes each of the clients that a build has, for a balancer or a router. */
export type ClientMakers<C extends object> = (
  target: Target,
  calls: ClientOptions,
  settings: ClientSettings,
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
  const { fetch, forward, hooks, idempotencyKey, maxRequestBytes, methods, propagate, ...own } = options ?? ({} as O);
  const calls: CallDefaults = { idempotencyKey, maxRequestBytes, methods, propagate };
  const settings: ClientSettings = { fetch, forward, hooks };
  const check = new OptionCheck();
  checkSettings(check, settings);
  within(check, "", () => checkClientOptions("fairlead", calls));
  const balancer = within(check, "", () => make(own)) as Balancer;
  if (check.count > 0) balancer?.close().catch(() => {});
  check.throwIfAny("fairlead");
  return withLazy(balancer, makersOf(balancer, calls, settings));
}

/** What `.forward` is told: its own options over those of all clients. What is `undefined` says nothing. */
export function forwardOptions(calls: ClientOptions, forward: ForwardOptions | undefined): ForwardOptions {
  const said = Object.entries(forward ?? {}).filter(([, value]) => value !== undefined);
  return { ...calls, ...Object.fromEntries(said) };
}

/** Clients are made late; mistakes are named at once. */
export function checkSettings(check: OptionCheck, { fetch, forward, hooks }: ClientSettings): void {
  check.optional("fetch", fetch, expected.func);
  checkHooks(check, hooks);
  if (forward !== undefined && check.record("forward", forward, Object.keys(Object(forward))) !== undefined)
    within(check, "forward", () => checkForwardOptions(forward));
}
