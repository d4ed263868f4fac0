import type { ClientInfo } from "../forward/contract.ts";
import { hasBody } from "./framing.ts";
import { incomingBody } from "./incoming-body.ts";
import type { NodeRequest } from "./node-message.ts";
import { Refusal } from "./refusal.ts";
import { isSecure, requestUrl, unmapped } from "./request-url.ts";

/** Methods that the Fetch standard forbids ("forbidden method"), and no gateway has a use for. */
const FORBIDDEN: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * A request of Node's as a `Request`. Headers are as Node has joined them: lists with commas, cookies with semicolons, of
 * what can't be a list the first.
 *
 * @throws Refusal if it can't be handed on, or only as something else than was meant
 */
export function incomingRequest(request: NodeRequest, signal: AbortSignal): Request {
  const method = request.method ?? "GET";
  if (FORBIDDEN.has(method)) throw new Refusal(501, `${method} is not supported`);
  const url = requestUrl(request);
  const body = hasBody(request);
  // RFC 9110 §9.3.1: it has no defined meaning, and left out it might change that of the request.
  if (body && (method === "GET" || method === "HEAD")) throw new Refusal(400, `A ${method} request can't have a body`);
  if (body && request.readableDidRead)
    throw new Error(
      "the body of the request has been read already: this listener must come before whatever parses bodies",
    );
  const init: RequestInit = { method, headers: headersOf(request, url), signal };
  try {
    return new Request(url, body ? ({ ...init, body: incomingBody(request), duplex: "half" } as RequestInit) : init);
  } catch (cause) {
    throw new Refusal(400, "The request is not valid", { cause });
  }
}

export function clientOf(request: NodeRequest): ClientInfo {
  return { ip: unmapped(request.socket.remoteAddress), protocol: isSecure(request) ? "https" : "http" };
}

function headersOf({ headers }: NodeRequest, url: URL): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    if (typeof value === "string") all.append(name, value);
    else for (const item of value) all.append(name, item);
  }
  // The target's host counts (RFC 9112 §3.2.2), written as the URL has it.
  all.set("host", url.host);
  // The server has met it.
  all.delete("expect");
  return all;
}
