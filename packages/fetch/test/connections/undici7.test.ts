// What holds over undici 7, whose HTTP/2 client is an older one.
import { constants } from "node:http2";
import { expect, test, vi } from "vitest";
import { createRequest } from "../../src/undici/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { certificate } from "../support/certificate.ts";
import { http2Server, httpServer, httpsServer } from "../support/servers.ts";
import { scriptedNames, untilStats } from "./support.ts";

vi.mock("undici", () => import("undici7"));

const tls = { ca: certificate };

test("HTTP/1.1: connections are limited, kept, named and closed as over undici 8", async () => {
  const server = await httpServer((request, response) => void response.end(request.url));
  const { resolve } = scriptedNames({ addresses: ["::1", "127.0.0.1"] });
  const balancer = balancerOver([server.url.replace("127.0.0.1", "orders.test")]);
  const request = createRequest(balancer, { pool: { connections: 2, names: { resolve } } });
  const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
  const answers = paths.map(async (path) => (await request(path, { method: "POST" })).body.text());
  expect(await Promise.all(answers)).toEqual(paths);
  expect(server.sockets.size).toBe(2);
  await untilStats(balancer, { connected: 2, free: 2, running: 0, queued: 0 });
  await balancer.close();
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
});

test("TLS", async () => {
  const server = await httpsServer((request, response) => void response.end(request.url));
  const balancer = balancerOver([{ url: server.url, tls }]);
  const request = createRequest(balancer);
  const answers = ["/1", "/2", "/3"].map(async (path) => (await request(path)).body.text());
  expect(await Promise.all(answers)).toEqual(["/1", "/2", "/3"]);
});

for (const maxConcurrentStreams of [1, 3]) {
  test(`HTTP/2 with ${maxConcurrentStreams} streams at once: one at a time goes over a connection, none is refused`, async () => {
    const server = await http2Server(
      (stream) => {
        stream.respond({ ":status": 200 });
        stream.pipe(stream);
      },
      { settings: { maxConcurrentStreams } },
    );
    const balancer = balancerOver([{ url: server.url, tls }], { retry: false });
    const request = createRequest(balancer, { pool: { allowH2: true, connections: 4 } });
    const bodies = Array.from({ length: 50 }, (_, index) => `body ${index}`);
    const answers = bodies.map(async (body) => (await request("/", { method: "POST", body })).body.text());
    expect(await Promise.all(answers)).toEqual(bodies);
    expect(server.sockets.size).toBeGreaterThan(1);
    expect(server.sockets.size).toBeLessThanOrEqual(4);
    await idle(balancer);
  });
}

test("GOAWAY ends the stream that is under way, processed or not: its request counts as sent", async () => {
  const server = await http2Server((stream) => {
    // This very stream may still end; undici 7 does not wait for that.
    stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
    setImmediate(() => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200 });
      stream.end("too late");
    });
  });
  const good = await httpServer((_request, response) => void response.end("good"));
  const balancer = balancerOver([{ url: server.url, tls }, good.url], { ejection: false });
  const request = createRequest(balancer, { pool: { allowH2: true } });
  await expect(request("/", { method: "POST", body: "once" })).rejects.toMatchObject({ code: "UND_ERR_SOCKET" });
  expect(good.received).toEqual([]);
  expect(await (await request("/")).body.text()).toBe("good");
  expect(counters(balancer, 0)).toMatchObject({ failures: 2, unreached: 0 });
  await idle(balancer);
});
