// The whole way: a client, a server of Node's, a real forward, backends.
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { buffer, text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import type { BalancerOptions } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { expect, test, vi } from "vitest";
import { type AccessRecord, createForward, type ForwardOptions } from "../../src/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { plainCookie, transports } from "../support/forwarding.ts";
import { nodeServer, RawClient } from "../support/node-forward.ts";
import { deadPort, httpServer, type Received, rawServer, upgradeServer } from "../support/servers.ts";
import { echoWebSocket } from "../support/web-socket-echo.ts";

/** A gateway over `backends`, and what it has logged. */
async function gateway(
  backends: BalancerOptions["backends"],
  options: ForwardOptions = {},
  balancing: Partial<BalancerOptions> = {},
) {
  const log: AccessRecord[] = [];
  const balancer = balancerOver(backends, balancing);
  const server = await nodeServer(createForward(balancer, { accessLog: (record) => log.push(record), ...options }));
  return { ...server, balancer, log };
}

async function answerOf(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent: false, headers }), "response")) as [IncomingMessage];
  return response;
}

test.each(transports)("takes a request to a backend and the answer back, by %s", async (_name, make) => {
  const backend = await httpServer((request, response, body) => {
    response.writeHead(201, "Made", { "set-cookie": ["a=1", "b=2"], connection: "keep-alive, x-hop", "x-hop": "gone" });
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
  });
  const { url, port, balancer, log, errors } = await gateway([backend.url], { fetch: make() });
  const response = await fetch(`${url}/a?b`, {
    method: "POST",
    body: "hello",
    headers: { te: "gzip", "x-forwarded-for": "6.6.6.6", "x-own": "1" },
  });
  expect(response.status).toBe(201);
  expect(response.statusText).toBe("Made");
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(response.headers.has("x-hop")).toBe(false);
  const seen = (await response.json()) as Received;
  expect(seen).toMatchObject({ method: "POST", url: "/a?b", body: "hello" });
  expect(seen.headers).toMatchObject({
    host: `127.0.0.1:${backend.port}`,
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": `127.0.0.1:${port}`,
    "x-forwarded-proto": "http",
    "x-own": "1",
  });
  expect(seen.headers).not.toHaveProperty("te");
  await idle(balancer);
  await vi.waitFor(() => expect(log).toMatchObject([{ method: "POST", path: "/a", status: 201, attempts: 1 }]));
  expect(errors).toEqual([]);
});

test.each(transports)("passes on an encoded body as one that can be read, by %s", async (_name, make) => {
  const backend = await httpServer((_request, response) => {
    const body = gzipSync("hello");
    response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length }).end(body);
  });
  const { url } = await gateway([backend.url], { fetch: make() });
  const response = await fetch(url, { headers: { "accept-encoding": "gzip" } });
  expect(await response.text()).toBe("hello");
});

test.each(transports)("passes on what bodies there are to HEAD, 204 and 304, by %s", async (_name, make) => {
  const backend = await httpServer((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, { "content-length": request.method === "HEAD" ? "5" : "0" }).end();
  });
  const { url } = await gateway([backend.url], { fetch: make() });
  const head = await fetch(`${url}/200`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "5"]);
  for (const status of [204, 304]) expect((await fetch(`${url}/${status}`)).status).toBe(status);
});

test.each(transports)("tells the client that an answer is not whole, by %s", async (_name, make) => {
  const backend = await rawServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
    setImmediate(() => socket.destroy());
  });
  const { url, balancer } = await gateway([backend.url], { fetch: make() }, { retry: false });
  await expect(buffer(await answerOf(url))).rejects.toThrow("aborted");
  await idle(balancer);
  expect(counters(balancer, 0)).toMatchObject({ streamFailures: 1 });
});

test.each(transports)("lets go of the backend when the client leaves, by %s", async (_name, make) => {
  const backend = await httpServer((_request, response) => {
    response.write("hello");
  });
  const { port, sockets, balancer, errors } = await gateway([backend.url], { fetch: make() });
  const client = new RawClient(port);
  client.write("GET / HTTP/1.1", "Host: a", "", "");
  await client.until(/hello/);
  client.socket.destroy();
  await idle(balancer);
  await vi.waitFor(() => expect(sockets.size).toBe(0));
  expect(counters(balancer, 0)).toMatchObject({ streamFailures: 0 });
  expect(errors).toEqual([]);
});

test.each(transports)("ends an upload whose client leaves, and blames nobody, by %s", async (_name, make) => {
  const begun = Promise.withResolvers<void>();
  const backend = await rawServer(() => begun.resolve());
  const { port, balancer, log } = await gateway([backend.url], { fetch: make() });
  const client = new RawClient(port);
  client.write("POST / HTTP/1.1", "Host: a", "Content-Length: 100", "", "hello");
  await begun.promise;
  client.socket.destroy();
  await idle(balancer);
  await vi.waitFor(() => expect(log).toMatchObject([{ status: 499 }]));
  expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0 });
});

test.each(transports)("passes on an answer that did not wait for the body, by %s", async (_name, make) => {
  const backend = await rawServer((socket) => {
    socket.end("HTTP/1.1 413 Content Too Large\r\ncontent-length: 6\r\nconnection: close\r\n\r\nenough");
  });
  const { port, balancer } = await gateway([backend.url], { fetch: make() });
  const client = new RawClient(port);
  client.write("POST / HTTP/1.1", "Host: a", "Content-Length: 10485760", "", "hello");
  await client.until(/^HTTP\/1\.1 413 [^]*enough/);
  client.socket.on("error", () => {}).write(Buffer.alloc(1024 * 1024));
  await client.closed;
  await idle(balancer);
});

