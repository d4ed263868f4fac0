import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { Destination } from "../destination.ts";
import { logicalLocation } from "../location.ts";
import type { Controller } from "./handler.ts";
import type { Route } from "./route.ts";

type Shown = Pick<Destination, "origin" | "path" | "match">;

/** A backend that redirects to itself by name means the service, and speaks in paths that a route may have rewritten. */
export function showLogicalLocation(
  controller: Controller,
  statusCode: number,
  headers: IncomingHttpHeaders,
  route: Route,
  to: Shown,
): void {
  // A second one makes a list of them.
  const location: unknown = headers.location;
  if (statusCode < 300 || statusCode >= 400 || typeof location !== "string") return;
  const logical = to.match === undefined ? byName(location, route, to) : alongRoute(location, route, to);
  if (logical === undefined) return;
  headers.location = logical;
  replaceRaw(controller.rawHeaders, logical);
}

/** `undefined`: it is right as it is. */
function byName(location: string, { origin: own, prefix }: Route, { origin }: Shown): string | undefined {
  const path = pathOn(own, location);
  if (path === undefined) return undefined;
  return origin + (path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path);
}

function alongRoute(location: string, { spec }: Route, to: Shown): string | undefined {
  try {
    const url = logicalLocation(location, new URL(to.origin), to, spec);
    return url.origin === to.origin ? url.href : undefined;
  } catch {
    // Whoever follows it will say so.
    return undefined;
  }
}

/** With a scheme, or with a host alone. What has neither is in the caller's terms already. */
const ABSOLUTE = /^(?:[a-z][\w+.-]*:|[/\\]{2})/i;

function pathOn(own: string, location: string): string | undefined {
  if (location.startsWith(`${own}/`)) return location.slice(own.length);
  if (!ABSOLUTE.test(location) || !URL.canParse(location, own)) return undefined;
  const { origin, username, password, pathname, search, hash } = new URL(location, own);
  return origin === own && username === "" && password === "" ? pathname + search + hash : undefined;
}

/** `fetch` reads the headers as they came. */
function replaceRaw(raw: Controller["rawHeaders"], location: string): void {
  if (raw === null || raw === undefined) return;
  if (!Array.isArray(raw)) {
    raw["location"] = location;
    return;
  }
  const at = raw.findIndex((name, index) => index % 2 === 0 && String(name).toLowerCase() === "location");
  if (at >= 0) raw[at + 1] = Buffer.from(location, "latin1");
}
