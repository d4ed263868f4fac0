import { RefusedError } from "./refused.ts";

/** The protocol of a WebSocket upgrade that a transport can take along; `undefined`: it is none. */
export function webSocketUpgrade({ method, headers }: Request): string | undefined {
  const protocol = headers.get("upgrade")?.toLowerCase();
  return protocol === "websocket" && method === "GET" ? protocol : undefined;
}

/** A protocol, perhaps with its version (RFC 9110 §7.8). */
const PROTOCOL = /^[\w!#$%&'*+.^`|~-]+(?:\/[\w!#$%&'*+.^`|~-]+)?$/;

/**
 * The protocol that a tunnel is asked for. One: of several the backend would choose one that we don't know of. Not HTTP
 * itself: requests through an `h2c` tunnel would get round every rule.
 *
 * @throws RefusedError 400
 */
export function tunnelProtocol({ method, headers }: Request): string {
  const protocol = headers.get("upgrade") ?? "";
  const isHttp = /^(?:h2c?|http|tls)(?:\/|$)/i.test(protocol);
  if (method === "GET" && PROTOCOL.test(protocol) && !isHttp) return protocol;
  throw new RefusedError(400, "what is asked for is no upgrade that can be passed on");
}

/** Whether a request with `Max-Forwards: 0` ends here (RFC 9110 §7.6.2). */
export function endsHere({ method, headers }: Request): boolean {
  return method === "OPTIONS" && headers.get("max-forwards") === "0";
}
