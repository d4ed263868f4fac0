import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, type SecureServerOptions, type ServerHttp2Stream } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { afterEach } from "vitest";
import { certificate, privateKey } from "./certificate.ts";

const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A server on a free port of the loopback, gone after the test. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** Requests whose head has come, by their first line, such as "POST /x". */
  readonly received: string[];
  readonly sockets: Set<Socket>;
  readonly server: Server;
  close(): void;
}

/** Where a server listens. */
export interface Place {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
}

export async function listen(
  server: Server,
  received: string[],
  scheme = "http",
  place: Place = {},
): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  const { host = "127.0.0.1" } = place;
  server.listen(place.port ?? 0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  open.push(close);
  const address = host.includes(":") ? `[${host}]` : host;
  return { url: `${scheme}://${address}:${port}`, port, received, sockets, server, close };
}

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

type Respond = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** Answers 200 with what it received, as JSON, unless `respond` does something else. */
export async function httpServer(respond: Respond = echo, place?: Place): Promise<TestServer> {
  const received: string[] = [];
  const server = createHttpServer((request, response) => {
    answer(request, response, received, respond).catch(() => {});
  });
  return listen(server, received, "http", place);
}

export async function httpsServer(respond: Respond = echo, options: TlsOptions = {}): Promise<TestServer> {
  const received: string[] = [];
  const server = createHttpsServer({ cert: certificate, key: privateKey, ...options }, (request, response) => {
    answer(request, response, received, respond).catch(() => {});
  });
  server.on("tlsClientError", () => {});
  return listen(server, received, "https");
}

/** A server that switches protocols as `onUpgrade` does, behind TLS if `tls` is given. */
export async function upgradeServer(
  onUpgrade: (socket: Socket, head: Buffer, request: IncomingMessage) => void,
  tls?: TlsOptions,
): Promise<TestServer> {
  const received: string[] = [];
  const server = tls === undefined ? createHttpServer() : createHttpsServer(tls);
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    received.push(`${request.method} ${request.url}`);
    socket.on("error", () => {});
    onUpgrade(socket, head, request);
  });
  return listen(server, received, tls === undefined ? "http" : "https");
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  received: string[],
  respond: Respond,
): Promise<void> {
  received.push(`${request.method} ${request.url}`);
  try {
    respond(request, response, (await request.setEncoding("utf8").toArray()).join(""));
  } catch {
    response.destroy();
  }
}

export function echo(request: IncomingMessage, response: ServerResponse, body: string): void {
  response.setHeader("content-type", "application/json");
  const { method, url, headers } = request;
  response.end(JSON.stringify({ method, url, headers, body }));
}

/** A server that speaks what `onHead` says once a request's head has come. */
export async function rawServer(onHead: (socket: Socket, head: string) => void): Promise<TestServer> {
  const received: string[] = [];
  const server = createNetServer((socket) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      received.push(text.slice(0, text.indexOf(" HTTP/")));
      const head = text.slice(0, end);
      text = "";
      onHead(socket, head);
    });
  });
  return listen(server, received);
}

/** A server that ends connections before it reads anything. */
export async function deafServer(onConnection: (socket: Socket) => void): Promise<TestServer> {
  return listen(
    createNetServer((socket) => {
      socket.on("error", () => {});
      onConnection(socket);
    }),
    [],
  );
}

/** An HTTP/2 server behind TLS. */
export async function http2Server(
  onStream: (stream: ServerHttp2Stream, path: string) => void,
  options: SecureServerOptions = {},
): Promise<TestServer> {
  const received: string[] = [];
  const server = createSecureServer({ cert: certificate, key: privateKey, ...options });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    received.push(`${headers[":method"]} ${headers[":path"]}`);
    onStream(stream, String(headers[":path"]));
  });
  server.on("sessionError", () => {});
  server.on("tlsClientError", () => {});
  return listen(server, received, "https");
}

/** A port on which nobody listens. */
export async function deadPort(): Promise<string> {
  const server = createNetServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}`;
}
