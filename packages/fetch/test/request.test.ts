import { EventEmitter } from "node:events";
import { parse } from "node:url";
import type { request as undiciRequest } from "undici";
import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { createRequest } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { deadPort, echo, httpServer, rawServer } from "./support/servers.ts";

describe("createRequest", () => {
  test("returns what undici's request does", () => {
    type Response = Awaited<ReturnType<ReturnType<typeof createRequest>>>;
    expectTypeOf<Response>().toEqualTypeOf<Awaited<ReturnType<typeof undiciRequest>>>();
  });

  test("takes paths, URLs, URL objects, queries, headers and an opaque value", async () => {
    const server = await httpServer();
    const request = createRequest(balancerOver([`${server.url}/base`]));
    for (const url of ["/a?b=1", "http://orders/a?b=1", new URL("http://orders/a?b=1"), parse("http://orders/a?b=1")]) {
      const { statusCode, headers, body } = await request(url);
      expect([statusCode, headers["content-type"]]).toEqual([200, "application/json"]);
      expect(await body.json()).toMatchObject({ method: "GET", url: "/base/a?b=1" });
    }
    const options = { query: { b: "1" }, headers: ["x-a", "1"], opaque: { mine: true } };
    const { body, opaque } = await request("/a", options);
    expect(await body.json()).toMatchObject({ url: "/base/a?b=1", headers: { "x-a": "1" } });
    expect(opaque).toEqual({ mine: true });
    expect(await (await request("/a", { body: "hello" })).body.json()).toMatchObject({ method: "PUT", body: "hello" });
  });

  test("keeps dot segments within a backend's prefix, and refuses what leads elsewhere", async () => {
    const server = await httpServer();
    const request = createRequest(balancerOver([`${server.url}/base`]));
    for (const path of ["/../x", "/%2E%2e/x", "/a/./..//../x", "/a\\..\\..\\x"])
      expect(await (await request(path)).body.json()).toMatchObject({ url: "/base/x" });
    expect(await (await request("/a b/é?c=d e#f")).body.json()).toMatchObject({ url: "/base/a%20b/%C3%A9?c=d%20e" });
    for (const path of ["//evil.test", "/\\evil.test"]) await expect(request(path)).rejects.toBeInstanceOf(TypeError);
  });

  test("sends headers that an iterator hands over with every attempt", async () => {
    const bad = await rawServer((socket) => socket.destroy());
    const good = await httpServer();
    const request = createRequest(balancerOver([bad.url, good.url], { retry: { delayMs: 0 } }));
    const headers = new Map([["x-a", "1"]]).entries();
    expect(await (await request("/", { headers })).body.json()).toMatchObject({ headers: { "x-a": "1" } });
  });

  test("sends other origins to undici itself", async () => {
    const server = await httpServer();
    const balancer = balancerOver([await deadPort()]);
    const { body } = await createRequest(balancer)(`${server.url}/x`, { method: "POST", body: "hello", fairlead: {} });
    expect(await body.json()).toMatchObject({ method: "POST", url: "/x", body: "hello" });
    expect(balancer.snapshot().calls.calls).toBe(0);
  });

  test("hands calls the options given, the call's own first, and refuses others", async () => {
    const servers = [await httpServer(), await httpServer()];
    const balancer = balancerOver(servers.map(({ url }, index) => ({ url, id: `b${index}` })));
    const request = createRequest(balancer, { pinned: "b1" });
    await (await request("/default")).body.text();
    await (await request("/own", { fairlead: { pinned: "b0" } })).body.text();
    expect(servers.map(({ received }) => received)).toEqual([["GET /own"], ["GET /default"]]);
    expect(() => createRequest(balancer, { retries: 1 } as never)).toThrow(/retries/);
    await expect(request("/", { fairlead: { retries: 1 } as never })).rejects.toMatchObject({
      code: "FAIRLEAD_ERR_CONFIG",
    });
  });

  test("reads and drops answers that it does not return, and keeps their connection", async () => {
    const bad = await httpServer((_request, response) => response.writeHead(502).end("x".repeat(20_000)));
    const good = await httpServer();
    const balancer = balancerOver([bad.url, good.url], { ejection: false });
    const request = createRequest(balancer);
    const connections = new Set<unknown>();
    for (let i = 0; i < 3; i++) {
      expect(await (await request("/")).body.json()).toMatchObject({ url: "/" });
      await idle(balancer);
      for (const socket of bad.sockets) connections.add(socket);
    }
    expect([bad.received.length, connections.size]).toEqual([3, 1]);
  });

  test("honours Retry-After, in raw headers too, and returns the last answer", async () => {
    const server = await httpServer((_request, response) => response.writeHead(503, { "retry-after": "7" }).end("no"));
    const balancer = balancerOver([server.url], { retry: false });
    const { statusCode, body } = await createRequest(balancer)("/", { responseHeaders: "raw" });
    expect([statusCode, await body.text()]).toEqual([503, "no"]);
    expect(counters(balancer, 0)).toMatchObject({ overloads: 1, failures: 0 });
    expect(counters(balancer, 0).pausedUntilAt).toBeGreaterThan(Date.now() + 5_000);
  });

  test("hands over trailers and 1xx answers", async () => {
    const server = await httpServer((_request, response) => {
      response.writeEarlyHints({ link: "</a>" });
      response.writeHead(200, { trailer: "x-sum" });
      response.addTrailers({ "x-sum": "7" });
      response.end("yes");
    });
    const onInfo = vi.fn();
    const { body, trailers } = await createRequest(balancerOver([server.url]))("/", { onInfo });
    expect(await body.text()).toBe("yes");
    expect([trailers, onInfo.mock.calls.length]).toEqual([{ "x-sum": "7" }, 1]);
  });

  test("ends at an event emitter's abort, as undici does", async () => {
    const asked = Promise.withResolvers<unknown>();
    const server = await rawServer(asked.resolve);
    const balancer = balancerOver([server.url]);
    const signal = new EventEmitter();
    const call = createRequest(balancer)("/", { signal });
    await asked.promise;
    signal.emit("abort");
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
    await idle(balancer);
  });

  test("gives the place back when a body is destroyed, dumped, or small and never read", async () => {
    const server = await httpServer((request, response, body) => {
      if (request.url === "/endless") response.write("some ");
      else echo(request, response, body);
    });
    const balancer = balancerOver([server.url]);
    const request = createRequest(balancer);
    const { body } = await request("/endless");
    body.on("error", () => {});
    body.destroy();
    await (await request("/")).body.dump();
    await request("/");
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ streamFailures: 0, successes: 3 });
  });

  test("blames no backend for what the caller got wrong", async () => {
    const server = await httpServer();
    const balancer = balancerOver([server.url]);
    const request = createRequest(balancer);
    await expect(request("/", { headers: { "bad header": "x" } })).rejects.toThrow();
    await expect(request("/", { method: "BAD METHOD" as never })).rejects.toThrow();
    await expect(request("/", { body: 7 as never })).rejects.toThrow();
    expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0 });
    await idle(balancer);
  });
});
