import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { virtualClock } from "@fairlead/core/testing";
import { expect, test, vi } from "vitest";
import { createRequest } from "../../src/undici/index.ts";
import { balancerOver, idle } from "../support/balancers.ts";
import { certificate } from "../support/certificate.ts";
import { http2Server, httpServer } from "../support/servers.ts";
import { statsOf, untilStats } from "./support.ts";

for (const [drawn, ageMs] of [
  [0, 270_000],
  [0.5, 300_000],
  [1, 330_000],
] as const) {
  test(`an idle connection closes at its age: five minutes, ±10 %; where ${drawn} is drawn, after ${ageMs} ms`, async () => {
    const server = await httpServer();
    const clock = virtualClock();
    const balancer = balancerOver([server.url], { clock });
    const request = createRequest(balancer, { pool: { random: { next: () => drawn }, keepAliveTimeout: 60_000 } });
    await (await request("/")).body.text();
    await untilStats(balancer, { connected: 1, free: 1 });
    await clock.advance(ageMs - 1);
    expect(statsOf(balancer)).toMatchObject({ connected: 1, free: 1 });
    const [socket] = server.sockets;
    await Promise.all([socket && once(socket, "close"), clock.advance(ageMs * 0.04)]);
    expect(statsOf(balancer)).toMatchObject({ connected: 0, free: 0 });
  });
}

test("a connection that comes of age in the middle of a response ends it first, and takes no other request", async () => {
  const started = Promise.withResolvers<ServerResponse>();
  const server = await httpServer((request, response) => {
    if (request.url !== "/long") {
      response.end("short");
      return;
    }
    response.write("some ");
    started.resolve(response);
  });
  const clock = virtualClock();
  const balancer = balancerOver([server.url], { clock });
  const request = createRequest(balancer, { pool: { maxConnectionAgeMs: 1_000, connections: 1 } });
  const { body } = await request("/long");
  const [old] = server.sockets;
  await clock.advance(2_000);
  const next = request("/");
  (await started.promise).end("more");
  expect(await body.text()).toBe("some more");
  expect(await (await next).body.text()).toBe("short");
  await vi.waitFor(() => expect(old?.destroyed).toBe(true));
  expect(server.sockets.size).toBe(1);
  await idle(balancer);
});

test("an HTTP/2 connection that comes of age ends its streams, while new requests go over a new one", async () => {
  const streams: (() => void)[] = [];
  const server = await http2Server((stream, path) => {
    stream.respond({ ":status": 200 });
    if (path === "/long") streams.push(() => stream.end("long"));
    else stream.end("short");
  });
  const clock = virtualClock();
  const balancer = balancerOver([{ url: server.url, tls: { ca: certificate } }], { clock });
  const request = createRequest(balancer, { pool: { maxConnectionAgeMs: 1_000, allowH2: true } });
  const long = await request("/long");
  await clock.advance(2_000);
  expect(await (await request("/")).body.text()).toBe("short");
  expect(server.sockets.size).toBe(2);
  streams[0]?.();
  expect(await long.body.text()).toBe("long");
  await vi.waitFor(() => expect(server.sockets.size).toBe(1));
});

test("`false`: connections last as long as they do", async () => {
  const server = await httpServer();
  const clock = virtualClock();
  const balancer = balancerOver([server.url], { clock });
  const request = createRequest(balancer, { pool: { maxConnectionAgeMs: false, keepAliveTimeout: 60_000 } });
  await (await request("/")).body.text();
  await clock.advance(24 * 3_600_000);
  await setImmediate();
  expect(statsOf(balancer)).toMatchObject({ connected: 1 });
});

test("connections that age under load lose no request", { timeout: 20_000 }, async () => {
  const ends = new Set<unknown>();
  const server = await httpServer((request, response, body) => {
    ends.add(request.socket);
    response.end(body);
  });
  const balancer = balancerOver([server.url], { retry: false });
  const request = createRequest(balancer, { pool: { maxConnectionAgeMs: 5 } });
  const lane = async (name: number): Promise<void> => {
    for (let count = 0; count < 100; count++) {
      const { body } = await request("/", { method: "POST", body: `${name}:${count}` });
      expect(await body.text()).toBe(`${name}:${count}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, name) => lane(name)));
  expect(server.received).toHaveLength(800);
  expect(ends.size).toBeGreaterThan(16);
  await idle(balancer);
});
