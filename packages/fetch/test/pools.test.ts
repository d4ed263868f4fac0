import { execFile } from "node:child_process";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BackendSpec, peakEwma } from "@fairlead/core";
import { expect, test, vi } from "vitest";
import { createFetch } from "../src/index.ts";
import { BalancedDispatcher, createRequest, undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { certificate } from "./support/certificate.ts";
import { httpServer, httpsServer } from "./support/servers.ts";

test("request, fetch, dispatcher and derived balancers share connections", async () => {
  const server = await httpServer();
  const balancer = balancerOver([server.url]);
  const derived = balancer.derive({ strategy: peakEwma() });
  const dispatcher = new BalancedDispatcher(balancer);
  const calls: readonly (() => Promise<unknown>)[] = [
    async () => (await createRequest(balancer)("/")).body.text(),
    async () => (await createRequest(derived)("/")).body.text(),
    async () => (await createFetch(balancer, { fetch: undiciTransport() })("/")).text(),
    async () => (await fetch("http://orders/", { dispatcher } as RequestInit)).text(),
  ];
  for (const call of calls) {
    await call();
    // undici frees a connection in the turn after its body's end.
    await setImmediate();
  }
  expect([server.received.length, server.sockets.size]).toEqual([4, 1]);
});

test("connections end with the balancer", async () => {
  const server = await httpServer();
  const balancer = balancerOver([server.url]);
  await (await createRequest(balancer)("/")).body.text();
  const [socket] = server.sockets;
  await Promise.all([socket && once(socket, "close"), balancer.close()]);
  expect(server.sockets.size).toBe(0);
});

test("connections end with their backend, after its last request", async () => {
  const started = Promise.withResolvers<ServerResponse>();
  const server = await httpServer((_request, response) => {
    response.write("some ");
    started.resolve(response);
  });
  const other = await httpServer();
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer);
  const { body } = await request("/");
  balancer.set([other.url]);
  (await started.promise).end("more");
  expect(await body.text()).toBe("some more");
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
  expect(await (await request("/")).body.json()).toMatchObject({ url: "/" });
});

test("a backend that moves gets new connections; one that only changes its weight keeps them", async () => {
  const [before, after] = [await httpServer(), await httpServer()];
  const balancer = balancerOver([{ id: "a", url: before.url }]);
  const request = createRequest(balancer);
  await (await request("/")).body.text();
  await setImmediate();
  balancer.set([{ id: "a", url: before.url, weight: 2 }]);
  await (await request("/")).body.text();
  expect(before.sockets.size).toBe(1);
  balancer.set([{ id: "a", url: after.url }]);
  await (await request("/")).body.text();
  expect([before.received.length, after.received.length]).toEqual([2, 1]);
  await vi.waitFor(() => expect(before.sockets.size).toBe(0));
});

test("TLS: trusts what the backend's `tls` says, and asks for the name it says", async () => {
  const server = await httpsServer();
  const tls = { ca: certificate };
  const local: string = server.url.replace("127.0.0.1", "localhost");
  const specs: readonly BackendSpec[] = [
    { url: server.url, tls },
    { url: local, tls: { ca: [certificate] } },
    { url: server.url, tls: { ...tls, serverName: "orders.test" } },
    { url: server.url, tls, host: "orders.test:8443" },
    { url: server.url, tls: { rejectUnauthorized: false } },
  ];
  for (const spec of specs) {
    const balancer = balancerOver([spec]);
    const { body } = await createRequest(balancer)("/");
    expect(await body.json()).toMatchObject({ headers: { host: spec.host ?? new URL(spec.url).host } });
    const response = await createFetch(balancer, { fetch: undiciTransport() })("/");
    expect(response.url).toBe("http://orders/");
    await response.text();
  }
  // A caller that names a host does not change whom the connection trusts.
  const named = balancerOver([{ url: local, tls }]);
  const { body } = await createRequest(named)("/", { headers: { host: "other.test" } });
  expect(await body.json()).toMatchObject({ headers: { host: "other.test" } });
  const wrong = balancerOver([{ url: server.url, tls: { ...tls, serverName: "other.test" } }], { retry: false });
  await expect(createRequest(wrong)("/", { method: "POST" })).rejects.toMatchObject({
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
  expect(counters(wrong, 0)).toMatchObject({ unreached: 1 });
});

test("a backend whose certificate is not verified is warned of, once", async () => {
  const warnings: string[] = [];
  const listener = (warning: Error & { code?: string }): void => {
    if (warning.code === "FAIRLEAD_WARN_TLS") warnings.push(warning.message);
  };
  process.on("warning", listener);
  const spec = { url: "https://127.0.0.1:1", id: "lax", tls: { rejectUnauthorized: false } };
  for (let process = 0; process < 2; process++) {
    await expect(createRequest(balancerOver([spec], { retry: false }))("/")).rejects.toThrow();
  }
  await expect
    .poll(() => warnings)
    .toEqual(["orders: the certificate of lax is not verified (tls.rejectUnauthorized is false)"]);
  process.off("warning", listener);
});

test("a connection that does not come about in time is unreached", async () => {
  // TLS to a server that accepts and says nothing.
  const silent = createServer(() => {});
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  const url = `https://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const good = await httpServer();
  const balancer = balancerOver([url, good.url], { connectTimeoutMs: 50 });
  const { body } = await createRequest(balancer)("/", { method: "POST", body: "hello" });
  expect(await body.json()).toMatchObject({ method: "POST", body: "hello" });
  expect(counters(balancer, 0)).toMatchObject({ unreached: 1 });
  await idle(balancer);
  silent.close();
});

test("options of the pools are passed on, the first given", async () => {
  const server = await httpServer();
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer, { pool: { connections: 1 } });
  createRequest(balancer, { pool: { connections: 9 } });
  await Promise.all([1, 2, 3].map(async () => (await request("/")).body.text()));
  expect(server.sockets.size).toBe(1);
});

test("a request that waits for a connection and is given up was never sent", async () => {
  const asked = Promise.withResolvers<void>();
  const server = await httpServer(() => asked.resolve());
  const good = await httpServer();
  const balancer = balancerOver([server.url, good.url]);
  const request = createRequest(balancer, { pool: { connections: 1 }, attemptTimeoutMs: 100, retry: { limit: 0 } });
  const first = expect(request("/", { method: "POST", body: "one" })).rejects.toMatchObject({ name: "TimeoutError" });
  await asked.promise;
  const second = await request("/", { method: "POST", body: "two" });
  expect(await second.body.json()).toMatchObject({ body: "two" });
  await first;
  expect(server.received).toHaveLength(1);
  await idle(balancer);
});

test("a script that forgets to close ends all the same", { timeout: 20_000 }, async () => {
  const server = await httpServer();
  const script = fileURLToPath(new URL("./exit/child.ts", import.meta.url));
  const args = ["--no-warnings", "--conditions=@fairlead/source", script, server.url];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 15_000 });
  expect(stdout.trim()).toBe("done");
  expect(server.received).toHaveLength(4);
});
