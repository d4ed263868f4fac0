import type { Backend } from "@fairlead/core";
import type { Destination } from "./destination.ts";
import { httpUrl } from "./target.ts";

/**
 * Where a Location leads, in the caller's terms: a backend that speaks of itself means the service, and what the route
 * rewrites is undone.
 *
 * @param base the URL that the caller asked for
 * @throws TypeError if it is no URL
 */
export function logicalLocation(
  location: string,
  base: URL,
  { origin, match }: Destination,
  backend: Backend | undefined,
): URL {
  const url = new URL(location, base);
  const own = backend === undefined ? undefined : new URL(httpUrl(backend.url));
  const isOwn = own !== undefined && url.origin === own.origin;
  if (!isOwn && url.origin !== origin) return url;
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
