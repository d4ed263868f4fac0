import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerResponse } from "node:http";
import { FairleadError } from "@fairlead/core";
import { expect, test, vi } from "vitest";
import { createFetch } from "../../src/index.ts";
import { BalancedDispatcher, createRequest, undiciTransport } from "../../src/undici/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { deadPort, httpServer } from "../support/servers.ts";
import { statsOf, untilStats } from "./support.ts";

/** A server that answers when it is told to, in the order of the requests. */
async function heldServer() {
  const held: ServerResponse[] = [];
  const server = await httpServer((_request, response) => void held.push(response));
  return { server, held };
}

test("no more connections than allowed; requests beyond them are served in their order", async () => {
  let most = 0;
  const server = await httpServer((request, response) => {
    most = Math.max(most, server.sockets.size);
    response.end(request.url);
  });
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer, { pool: { connections: 2 } });
  const paths = Array.from({ length: 30 }, (_, index) => `/${index}`);
  const answers = paths.map(async (path) => (await request(path)).body.text());
  expect(statsOf(balancer)).toMatchObject({ pending: 2, queued: 28 });
  expect(await Promise.all(answers)).toEqual(paths);
  expect(server.received.map((line) => line.slice(4))).toEqual(paths);
  expect(most).toBe(2);
  await untilStats(balancer, { connected: 2, free: 2, pending: 0, running: 0, queued: 0 });
});

test("a request given up in line leaves it at once, and the next one takes its place", async () => {
  const { server, held } = await heldServer();
  const balancer = balancerOver([server.url], { retry: false });
  const request = createRequest(balancer, { pool: { connections: 1 } });
  const first = request("/first");
  await vi.waitFor(() => expect(held).toHaveLength(1));
  const abort = new AbortController();
  const second = request("/second", { method: "POST", body: "x", signal: abort.signal });
  const third = request("/third");
  expect(statsOf(balancer).queued).toBe(2);
  abort.abort(new Error("changed my mind"));
  await expect(second).rejects.toThrow("changed my mind");
  expect(statsOf(balancer).queued).toBe(1);
  held[0]?.end("one");
  expect(await (await first).body.text()).toBe("one");
  await vi.waitFor(() => expect(held).toHaveLength(2));
  held[1]?.end("three");
  expect(await (await third).body.text()).toBe("three");
  expect(server.received).toEqual(["GET /first", "GET /third"]);
  await idle(balancer);
});

