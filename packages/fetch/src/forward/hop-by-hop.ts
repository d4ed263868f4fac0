/**
 * Headers that are about one connection, and end here.
 *
 * Source: RFC 9110 §7.6.1, and what proxies have agreed on (`Keep-Alive`, `Proxy-Connection`). `Proxy-Authenticate` and
 * `Proxy-Authorization` are between the client and a proxy of its choice, which we are not.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const NONE: ReadonlySet<string> = new Set();

/** What a Connection header names beside these: it is about that connection as well. */
export function namedByConnection(connection: string | null): ReadonlySet<string> {
  if (connection === null) return NONE;
  return new Set(connection.toLowerCase().split(/[\s,]+/));
}
