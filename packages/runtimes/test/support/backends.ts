import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { certificate, privateKey } from "../../../fetch/test/support/certificate.ts";
import { echoWebSocket } from "../../../fetch/test/support/web-socket-echo.ts";
import type { Addresses } from "../../src/scene.ts";

export interface Backends extends AsyncDisposable {
  readonly addresses: Addresses;
  /** Sockets that are open. */
  readonly sockets: number;
}

type Behaviour = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void> | void;

/** One server for all backends: the first segment of a path says how it behaves, the rest is the backend's own. */
export async function startBackends(): Promise<Backends> {
  const journal: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    // Whoever leaves in the middle is part of the tests.
    answer(request, response, journal).catch(() => response.destroy());
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) =>
    echoWebSocket(socket, head, request),
  );
  const deaf = createNetServer((socket) => void socket.resume());
  const http2 = createSecureServer({ cert: certificate, key: privateKey, allowHTTP1: true }, (request, response) => {
    allowBrowsers(request.headers, response);
    response.end(request.httpVersion);
  });
  const servers = [server, deaf, http2];
  for (const each of servers) {
    each.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    });
    await listening(each);
  }
  return {
    addresses: {
      good: urlOf(server),
      dead: await deadUrl(),
      deaf: urlOf(deaf).replace("http:", "https:"),
      http2: urlOf(http2).replace("http:", "https:"),
    },
    get sockets() {
      return sockets.size;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map(closed));
    },
  };
}

async function listening(server: Server): Promise<void> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function deadUrl(): Promise<string> {
  const server = createNetServer();
  await listening(server);
  const url = urlOf(server);
  await closed(server);
  return url;
}

async function answer(request: IncomingMessage, response: ServerResponse, journal: string[]): Promise<void> {
  allowBrowsers(request.headers, response);
  if (request.method === "OPTIONS") {
    response.writeHead(204).end();
    return;
  }
  const [, name = "", ...rest] = (request.url ?? "/").split("/");
  const path = `/${rest.join("/")}`;
  if (name === "journal") {
    response.end(JSON.stringify(journal.filter((line) => line.includes(`${path}/`))));
    return;
  }
  journal.push(`${request.method} ${name} ${path}`);
  await (behaviours[name] ?? echo)(request, response, new URL(path, "http://backend"));
}

/** The page of the tests has another origin. */
function allowBrowsers(
  headers: IncomingHttpHeaders,
  response: { setHeader(name: string, value: string): unknown },
): void {
  response.setHeader("access-control-allow-origin", headers.origin ?? "*");
  response.setHeader("access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE, PATCH");
  response.setHeader("access-control-allow-headers", headers["access-control-request-headers"] ?? "*");
  response.setHeader("access-control-expose-headers", "*");
  response.setHeader("access-control-max-age", "600");
}

const wholes = new Set<string>();

const behaviours: Readonly<Record<string, Behaviour>> = {
  busy: (request, response) => void request.resume().on("end", () => response.writeHead(503).end("busy")),
  "busy-later": (request, response) =>
    void request.resume().on("end", () => response.writeHead(503, { "retry-after": "1" }).end()),
  limited: (request, response) =>
    void request.resume().on("end", () => response.writeHead(429, { "retry-after": "1" }).end("limited")),
  silent: (request) => void request.resume(),
  drop: (request) => void request.resume().on("end", () => request.socket.destroy()),
  slow: async (request, response, url) => {
    await pause(300);
    await echo(request, response, url);
  },
  /** Begins to answer, and stops. */
  stall: (request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("first ");
  },
  /** Breaks off in the middle. */
  broken: (request, response) => {
    request.resume();
    response.writeHead(200, { "content-length": "1000" });
    response.write("first ");
    setTimeout(() => response.destroy(), 20);
  },
  /** `n` bytes. */
  large: (_, response, url) => void response.end(Buffer.alloc(Number(url.searchParams.get("n")), "x")),
  /** Every byte there is. */
  bytes: (_, response) => void response.end(Buffer.from(Array.from({ length: 256 }, (__, byte) => byte))),
  /** `n` chunks, one each 30 ms; the body ends with the time in ms that it took. */
  drip: async (_, response, url) => {
    for (let chunk = 0; chunk < Number(url.searchParams.get("n")); chunk++) {
      response.write(`chunk ${chunk};`);
      await pause(30);
    }
    response.end();
  },
  /** Shows that it took its time to come. */
  pace: async (request, response) => {
    let [text, startedMs] = ["", Number.NaN];
    for await (const chunk of request) {
      if (text === "") startedMs = performance.now();
      text += chunk;
    }
    response.end(JSON.stringify({ text, ms: Math.round(performance.now() - startedMs) }));
  },
  /** Keeps in mind which requests came to their end, for who asks `wholes`. */
  whole: (request, response, url) =>
    void request.resume().on("end", () => {
      wholes.add(url.pathname);
      response.end();
    }),
  wholes: (_, response, url) => void response.end(wholes.has(url.pathname) ? "yes" : "no"),
  cookies: async (request, response, url) => {
    response.setHeader("set-cookie", ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]);
    await echo(request, response, url);
  },
  /** Says what is between it and the next. */
  hops: async (request, response, url) => {
    const names = { connection: "keep-alive, x-hop", "x-hop": "1", "proxy-authenticate": "Basic", "x-kept": "1" };
    for (const [name, value] of Object.entries(names)) response.setHeader(name, value);
    await echo(request, response, url);
  },
  gzip: (_, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("squeezed")),
  empty: (_, response) => void response.writeHead(204).end(),
  teapot: (_, response) => void response.writeHead(418, "Short and stout", { "x-pot": "tea" }).end("{}"),
};

/** Answers with what it was sent, or redirects: `/…/redirect?status=302&to=/there`. */
async function echo(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (url.pathname.endsWith("/redirect")) {
    const status = Number(url.searchParams.get("status") ?? 302);
    response.writeHead(status, { location: url.searchParams.get("to") ?? "" }).end();
    return;
  }
  const { method, headers } = request;
  response.setHeader("content-type", "application/json");
  const backend = (request.url ?? "").split("/")[1];
  const body = Buffer.concat(chunks).toString("latin1");
  response.end(JSON.stringify({ backend, method, path: url.pathname + url.search, headers, body }));
}
