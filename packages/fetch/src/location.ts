import type { Backend } from "@fairlead/core";
import type { Destination } from "./destination.ts";
import { httpUrl } from "./target.ts";

/** Anything but a path: an absolute URL, or one without its scheme. */
const NAMES_ORIGIN = /^\s*(?:[a-z][a-z\d+.-]*:|[/\\]{2})/i;

/**
 * Where a Location leads, in the caller's terms: a backend that speaks of itself means the service, and what the route
 * rewrites is undone. One that names the logical origin means what it says.
 *
 * @param base the URL that the caller asked for
 * @throws TypeError if it is no URL
 */
export function logicalLocation(
  location: string,
  base: URL,
  { origin, path: sent, match }: Pick<Destination, "origin" | "path" | "match">,
  backend: Pick<Backend, "url"> | undefined,
): URL {
  const url = new URL(location, match === undefined ? base : asSent(base, sent));
  const own = backend === undefined ? undefined : new URL(httpUrl(backend.url));
  const isOwn = own !== undefined && url.origin === own.origin;
  if (!isOwn && (url.origin !== origin || NAMES_ORIGIN.test(location))) return url;
  let path = url.pathname;
  if (isOwn && own.pathname !== "/" && path.startsWith(`${own.pathname}/`)) path = path.slice(own.pathname.length);
  if (match !== undefined) path = match.logicalPath(path);
  const logical = new URL(origin);
  // Part by part: as one text, `//host` would be another origin.
  logical.pathname = path;
  logical.search = url.search;
  logical.hash = url.hash;
  logical.username = url.username;
  logical.password = url.password;
  return logical;
}

/** What the backend has seen: its relative Locations start from there. */
function asSent(base: URL, pathAndQuery: string): URL {
  const [path = "", query = ""] = pathAndQuery.split(/\?(.*)/s);
  const url = new URL(base);
  url.pathname = path;
  url.search = query;
  return url;
}
