import { type ClientRequest, type IncomingMessage, request as requestPlain } from "node:http";
import { type RequestOptions, request as requestSecure } from "node:https";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { Attempt } from "@fairlead/core";
import type { TunnelAnswer, TunnelDestination } from "../forward/contract.ts";
import { discard, present, WITHOUT_BODY } from "../response.ts";
import { httpUrl } from "../target.ts";
import { Route } from "../undici/route.ts";
import { tlsOptionsOf, warnOfTrust } from "../undici/tls.ts";
import { endToEndHeaders } from "./answer-headers.ts";
import { Tunnel } from "./tunnel.ts";

/** An answer to an upgrade that stays HTTP: for the client, as it is. */
export interface PlainAnswer extends TunnelAnswer {
  readonly response: Response;
  discard(): void;
}

/**
 * Asks the backend of an attempt for an upgrade, over a connection of its own: undici's `upgrade` takes any other answer
 * than 101 for an error, and a tunnel keeps its connection to the end anyway.
 */
export function openTunnel(attempt: Attempt, destination: TunnelDestination): Promise<Tunnel | PlainAnswer> {
  return new Promise((resolve, reject) => {
    attempt.markSent(false);
    const request = requestTo(attempt, destination);
    let underWay: ClientRequest | IncomingMessage = request;
    attempt.onAbort((reason) => void underWay.destroy(asError(reason)));
    watchConnecting(request, attempt);
    request.on("error", reject);
    request.once("response", (answer) => {
      underWay = answer;
      settle(resolve, reject, answer, () => plainAnswer(answer, attempt, destination));
    });
    request.once("upgrade", (answer, socket, firstBytes) => {
      socket.on("error", () => {});
      settle(resolve, reject, socket, () => {
        const protocol = protocolOf(answer, destination);
        const headers = endToEndHeaders(answer);
        // RFC 9110 §8.6: there is no body.
        headers.delete("content-length");
        return new Tunnel({ headers, protocol, socket, firstBytes }, attempt, destination.idleTimeoutMs);
      });
    });
    request.end();
  });
}

/** An answer that makes no sense ends its connection, and only that. */
function settle<T>(
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
  source: { destroy(): void },
  make: () => T,
): void {
  try {
    resolve(make());
  } catch (error) {
    source.destroy();
    reject(error);
  }
}

function requestTo({ backend, balancer }: Attempt, { url, headers }: TunnelDestination): ClientRequest {
  const to = new URL(httpUrl(url));
  const options: RequestOptions & { readonly allowHalfOpen: boolean } = {
    agent: false,
    // A side that has said all may still listen.
    allowHalfOpen: true,
    headers: Object.fromEntries(headers),
  };
  if (to.protocol !== "https:") return requestPlain(to, options);
  warnOfTrust(balancer, backend);
  // Without a name Node would trust whomever the Host header names.
  return requestSecure(to, { ...options, servername: "", ...tlsOptionsOf(new Route(backend)) });
}

/** Nothing is sent before there is a connection, and that must come about in its time. */
function watchConnecting(request: ClientRequest, attempt: Attempt): void {
  const { clock, settings } = attempt.balancer;
  const { connectTimeoutMs } = settings;
  request.once("socket", (socket: Socket) => {
    const timer =
      connectTimeoutMs === false
        ? undefined
        : clock.schedule(connectTimeoutMs, () => void request.destroy(connectTimeout(connectTimeoutMs)));
    socket.once("close", () => timer?.cancel());
    socket.once("encrypted" in socket ? "secureConnect" : "connect", () => {
      timer?.cancel();
      attempt.markSent();
    });
  });
}

function connectTimeout(limitMs: number): Error {
  return Object.assign(new Error(`no connection within ${limitMs} ms`), { code: "ETIMEDOUT", syscall: "connect" });
}

/**
 * @throws Error if that is none of the protocols that were offered (RFC 9110 §7.8)
 */
function protocolOf({ headers: { upgrade = "" } }: IncomingMessage, { headers }: TunnelDestination): string {
  const offered = headers.get("upgrade") ?? "";
  const chosen = upgrade.toLowerCase();
  if (offered.split(",").some((protocol) => protocol.trim().toLowerCase() === chosen)) return upgrade;
  throw new Error(`the backend switches to ${JSON.stringify(upgrade)}, asked for ${JSON.stringify(offered)}`);
}

function plainAnswer(answer: IncomingMessage, attempt: Attempt, { url }: TunnelDestination): PlainAnswer {
  const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
  const body = WITHOUT_BODY.has(status) ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>);
  if (body === null) answer.resume();
  const plain = new Response(body, { status, statusText, headers: endToEndHeaders(answer) });
  const response = present(plain, url, false, attempt, attempt.balancer);
  return { status, headers: response.headers, response, discard: () => discard(response) };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("the attempt was given up", { cause: reason });
}
