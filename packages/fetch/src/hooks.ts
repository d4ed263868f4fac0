import type { Attempt, FailedAttempt, OptionCheck } from "@fairlead/core";

type Hook<C, R> = (context: C) => R | Promise<R>;
type Hooks<C, R> = Hook<C, R> | readonly Hook<C, R>[];
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a hook as well.
type Nothing = void | undefined;

/** An attempt, as hooks see it. */
export type HookAttempt = Pick<Attempt, "backend" | "balancer" | "number" | "remainingMs">;

/** What every hook is told. */
export interface HookContext {
  /** In the caller's terms, never the backend's. */
  readonly url: string;
  /** In capitals. */
  readonly method: string;
}

export interface BeforeRequestContext extends HookContext {
  readonly attempt: HookAttempt;
  /** What this attempt sends, but for what the platform adds. May be changed. */
  readonly headers: Headers;
}

export interface BeforeRetryContext extends HookContext {
  /** The one that did not succeed, with its verdict, and its `error` if it has one. */
  readonly attempt: FailedAttempt;
  /** Its answer, if there was one. Read a `clone()`: where nobody does better it is the call's answer. */
  readonly response: Response | undefined;
}

export interface AfterResponseContext extends HookContext {
  /** Whose answer it is; `undefined`: of none, but of a fallback or another origin. */
  readonly attempt: HookAttempt | undefined;
  readonly response: Response;
}

export interface BeforeErrorContext extends HookContext {
  /** The last one; `undefined`: there was none. */
  readonly attempt: HookAttempt | undefined;
  readonly error: unknown;
}

/**
 * Functions that a `fetch` calls on its way, each one or a list, in this order. Their promises are waited for. What one
 * throws ends the call, and no backend is blamed.
 */
export interface FetchHooks {
  /** Before each attempt, whose time it is. May change `headers`, or return others in their place. */
  readonly beforeRequest?: Hooks<BeforeRequestContext, HeadersInit | Nothing> | undefined;
  /** After an attempt that is to be repeated, and after the back-off. `false`: it is not; what came of it stands. */
  readonly beforeRetry?: Hooks<BeforeRetryContext, boolean | Nothing> | undefined;
  /** When the response is there that the caller is to get. May return another; then this one is let go of. */
  readonly afterResponse?: Hooks<AfterResponseContext, Response | Nothing> | undefined;
  /** When the call is about to reject, unless the caller has aborted it. May return another error. */
  readonly beforeError?: Hooks<BeforeErrorContext, unknown> | undefined;
}

const NAMES = ["beforeRequest", "beforeRetry", "afterResponse", "beforeError"] as const;

/** The same, each a list. */
export type HookLists = {
  readonly [N in (typeof NAMES)[number]]: readonly Extract<NonNullable<FetchHooks[N]>, (context: never) => unknown>[];
};

export function checkHooks(check: OptionCheck, value: unknown): void {
  if (value === undefined) return;
  const hooks = check.record("hooks", value, NAMES);
  for (const name of NAMES) check.optional(`hooks.${name}`, hooks?.[name], functions);
}

const functions = {
  description: "a function or a list of functions",
  accepts: (value: unknown): value is unknown => [value].flat().every((one) => typeof one === "function"),
};

/** `undefined`: there are none. */
export function hookLists(hooks: FetchHooks | undefined): HookLists | undefined {
  if (hooks === undefined || NAMES.every((name) => [hooks[name] ?? []].flat().length === 0)) return undefined;
  const { beforeRequest = [], beforeRetry = [], afterResponse = [], beforeError = [] } = hooks;
  return {
    beforeRequest: [beforeRequest].flat(),
    beforeRetry: [beforeRetry].flat(),
    afterResponse: [afterResponse].flat(),
    beforeError: [beforeError].flat(),
  };
}
