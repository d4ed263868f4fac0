import type { IncomingMessage } from "node:http";

/** RFC 9110 §7.6.1, and what old proxies say. `Trailer`: a `Response` has none to announce. */
const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
/** RFC 9110 §5.1. */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** The headers of an answer of Node's. */
export function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const all = new Headers();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    all.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
  return all;
}

/** The headers of an answer without those that were about the connection that it came over. */
export function endToEnd(headers: Headers): Headers {
  const all = new Headers(headers);
  for (const name of headers.get("connection")?.split(",") ?? []) if (NAME.test(name.trim())) all.delete(name.trim());
  for (const name of HOP_BY_HOP) all.delete(name);
  return all;
}

/** The head of the answer by which a connection switches to `protocol`: what the backend has said, in our own framing. */
export function switchingHead(headers: Headers, protocol: string): string {
  const all = endToEnd(headers);
  // RFC 9110 §8.6: there is no body.
  all.delete("content-length");
  const lines = [...all].map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n${lines.join("")}\r\n`;
}