test("answers 502 where no backend is reached", async () => {
  const { url, log } = await gateway([await deadPort()]);
  expect((await fetch(url)).status).toBe(502);
  expect(log).toMatchObject([{ status: 502, errorCode: "ECONNREFUSED" }]);
});

test("carries a WebSocket by the rules of the forward, session included", async () => {
  const told: IncomingMessage["headers"][] = [];
  const backend = await upgradeServer((socket, head, request) => {
    told.push(request.headers);
    echoWebSocket(socket, head, request);
  });
  const options: ForwardOptions = { affinity: plainCookie(), maxConnectionsPerClient: 1 };
  const { port, balancer, log } = await gateway([await deadPort(), backend.url], options);
  const client = new RawClient(port);
  client.write(
    "GET /chat?x HTTP/1.1",
    "Host: shop.example",
    "Connection: Upgrade, X-Hop",
    "X-Hop: 1",
    "X-Forwarded-For: 6.6.6.6",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  );
  const head = await client.until(/\r\n\r\n/);
  expect(head).toMatch(/^HTTP\/1\.1 101 [^]*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  expect(head).toMatch(new RegExp(`set-cookie: seat=127\\.0\\.0\\.1:${backend.port}; Path=/\r\n`));
  expect(head).toMatch(/\r\nx-request-id: /);
  expect(told[0]).toMatchObject({
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "shop.example",
    upgrade: "websocket",
  });
  expect(told[0]).not.toHaveProperty("x-hop");
  // The tunnel is all that this client may have open.
  expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(429);
  client.socket.end();
  await client.closed;
  await idle(balancer);
  await vi.waitFor(() => expect(log).toHaveLength(2));
  expect(log[1]).toMatchObject({ tunnel: true, status: 101, attempts: 2, path: "/chat", errorCode: undefined });
});

test("closes a tunnel after the forward's idle time", async () => {
  const clock = virtualClock();
  const backend = await upgradeServer(echoWebSocket);
  const { port, balancer } = await gateway([backend.url], { tunnelIdleTimeoutMs: 5_000 }, { clock });
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, "open");
  const closed = once(socket, "close");
  await clock.advance(5_000);
  expect((await closed)[0]).toMatchObject({ code: 1006 });
  await idle(balancer);
});

test.each([
  ["refuses the connection", async () => ({ url: await deadPort() }), 502],
  ["answers 503", () => httpServer((_request, response) => void response.writeHead(503).end("no")), 503],
  ["answers 200", () => httpServer((_request, response) => void response.end("no")), 200],
])("passes on what becomes of an upgrade to a backend that %s", async (_what, start, status) => {
  const { url } = await start();
  const { port, sockets, balancer } = await gateway([url], {}, { retry: false });
  const client = new RawClient(port);
  client.write("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", "", "");
  expect(await client.closed).toBe("ended");
  expect(client.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nconnection: close\r\n`, "i"));
  await idle(balancer);
  await vi.waitFor(() => expect(sockets.size).toBe(0));
});

test("shows the places in an answer to an upgrade as in any other", async () => {
  const backend = await httpServer((request, response) => {
    response.writeHead(302, { location: `http://${request.headers.host}/login` }).end();
  });
  const { port, balancer } = await gateway([backend.url], { via: "edge" });
  const client = new RawClient(port);
  client.write("GET /chat HTTP/1.1", "Host: shop.example", "Connection: Upgrade", "Upgrade: websocket", "", "");
  await client.closed;
  expect(client.text).toMatch(/^HTTP\/1\.1 302 [^]*\r\nlocation: http:\/\/shop\.example\/login\r\n/);
  expect(client.text).toMatch(/\r\nvia: 1\.1 edge\r\n/);
  await idle(balancer);
});

test("refuses an upgrade to more protocols than one", async () => {
  const { port } = await gateway([await deadPort()]);
  const client = new RawClient(port);
  client.write("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: echo, other", "", "");
  await client.closed;
  expect(client.text).toMatch(/^HTTP\/1\.1 400 /);
});

test("is not misled about where a path leads", async () => {
  const backend = await httpServer();
  const { port } = await gateway([`${backend.url}/v1`]);
  for (const target of ["//evil/x", "http://evil/x", "/a/../../x", "/./x"]) {
    const client = new RawClient(port);
    client.write(`GET ${target} HTTP/1.1`, "Host: a", "Connection: close", "", "");
    await client.closed;
    expect(client.text).toMatch(/^HTTP\/1\.1 200 /);
  }
  for (const target of ["/..%2fx", "/%2e%2e%5cx", "/a%0d%0aX:y"]) {
    const client = new RawClient(port);
    client.write(`GET ${target} HTTP/1.1`, "Host: a", "Connection: close", "", "");
    await client.closed;
    expect(client.text).toMatch(/^HTTP\/1\.1 400 /);
  }
  for (const line of backend.received) expect(line).toMatch(/^GET \/v1\/(?:evil\/)?x$/);
  expect(backend.received).toHaveLength(4);
});

test("ends what is under way when the balancer closes", async () => {
  const backend = await httpServer((_request, response) => {
    response.write("hello");
  });
  const { url, balancer } = await gateway([backend.url]);
  const response = await answerOf(url);
  const body = text(response);
  await balancer.close({ drainMs: 20 });
  await expect(body).rejects.toThrow("aborted");
});
