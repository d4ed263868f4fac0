import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { Controller } from "./handler.ts";
import type { Route } from "./route.ts";

/** A backend that redirects to itself by name means the service: the caller is shown `origin` instead. */
export function showLogicalLocation(
  controller: Controller,
  statusCode: number,
  headers: IncomingHttpHeaders,
  { origin: own, prefix }: Route,
  origin: string,
): void {
  // A second one makes a list of them.
  const location: unknown = headers.location;
  if (statusCode < 300 || statusCode >= 400 || typeof location !== "string") return;
  const path = pathOn(own, location);
  if (path === undefined) return;
  headers.location = origin + (path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path);
  replaceRaw(controller.rawHeaders, headers.location);
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
