import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Forward } from "../forward/contract.ts";
import { RefusedError } from "../forward/refused.ts";
import { clientGone } from "./client-gone.ts";
import { hasBody } from "./framing.ts";
import { clientOf, incomingRequest } from "./incoming-request.ts";
import { sendRefusal, sendResponse } from "./outgoing-response.ts";
import { Tunnel } from "./tunnel.ts";
import { openTunnel, type PlainAnswer } from "./tunnel-opening.ts";

/** Serves one request that wants to go on as something else than HTTP. */
export async function upgrade(
  forward: Forward,
  request: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
  report: (error: unknown) => void,
): Promise<void> {
  const client = new AbortController();
  const leave = (): void => client.abort(clientGone());
  // It comes as `close` as well.
  socket.on("error", () => {});
  socket.once("close", leave);
  // Nobody reads yet: what the client sends is kept, up to a point, and its end is heard.
  const hangUp = (): void => void socket.destroy();
  socket.once("end", hangUp);
  socket.read(0);
  try {
    const answer = await ask(forward, request, client.signal);
    socket.off("end", hangUp);
    if (answer instanceof Tunnel) {
      socket.off("close", leave);
      answer.join(socket as Socket, head);
    } else
      await sendResponse("response" in answer ? answer.response : answer, responseOn(socket, request), client.signal);
  } catch (error) {
    if (!client.signal.aborted) await sendRefusal(error, responseOn(socket, request), client.signal, report);
  }
}

/** @throws RefusedError if that can't become a tunnel */
function ask(
  forward: Forward,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Tunnel | PlainAnswer | Response> {
  // Its bytes can't be told from those of the tunnel.
  if (hasBody(request)) throw new RefusedError(501, "a request with a body can't be upgraded");
  const asked = incomingRequest(request, signal);
  if (isPlain(request)) return forward(asked, clientOf(request));
  if (asked.method !== "GET") throw new RefusedError(501, `a ${asked.method} request can't be upgraded`);
  return forward.tunnel<Tunnel | PlainAnswer>(asked, clientOf(request), openTunnel, (unwanted) => unwanted.discard());
}

/**
 * Whether a request is served as if it did not ask for an upgrade, which is always allowed (RFC 9110 §7.8). HTTP/2 without
 * TLS, which some clients offer with every first request, is never tunnelled: requests in there would reach the backend past
 * all routes and rules. HTTP/1.0 knows no upgrades.
 */
function isPlain({ headers, httpVersion }: IncomingMessage): boolean {
  return httpVersion === "1.0" || (headers.upgrade ?? "").split(",").some((name) => /^\s*h2c?\s*$/i.test(name));
}

/** A response on a socket that the server has let go of: the last one there. */
function responseOn(socket: Duplex, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  const drained = (): void => void response.emit("drain");
  socket.on("drain", drained);
  response.on("error", () => {});
  response.once("finish", () => {
    socket.off("drain", drained);
    response.detachSocket(socket as Socket);
    (socket as Socket).destroySoon();
  });
  return response;
}
