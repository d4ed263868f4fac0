import type { Attempt, RequestKind } from "@fairlead/core";
import { isOneShot, OneShotBody } from "./body.ts";
import type { Destination } from "./destination.ts";
import type { FairleadInit } from "./options.ts";
import { type FetchInput, isRequest } from "./target.ts";

/** A request of the caller's, taken apart so that it can be sent more than once. */
export interface Outgoing {
  readonly url: URL;
  readonly method: string;
  readonly redirect: RequestRedirect;
  /** What the platform is given, but for signal and one-shot body. */
  readonly init: RequestInit;
  /** A body that can be sent once; others stay in `init`. */
  readonly oneShot: OneShotBody | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A request that is on its way, and what holds for it. */
export interface Addressed extends Outgoing {
  readonly to: Destination;
  readonly said: FairleadInit | undefined;
  /** The Idempotency-Key, if the call has one that counts; it is among the headers. */
  readonly key: string | undefined;
  /** Default `request`. */
  readonly kind?: RequestKind | undefined;
  /** Sees each attempt but a mirrored one. Default: nobody does. */
  readonly watch?: AttemptWatch | undefined;
}

/** Sends an attempt by `send`, perhaps as another that stands in for it. */
type AttemptWatch = (attempt: Attempt, send: (attempt: Attempt) => Promise<Response>) => Promise<Response>;

const PLAIN_GET: Omit<Outgoing, "url"> = {
  method: "GET",
  redirect: "follow",
  init: {},
  oneShot: undefined,
  signal: undefined,
};

/** Takes apart what `fetch` was given. `init` goes over a Request's own parts. */
export function readRequest(url: URL, input: FetchInput, init: RequestInit | undefined): Outgoing {
  if (!isRequest(input) && init === undefined) return { ...PLAIN_GET, url };
  const parts: RequestInit = isRequest(input) ? { ...partsOf(input, init), ...init } : { ...init };
  const { signal, body } = parts;
  delete parts.signal;
  const oneShot = isOneShot(body) ? new OneShotBody(body) : undefined;
  if (oneShot !== undefined) delete parts.body;
  return {
    url,
    method: parts.method?.toUpperCase() ?? "GET",
    redirect: parts.redirect ?? "follow",
    init: parts,
    oneShot,
    signal: signal ?? undefined,
  };
}

/** @throws TypeError if the body was read before */
function partsOf(request: Request, init: RequestInit | undefined): RequestInit {
  const { method, headers, redirect, signal, mode, credentials, cache, referrer, referrerPolicy } = request;
  const { integrity, keepalive, body } = request;
  const parts: RequestInit = { method, headers, redirect, signal, credentials, cache, referrerPolicy, integrity };
  parts.keepalive = keepalive;
  // These two values can't be given to `fetch`.
  if (mode !== "navigate") parts.mode = mode;
  if (referrer !== "about:client") parts.referrer = referrer;
  if (body === null || init?.body !== undefined) return parts;
  if (request.bodyUsed)
    throw new TypeError("Cannot construct a Request with a Request object that has already been used.");
  return { ...parts, body, duplex: "half" } as RequestInit;
}

/**
 * Whether an attempt failed because of what the caller asked for (a bad header, a body with GET): no backend is to blame.
 * The platform throws these as it throws network errors, so ask it once more; only failures pay for that.
 */
export function isCallersMistake({ url, init, oneShot }: Outgoing, error: unknown): boolean {
  if (!(error instanceof TypeError)) return false;
  const body = oneShot === undefined ? ((init.body ?? null) === null ? null : "") : new ReadableStream();
  try {
    new Request(url, { ...init, body }).url.at(0);
    return false;
  } catch {
    return true;
  }
}
