import type { IncomingMessage } from "node:http";
import { endHops } from "../forward/response-headers.ts";

/** The headers of a backend's answer, without those that were about the connection that it came over. */
export function endToEndHeaders({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let index = 0; index < rawHeaders.length; index += 2)
    headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  endHops(headers);
  return headers;
}

/** The head of the answer by which a connection switches to `protocol`. */
export function switchingHead(headers: Headers, protocol: string): string {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n${lines.join("")}\r\n`;
}
