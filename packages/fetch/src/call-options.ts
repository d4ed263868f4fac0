import { type AttemptResult, type CallOptions, checkCallOptions, type Report } from "@fairlead/core";
import { isIdempotent } from "./methods.ts";
import type { FairleadInit } from "./options.ts";
import { maxRequestBytes } from "./request-bytes.ts";

/** What every adapter knows of a request before it is sent. */
export interface Sendable {
  readonly method: string;
  /** The body can be sent once only: repeats are for attempts that never read it. */
  readonly oneShot: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Checks what a user says of one call, or of all calls of an adapter with options of its own (`also`).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function checkInit(where: string, options: object, also: readonly string[] = []): void {
  checkCallOptions(where, options, [...also, "maxRequestBytes"], (check, input) => {
    check.optional("maxRequestBytes", input["maxRequestBytes"], maxRequestBytes);
  });
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
