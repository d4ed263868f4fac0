import { RefusedError } from "../forward/refused.ts";
import { isHttp2Request, type NodeRequest } from "./node-message.ts";

/** A name or an address, and perhaps a port: no user, no path. */
const AUTHORITY = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d*)?$/i;
/** RFC 9112 §3.2.2; ended by what ends an authority. */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#\\]*)(.*)$/is;

export function isSecure({ socket }: NodeRequest): boolean {
  return "encrypted" in socket && socket.encrypted;
}

/**
 * The URL that a request is for (RFC 9112 §3.2): what it says in its first line, on the host that it names. The scheme is that
 * of the connection, whatever an absolute form claims.
 *
 * @throws RefusedError if parsers may differ about where it leads
 */
export function requestUrl(request: NodeRequest): URL {
  const { authority, path } = splitTarget(request);
  if (!AUTHORITY.test(authority)) throw new RefusedError(400, "the host is not valid");
  // A fragment is never sent, and a backslash is a slash to some parsers. In a query it is a character like others.
  if (/#|^[^?]*\\/.test(path)) throw new RefusedError(400, "the request target is not valid");
  const url = URL.parse(`${isSecure(request) ? "https" : "http"}://${authority}${path}`);
  if (url === null) throw new RefusedError(400, "the host is not valid");
  return url;
}

function splitTarget(request: NodeRequest): { readonly authority: string; readonly path: string } {
  const target = request.url ?? "";
  if (target.startsWith("/")) return { authority: authorityOf(request), path: target };
  const [absolute, authority = "", rest = ""] = ABSOLUTE_FORM.exec(target) ?? [];
  if (absolute === undefined) throw new RefusedError(400, "the request target is not valid");
  return { authority, path: rest.startsWith("/") ? rest : `/${rest}` };
}

function authorityOf(request: NodeRequest): string {
  const { host } = request.headers;
  if (!isHttp2Request(request)) return host ?? ownAddress(request);
  const { authority } = request;
  // RFC 9113 §8.3.1: both are there only if they say the same.
  if (host !== undefined && authority !== "" && authority !== undefined && host !== authority)
    throw new RefusedError(400, "host and :authority differ");
  return authority || (host ?? "");
}

/** HTTP/1.0 needs no Host, and health checks of load balancers send none. */
function ownAddress({ socket: { localAddress, localPort = 80 } }: NodeRequest): string {
  const address = unmapped(localAddress) ?? "localhost";
  return address.includes(":") ? `[${address}]:${localPort}` : `${address}:${localPort}`;
}

/** An IPv4 address as such, where a socket that serves both families shows it as IPv6 (RFC 4291 §2.5.5.2). */
export function unmapped(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=[\d.]+$)/i, "");
}
