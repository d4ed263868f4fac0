import type { Attempt, RequestKind } from "@fairlead/core";
import { isOneShot, OneShotBody } from "./body.ts";
import type { FactoryBody } from "./body-factory.ts";
import type { Destination } from "./destination.ts";
import type { HookedCall } from "./hooked-call.ts";
import { readInit } from "./init.ts";
import type { FairleadInit } from "./options.ts";
import { type FetchInput, isRequest } from "./target.ts";

/** A request of the caller's, taken apart so that it can be sent more than once. */
export interface Outgoing {
  readonly url: URL;
  /** In capitals. What is sent is in `init`, as the caller has it. */
  readonly method: string;
  readonly redirect: RequestRedirect;
  /** What the platform is given, but for the signal and bodies that attempts have to open. */
  readonly init: RequestInit;
  /** A body that can be sent once; others stay in `init`. */
  readonly oneShot: OneShotBody | undefined;
  /** A body that is made for each attempt. */
  readonly made?: FactoryBody | undefined;
  readonly signal: AbortSignal | undefined;
  /** There is an Idempotency-Key among the headers that the caller knows nothing of. */
  readonly hasOwnKey?: boolean | undefined;
  readonly hooked?: HookedCall | undefined;
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

const REDIRECTS: ReadonlySet<unknown> = new Set(["follow", "manual", "error"]);

/**
 * Takes apart what `fetch` was given. `init` goes over a Request's own parts; `made` in place of any other body.
 *
 * @throws TypeError if that is nothing that can be sent
 */
export function readRequest(
  url: URL,
  input: FetchInput,
  init: RequestInit | null | undefined,
  made?: FactoryBody,
): Outgoing {
  const own = readInit(init);
  if (!isRequest(input) && own === undefined && made === undefined) return { ...PLAIN_GET, url };
  const parts: RequestInit & { duplex?: "half" } = isRequest(input) ? over(partsOf(input, own), own) : (own ?? {});
  const { signal, method = "GET", redirect = "follow" } = parts;
  checkParts(parts);
  delete parts.signal;
  const body = made === undefined ? parts.body : undefined;
  const oneShot = isOneShot(body) ? new OneShotBody(body) : undefined;
  if (oneShot !== undefined || made !== undefined) delete parts.body;
  if (made !== undefined) parts.duplex = "half";
  return {
    url,
    method: method.toUpperCase(),
    redirect,
    init: parts,
    oneShot,
    made,
    signal: signal ?? undefined,
  };
}

/** Of what the platform would check, all that it is not given as it is. */
function checkParts({ redirect, signal }: RequestInit): void {
  if (redirect !== undefined && !REDIRECTS.has(redirect))
    throw new TypeError(`redirect must be "follow", "manual" or "error", not "${redirect}"`);
  if (signal !== undefined && signal !== null && typeof signal.addEventListener !== "function")
    throw new TypeError("signal must be an AbortSignal");
}

function over(parts: RequestInit, own: RequestInit | undefined): RequestInit {
  const body = own?.body ?? parts.body;
  return { ...parts, ...own, ...(body === undefined || body === null ? undefined : { body }) };
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
  if (body === null || (init?.body ?? null) !== null) return parts;
  if (request.bodyUsed)
    throw new TypeError("Cannot construct a Request with a Request object that has already been used.");
  return { ...parts, body, duplex: "half" } as RequestInit;
}

/**
 * Whether an attempt failed because of what the caller asked for (a bad header, a body with GET): no backend is to blame.
 * The platform throws these as it throws network errors, so ask it once more; only failures pay for that.
 */
export function isCallersMistake({ url, init, oneShot, made }: Outgoing, error: unknown): boolean {
  if (!(error instanceof TypeError)) return false;
  const isStream = oneShot !== undefined || made !== undefined;
  const body = isStream ? new ReadableStream() : (init.body ?? null) === null ? null : "";
  try {
    new Request(url, { ...init, body }).url.at(0);
    return false;
  } catch {
    return true;
  }
}
