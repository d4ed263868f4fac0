import type { Backend, BackendSpec } from "@fairlead/core";
import { errors } from "undici";
import { httpUrl, isClean } from "../target.ts";
import type { DispatchOptions } from "./handler.ts";

type Headers = DispatchOptions["headers"];

/** What makes a request one to a certain backend. */
interface Addressed {
  origin: string;
  path: string;
  headers?: NonNullable<Headers> | null;
  bodyTimeout: number;
  headersTimeout: number;
  servername?: string;
}

/**
 * A path as a URL on `origin` has it.
 *
 * @throws InvalidArgumentError (undici's) if it is none, or leads away from `origin`
 */
export function cleanPath(path: string, origin: string): string {
  if (typeof path !== "string") throw new errors.InvalidArgumentError("path must be a string");
  if (isClean(path)) return path;
  if (!path.startsWith("/"))
    throw new errors.InvalidArgumentError(`path must start with a slash: ${JSON.stringify(path)}`);
  const { pathname, search } = new URL(origin + path);
  return pathname + search;
}

/** The way to one backend, in undici's terms. */
export class Route {
  readonly spec: BackendSpec;
  readonly origin: string;
  /** Goes before every path; empty, or begins with a slash and ends without. */
  readonly prefix: string;
  readonly host: string | undefined;
  /** The name to ask for in the TLS handshake; `undefined`: that of the origin. */
  readonly serverName: string | undefined;

  constructor({ url, spec }: Backend) {
    const { origin, pathname, hostname, protocol } = new URL(httpUrl(url));
    this.spec = spec;
    this.origin = origin;
    this.prefix = pathname === "/" ? "" : pathname;
    this.host = spec.host;
    const named = spec.tls?.serverName ?? (spec.host === undefined ? undefined : hostnameOf(spec.host));
    // A Host header that the caller sets must not change whom the connection trusts.
    this.serverName = protocol === "https:" ? (named ?? nameUnlessAddress(hostname)) : undefined;
  }

  /**
   * Turns `own`, a fresh copy of a request's options, into a request to this backend. `path` is clean; `bodyIdleMs` counts
   * unless the request says otherwise. `remainingMs`: when the core gives up on the headers.
   */
  address<O extends Partial<DispatchOptions>>(
    own: O,
    path: string,
    bodyIdleMs: number | false,
    remainingMs: number,
  ): O & Addressed {
    const addressed = own as O & Addressed;
    addressed.origin = this.origin;
    addressed.path = this.prefix + path;
    if (this.host !== undefined) addressed.headers = withHost(own.headers, this.host);
    addressed.bodyTimeout = own.bodyTimeout ?? (bodyIdleMs === false ? 0 : bodyIdleMs);
    // The core's own limit on the headers comes first. While it does, undici gets one value for both, because a change
    // between headers and body would cost it two timers per request.
    addressed.headersTimeout = own.headersTimeout ?? (remainingMs <= addressed.bodyTimeout ? addressed.bodyTimeout : 0);
    if (this.serverName !== undefined) addressed.servername = this.serverName;
    return addressed;
  }
}

function withHost(headers: Headers, host: string): NonNullable<Headers> {
  if (headers === undefined || headers === null) return { host };
  if (Array.isArray(headers) && typeof headers[0] === "string") {
    const named = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "host");
    return named ? headers : [...headers, "host", host];
  }
  const entries = Symbol.iterator in headers ? [...(headers as Iterable<[string, string]>)] : Object.entries(headers);
  const all = Object.fromEntries(entries) as Record<string, string>;
  return Object.keys(all).some((name) => name.toLowerCase() === "host") ? all : { ...all, host };
}

function hostnameOf(host: string): string | undefined {
  return nameUnlessAddress(new URL(`http://${host}`).hostname);
}

/** TLS names servers, not addresses (RFC 6066 §3). */
function nameUnlessAddress(hostname: string): string | undefined {
  return /^[\d.]+$/.test(hostname) || hostname.startsWith("[") ? undefined : hostname;
}
