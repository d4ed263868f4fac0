import type { Backend } from "@fairlead/core";
import type { Destinations } from "./destination.ts";

/** What `fetch` takes as its first argument. */
export type FetchInput = string | URL | Request;

export function isRequest(input: FetchInput): input is Request {
  return typeof input === "object" && "url" in input && "headers" in input;
}

/** A path that every parser reads the same way: no dot segments, nothing that a URL would encode or cut off. */
const CLEAN_PATH = /^\/(?![/.])(?:[\w.~!$&()*+,;=:@?-]|\/(?!\.)|%(?!2e))*$/i;

/** Whether a path, with its query, can be sent as it is. */
export function isClean(path: string): boolean {
  return CLEAN_PATH.test(path);
}

/**
 * The logical URL of a call, or `undefined` if it is meant for an origin that is none of ours.
 *
 * @throws TypeError if it is no URL, names credentials, or is relative and leads away from our origin all the same, as
 * `//host` and `/\host` do
 */
export function logicalUrl(input: FetchInput, destinations: Pick<Destinations, "origin" | "serves">): URL | undefined {
  const { origin } = destinations;
  const text = isRequest(input) ? input.url : `${input}`;
  // It leads nowhere else: parsed once, and nothing to be checked.
  if (isClean(text)) return new URL(origin + text);
  // Nothing that begins with a slash is absolute: that spares paths a failed parse.
  const absolute = text.startsWith("/") ? undefined : parse(text);
  if (absolute !== undefined && !destinations.serves(absolute.origin)) return undefined;
  const url = absolute ?? new URL(text, origin);
  if (absolute === undefined && url.origin !== origin)
    throw new TypeError(`${JSON.stringify(text)} leads away from ${origin}`);
  if (url.username !== "" || url.password !== "")
    throw new TypeError(`A URL on ${url.origin} must not include credentials`);
  return url;
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Where a backend serves a path with its query: its own URL is a prefix. */
export function backendUrl(backend: Backend, path: string): string {
  return `${httpUrl(backend.url)}${path}`;
}

/** `ws:` and `wss:` backends speak HTTP as well. */
export function httpUrl(url: string): string {
  return url.startsWith("ws") ? `http${url.slice(2)}` : url;
}