test("an attempt's timeout ends a request in line: by request, dispatcher and fetch", async () => {
  const { server, held } = await heldServer();
  const balancer = balancerOver([server.url], { retry: false, attemptTimeoutMs: 100 });
  const request = createRequest(balancer, { pool: { connections: 1 } });
  const first = request("/first", { fairlead: { attemptTimeoutMs: false } });
  await vi.waitFor(() => expect(held).toHaveLength(1));
  const dispatcher = new BalancedDispatcher(balancer);
  const results = await Promise.allSettled([
    request("/"),
    fetch("http://orders/", { dispatcher } as RequestInit),
    createFetch(balancer, { fetch: undiciTransport() })("/"),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(statsOf(balancer)).toMatchObject({ queued: 0, running: 1 });
  held[0]?.end("one");
  expect(await (await first).body.text()).toBe("one");
  expect(server.received).toEqual(["GET /first"]);
  await idle(balancer);
});

test("a request that waited goes on in the async context it was made in", async () => {
  const { server, held } = await heldServer();
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer, { pool: { connections: 1 } });
  const storage = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const see = (): void => void seen.push(storage.getStore());
  subscribe("undici:request:create", see);
  const ask = (name: string): Promise<string> => storage.run(name, async () => (await request("/")).body.text());
  const both = Promise.all([ask("one"), ask("two")]);
  for (let count = 1; count <= 2; count++) {
    await vi.waitFor(() => expect(held).toHaveLength(count));
    held[count - 1]?.end("done");
  }
  expect(await both).toEqual(["done", "done"]);
  unsubscribe("undici:request:create", see);
  expect(seen).toEqual(["one", "two"]);
});

test("requests in line for a backend that refuses connections go elsewhere with the first, whatever their method", async () => {
  const good = await httpServer((_request, response, body) => void response.end(body));
  const balancer = balancerOver([await deadPort(), good.url], { ejection: false });
  const request = createRequest(balancer, { pool: { connections: 1 } });
  const bodies = Array.from({ length: 10 }, (_, index) => `${index}`);
  const answers = bodies.map(async (body) => (await request("/", { method: "POST", body })).body.text());
  expect(await Promise.all(answers)).toEqual(bodies);
  expect(counters(balancer, 0)).toMatchObject({ unreached: 10, failures: 0 });
  await idle(balancer);
});

test("a request that undici refuses costs no connection", async () => {
  const server = await httpServer();
  const balancer = balancerOver([server.url], { retry: false });
  const request = createRequest(balancer, { pool: { connections: 1 } });
  const wrong = { headers: { "x-wrong": "a\nb" } };
  await expect(request("/", wrong)).rejects.toThrow("invalid x-wrong header");
  await (await request("/")).body.text();
  await untilStats(balancer, { free: 1 });
  await expect(request("/", wrong)).rejects.toThrow("invalid x-wrong header");
  await (await request("/")).body.text();
  await untilStats(balancer, { connected: 1, free: 1 });
  expect(server.sockets.size).toBe(1);
  expect(counters(balancer, 0)).toMatchObject({ ignored: 2, successes: 2 });
});

test("pipelining: several requests are under way on one connection", async () => {
  const { server, held } = await heldServer();
  const balancer = balancerOver([server.url]);
  const request = createRequest(balancer, { pool: { connections: 1, pipelining: 3 } });
  const first = request("/0");
  await vi.waitFor(() => expect(held).toHaveLength(1));
  held[0]?.end("0");
  await (await first).body.text();
  await untilStats(balancer, { free: 1 });
  const more = [1, 2, 3, 4].map(async (index) => (await request(`/${index}`, { blocking: false })).body.text());
  await untilStats(balancer, { queued: 1, running: 3, connected: 1 });
  for (let count = 2; count <= 5; count++) {
    await vi.waitFor(() => expect(held.length).toBeGreaterThanOrEqual(count));
    held[count - 1]?.end(String(count - 1));
  }
  expect(await Promise.all(more)).toEqual(["1", "2", "3", "4"]);
  expect(server.sockets.size).toBe(1);
});

test("wrong options are told all at once, by everything that takes them", () => {
  const balancer = balancerOver(["http://127.0.0.1:1"]);
  const pool = {
    connections: 0,
    pipelining: -1,
    keepAliveTimeout: 0,
    maxConnectionAgeMs: -5,
    conections: 1,
    names: { minTtlMs: 10, maxTtlMs: 5, resolve: "dns" },
  } as never;
  for (const make of [
    () => createRequest(balancer, { pool }),
    () => new BalancedDispatcher(balancer, { pool }),
    () => undiciTransport({ pool }),
  ]) {
    const error = catchError(make);
    expect(error.code).toBe("FAIRLEAD_ERR_CONFIG");
    expect(error.problems?.map(({ path }) => path)).toEqual([
      "pool.conections",
      "pool.connections",
      "pool.pipelining",
      "pool.keepAliveTimeout",
      "pool.maxConnectionAgeMs",
      "pool.names.resolve",
      "pool.names.minTtlMs",
    ]);
    expect(error.problems?.[0]?.didYouMean).toBe("connections");
  }
});

function catchError(run: () => unknown): FairleadError {
  try {
    run();
  } catch (error) {
    if (error instanceof FairleadError) return error;
  }
  throw new Error("nothing was thrown");
}
