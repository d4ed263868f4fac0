import type { Backend } from "@fairlead/core";
import type { Destination } from "../destination.ts";
import { logicalLocation } from "../location.ts";
import { httpUrl } from "../target.ts";
import type { PublicOrigin } from "./request-headers.ts";

/**
 * Where a backend sends the client, as the client can go there: a backend that speaks of itself means us, and what the route
 * rewrites is undone. Other origins, what is relative to the path, and what is no URL stay as they are.
 */
export function publicLocation(
  location: string,
  { proto, host }: PublicOrigin,
  to: Destination,
  backend: Backend | undefined,
): string {
  const isAbsolute = /^(?:[a-z][a-z\d+.-]*:)?\/\//i.test(location);
  if (!isAbsolute && !(location.startsWith("/") && to.match !== undefined)) return location;
  try {
    const base = new URL(to.origin);
    const named = isAbsolute ? ownName(location, base, backend) : location;
    const url = logicalLocation(named, base, to, backend);
    if (url.origin !== to.origin) return location;
    const path = url.pathname + url.search + url.hash;
    return isAbsolute ? `${proto}://${host}${path}` : path;
  } catch {
    return location;
  }
}

/** The name that a backend is called by is its own as much as its address. */
function ownName(location: string, base: URL, backend: Backend | undefined): string {
  const url = new URL(location, base);
  if (backend?.spec.host === undefined || url.host !== backend.spec.host.toLowerCase()) return location;
  return new URL(httpUrl(backend.url)).origin + url.pathname + url.search + url.hash;
}
