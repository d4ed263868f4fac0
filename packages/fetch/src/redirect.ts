import { IDEMPOTENCY_KEY } from "./idempotency-key.ts";
import type { Outgoing } from "./outgoing.ts";

/** Source: Fetch standard, HTTP-redirect fetch, step 4. */
const MOST_REDIRECTS = 20;

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Say what a body is, so they go with it (Fetch standard, "request-body-header name"). */
const BODY_HEADERS = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];

/** Are meant for one origin. */
const CREDENTIAL_HEADERS = ["authorization", "proxy-authorization", "cookie", "host"];

export function isRedirect({ status }: Response): boolean {
  return REDIRECT_STATUSES.has(status);
}

/** The value of a Location as a URL can have it. */
export function locationOf({ headers }: Response): string | undefined {
  const location = headers.get("location") ?? undefined;
  // Some servers write UTF-8, whose bytes are shown as characters.
  return location !== undefined && /[\x80-\xff]/.test(location) ? readUtf8(location) : location;
}

function readUtf8(text: string): string {
  return new TextDecoder().decode(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

/**
 * The request that follows a redirect to `location`.
 *
 * @throws TypeError if the caller, the number of redirects or the body forbids it
 * @see https://fetch.spec.whatwg.org/#http-redirect-fetch
 */
export function redirected(from: Outgoing, status: number, location: URL, redirects: number): Outgoing {
  if (redirects >= MOST_REDIRECTS) throw new TypeError("fetch failed", { cause: new Error("redirect count exceeded") });
  refuseUnsafe(from, status, location);
  // A fragment is the caller's, unless the new place has one.
  if (location.hash === "") location.hash = from.url.hash;
  const headers = new Headers(from.init.headers);
  if (location.origin !== from.url.origin) removePrivate(headers, from);
  if (!becomesGet(status, from.method)) return { ...from, url: location, init: { ...from.init, headers } };
  for (const name of BODY_HEADERS) headers.delete(name);
  const { body: _, ...rest } = from.init;
  const init = { ...rest, method: "GET", headers };
  return { ...from, url: location, method: "GET", oneShot: undefined, made: undefined, init };
}

/** A key of ours says something to the service alone; what the caller sets goes along, as with `fetch`. */
function removePrivate(headers: Headers, { hasOwnKey }: Outgoing): void {
  for (const name of CREDENTIAL_HEADERS) headers.delete(name);
  if (hasOwnKey === true) headers.delete(IDEMPOTENCY_KEY);
}

function refuseUnsafe(from: Outgoing, status: number, location: URL): void {
  if (location.protocol !== "http:" && location.protocol !== "https:")
    throw new TypeError("fetch failed", { cause: new Error("URL scheme must be a HTTP(S) scheme") });
  if (location.username !== "" || location.password !== "")
    throw new TypeError("fetch failed", { cause: new Error("a redirect must not name credentials") });
  if (status !== 303 && from.oneShot !== undefined)
    throw new TypeError("fetch failed", { cause: new Error("the body of a redirected request was sent already") });
}

function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== "GET" && method !== "HEAD";
  return (status === 301 || status === 302) && method === "POST";
}
