import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { RouteMatch } from "@fairlead/core";
import type { Controller } from "./handler.ts";
import type { Route } from "./route.ts";

/**
 * A backend that redirects to itself by name means the service: the caller is shown `origin` instead. What the route of a
 * router rewrites, `match`, is undone.
 */
export function showLogicalLocation(
  controller: Controller,
  statusCode: number,
  headers: IncomingHttpHeaders,
  route: Route,
  origin: string,
  match?: RouteMatch,
): void {
  const { location } = headers;
  if (statusCode < 300 || statusCode >= 400 || location === undefined) return;
  const shown = logicalLocation(location, route, origin, match);
  if (shown === location) return;
  headers.location = shown;
  replaceRaw(controller.rawHeaders, shown);
}

function logicalLocation(location: string, { origin: own, prefix }: Route, origin: string, match?: RouteMatch): string {
  if (location.startsWith(`${own}/`)) {
    const path = location.slice(own.length);
    return origin + routed(path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path, match);
  }
  const isPath = location.startsWith("/") && !location.startsWith("//");
  return isPath ? routed(location, match) : location;
}

function routed(location: string, match: RouteMatch | undefined): string {
  if (match === undefined) return location;
  const end = location.search(/[?#]/);
  const path = end < 0 ? location : location.slice(0, end);
  return match.logicalPath(path) + location.slice(path.length);
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
