import { setImmediate } from "node:timers/promises";
import { virtualClock } from "@fairlead/core/testing";
import { expect, test } from "vitest";
import { createRequest, type PoolOptions } from "../../src/undici/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { httpServer, rawServer } from "../support/servers.ts";
import { untilStats } from "./support.ts";

/** Answers the first request of a socket, and closes it as the second one comes: what a server does that was about to close it. */
function hastyServer() {
  const used = new WeakSet<object>();
  return rawServer((socket) => {
    if (used.has(socket)) socket.destroy();
    else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    used.add(socket);
  });
}

async function arrange(server: { readonly url: string }, pool: PoolOptions = {}) {
  const clock = virtualClock();
  const balancer = balancerOver([server.url], { clock, retry: false });
  const request = createRequest(balancer, { pool });
  const ask = async (method: "GET" | "POST"): Promise<string> => {
    const { body } = await request("/", { method });
    const text = await body.text();
    await setImmediate();
    return text;
  };
  return { balancer, clock, ask };
}

test("a POST avoids a connection that was idle for over a second: none fails on a server that closes such", async () => {
  const server = await hastyServer();
  const { balancer, clock, ask } = await arrange(server);
  for (let count = 0; count < 20; count++) {
    expect(await ask("POST")).toBe("ok");
    await clock.advance(1_001);
  }
  expect(server.received).toHaveLength(20);
  expect(counters(balancer, 0)).toMatchObject({ successes: 20, failures: 0 });
  await idle(balancer);
});

test("a POST takes the idle connection if no other may be opened, and a GET in any case", async () => {
  for (const [method, pool] of [
    ["POST", { connections: 1 }],
    ["GET", {}],
  ] as const) {
    const server = await hastyServer();
    const { clock, ask } = await arrange(server, pool);
    expect(await ask(method)).toBe("ok");
    await clock.advance(1_001);
    await expect(ask(method)).rejects.toMatchObject({ code: "UND_ERR_SOCKET" });
  }
});

test("a POST takes a connection that was idle for a second at most", async () => {
  const server = await httpServer();
  const { clock, ask } = await arrange(server);
  for (let count = 0; count < 5; count++) {
    await ask("POST");
    await clock.advance(1_000);
  }
  expect(server.sockets.size).toBe(1);
});

test("a POST takes an idle connection where a fresh one is dear", async () => {
  const server = await httpServer();
  const clock = virtualClock();
  const balancer = balancerOver([server.url], { clock });
  // Each connection takes 60 ms of the balancer's clock.
  const names = {
    resolve: async () => {
      clock.advanceSync(60);
      return { addresses: ["127.0.0.1"], ttlMs: 0 };
    },
    minTtlMs: 1,
  };
  balancer.set([server.url.replace("127.0.0.1", "orders.test")]);
  const request = createRequest(balancer, { pool: { names } });
  for (let count = 0; count < 3; count++) {
    await (await request("/", { method: "POST" })).body.text();
    await setImmediate();
    clock.advanceSync(1_001);
  }
  expect(server.sockets.size).toBe(1);
});

test("the connection used last is used next", async () => {
  const ports: (number | undefined)[] = [];
  const server = await httpServer((request, response) => {
    ports.push(request.socket.remotePort);
    response.end();
  });
  const { balancer, ask } = await arrange(server);
  await Promise.all([ask("GET"), ask("GET"), ask("GET")]);
  await untilStats(balancer, { free: 3 });
  for (let count = 0; count < 5; count++) await ask("GET");
  const [, , , ...later] = ports;
  expect(new Set(later).size).toBe(1);
});

test("`Connection: close` ends a connection after its response", async () => {
  const server = await httpServer((_request, response) => {
    response.setHeader("connection", "close");
    response.end("bye");
  });
  const { balancer, ask } = await arrange(server, { connections: 1 });
  for (let count = 0; count < 5; count++) expect(await ask("POST")).toBe("bye");
  await untilStats(balancer, { connected: 0, free: 0, pending: 0, running: 0 });
  expect(server.received).toHaveLength(5);
});
