import type { AttemptResult, CallOptions, Report } from "@fairlead/core";
import { isIdempotent } from "./methods.ts";
import type { FairleadInit } from "./options.ts";

/** What every adapter knows of a request before it is sent. */
export interface Sendable {
  readonly method: string;
  /** The body can be sent once only: repeats are for attempts that never read it. */
  readonly oneShot: boolean;
  readonly signal: AbortSignal | undefined;
}

/** The options of one call: what the method and the body allow, under what the caller says. */
export function callOptions<T>(
  own: FairleadInit | undefined,
  { method, oneShot, signal }: Sendable,
  judge: (result: AttemptResult) => Report,
  discard: (value: T) => void,
): CallOptions<T> {
  const idempotent = !oneShot && (own?.idempotent ?? isIdempotent(method));
  const ours = { idempotent, judge, signal, discard };
  return own === undefined ? ours : { ...own, ...ours };
}

/** A call's own words over an adapter's; what is `undefined` says nothing. */
export function mergeInit(defaults: FairleadInit | undefined, own: FairleadInit | undefined): FairleadInit | undefined {
  if (own === undefined || defaults === undefined) return own ?? defaults;
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(said) };
}
