import { FORBIDDEN_METHODS } from "../forward/admission.ts";
import type { ClientInfo } from "../forward/contract.ts";
import { RefusedError } from "../forward/refused.ts";
import { hasBody } from "./framing.ts";
import { incomingBody } from "./incoming-body.ts";
import type { NodeRequest } from "./node-message.ts";
import { isSecure, requestUrl, unmapped } from "./request-url.ts";

/**
 * A request of Node's as a `Request`. Headers are as Node has joined them: lists with commas, cookies with semicolons, of
 * what can't be a list the first.
 *
 * @throws RefusedError if it can't be handed on, or only as something else than was meant
 */
export function incomingRequest(request: NodeRequest, signal: AbortSignal): Request {
  const method = request.method ?? "GET";
  // No `Request` can have one.
  if (FORBIDDEN_METHODS.has(method)) throw new RefusedError(405, `${method} is not forwarded`);
  const url = requestUrl(request);
  const body = hasBody(request);
  // RFC 9110 §9.3.1: it has no defined meaning, and left out it might change that of the request.
  if (body && (method === "GET" || method === "HEAD"))
    throw new RefusedError(400, `a ${method} request can't have a body`);
  if (body && request.readableDidRead)
    throw new RefusedError(
      500,
      "the body of the request has been read already: this listener must come before whatever parses bodies",
    );
  const init: RequestInit = { method, headers: headersOf(request, url), signal };
  try {
    return new Request(url, body ? ({ ...init, body: incomingBody(request), duplex: "half" } as RequestInit) : init);
  } catch (cause) {
    throw new RefusedError(400, "the request is not valid", cause);
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
  return all;
}
