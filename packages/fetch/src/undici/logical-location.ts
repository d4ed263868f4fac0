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
  const { location } = headers;
  if (statusCode < 300 || statusCode >= 400 || location?.startsWith(`${own}/`) !== true) return;
  const path = location.slice(own.length);
  headers.location = origin + (path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path);
  replaceRaw(controller.rawHeaders, headers.location);
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
