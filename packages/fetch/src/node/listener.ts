import type { IncomingMessage } from "node:http";
import { emitWarning } from "node:process";
import type { Duplex } from "node:stream";
import { catchLater, expected, OptionCheck } from "@fairlead/core";
import type { Forward } from "../forward/contract.ts";
import { clientGone } from "./client-gone.ts";
import { clientOf, incomingRequest } from "./incoming-request.ts";
import type { NodeRequest, NodeResponse } from "./node-message.ts";
import { sendRefusal, sendResponse } from "./outgoing-response.ts";
import { finishReading } from "./rest-of-request.ts";
import { upgrade } from "./upgrade.ts";

export interface NodeListenerOptions {
  /**
   * Told of what should not happen and was answered with a 500 or 502: a forward that rejects, an answer that is not HTTP, a
   * body that somebody else has read. Default: a warning of the process.
   */
  readonly onUnexpected?: ((error: unknown) => void) | undefined;
}

/** What a server of Node's calls with each request: `createServer(listener).on("upgrade", listener.upgrade)`. */
export interface NodeListener {
  (request: NodeRequest, response: NodeResponse): void;
  /** For WebSockets and whatever else begins as HTTP. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Uint8Array) => void;
}

/**
 * Serves a forward from `node:http`, `node:https`, the compatibility layer of `node:http2`, Express or Fastify.
 *
 * Bodies are streamed both ways at the pace of whoever takes them. A client that leaves aborts its request; a body that breaks
 * off breaks the connection off. Nothing that a client or a backend sends throws out of here.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is a key that is no option
 */
export function createNodeListener(forward: Forward, options: NodeListenerOptions = {}): NodeListener {
  const check = new OptionCheck();
  const input = check.record("", options, ["onUnexpected"]) ?? {};
  check.optional("onUnexpected", input["onUnexpected"], expected.func);
  check.throwIfAny("createNodeListener");
  const report = reporter(options.onUnexpected ?? warn);
  const listener = (request: NodeRequest, response: NodeResponse): void => {
    serve(forward, request, response, report).catch(report);
  };
  return Object.assign(listener, {
    upgrade: (request: IncomingMessage, socket: Duplex, head: Uint8Array): void => {
      upgrade(forward, request, socket, head, report).catch(report);
    },
  });
}

/** Whoever is told can't bring the server down. */
function reporter(tell: (error: unknown) => unknown): (error: unknown) => void {
  return (error) => {
    try {
      catchLater(tell(error), warn);
    } catch (thrown) {
      warn(thrown);
    }
  };
}

function warn(error: unknown): void {
  emitWarning(error instanceof Error ? error : String(error), { code: "FAIRLEAD_WARN_FORWARD" });
}

async function serve(
  forward: Forward,
  request: NodeRequest,
  response: NodeResponse,
  report: (error: unknown) => void,
): Promise<void> {
  const client = new AbortController();
  const leave = (): void => {
    if (!response.writableEnded) client.abort(clientGone());
  };
  // A response that waits for others before it hears of nothing, in Node 22; its request does.
  request.on("error", leave);
  response.once("close", leave);
  // It comes as `close` as well.
  response.on("error", () => {});
  response.prependOnceListener("finish", () => finishReading(request));
  try {
    // RFC 9110 §9.3.7: that asks this server whether it is there, and is about no resource.
    if (request.method === "OPTIONS" && request.url === "*") {
      await sendResponse(new Response(null, { status: 204 }), response, client.signal);
      return;
    }
    const answer = await forward(incomingRequest(request, client.signal), clientOf(request));
    await sendResponse(answer, response, client.signal);
  } catch (error) {
    if (!client.signal.aborted) await sendRefusal(error, response, client.signal, report);
  }
}
