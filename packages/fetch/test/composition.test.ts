// What a fetch does at once: routes, mirrors, hedges, fallbacks, redirects, hooks, bodies that are made, aborts.
import { getEventListeners } from "node:events";
import { createRouter, fallbackTo, hedging, reportedLoad, roundRobin, type Target } from "@fairlead/core";
import { describe, expect, test, vi } from "vitest";
import { createFetch, type FetchHooks } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, idle } from "./support/balancers.ts";
import { deadPort, echo, httpServer, rawServer } from "./support/servers.ts";

type Connect = (target: Target, hooks?: FetchHooks) => ReturnType<typeof createFetch>;

const transports: readonly (readonly [name: string, connect: Connect])[] = [
  ["createFetch", (target, hooks) => createFetch(target, { hooks })],
  ["createFetch(undiciTransport)", (target, hooks) => createFetch(target, { hooks, fetch: undiciTransport() })],
];

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => error,
  );

async function* threeBytes(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array([65, 66, 67]);
}

describe.each(transports)("%s", (_name, connect) => {
  test("hooks and bodies are asked once per attempt, rivals and redirects included, copies for their body alone", async () => {
    const slow = await rawServer(() => {});
    const quick = await httpServer((request, response, body) => {
      if (request.url === "/to") response.end(body);
      else response.writeHead(307, { location: "/to" }).end();
    });
    const copied = await httpServer();
    const main = balancerOver(
      [
        { id: "slow", url: slow.url },
        { id: "quick", url: quick.url },
      ],
      { hedge: hedging({ delayMs: 30 }) },
    );
    const copies = balancerOver([copied.url], { name: "copies" });
    const router = createRouter({ name: "app", routes: [{ to: main, mirror: { to: copies, percent: 100 } }] });
    const told: unknown[] = [];
    const call = connect(router, {
      beforeRequest: ({ attempt, url }) => void told.push([attempt.backend.id, attempt.number, url]),
      afterResponse: ({ attempt }) => void told.push(attempt?.backend.id),
    });
    const body = vi.fn(threeBytes);
    const { signal } = new AbortController();
    const response = await call("/from", { method: "PUT", signal, fairlead: { body } });
    expect([response.url, await response.text()]).toEqual(["http://app/to", "ABC"]);
    expect(told).toEqual([
      ["slow", 1, "http://app/from"],
      ["quick", 2, "http://app/from"],
      ["slow", 1, "http://app/to"],
      ["quick", 2, "http://app/to"],
      "quick",
    ]);
    await vi.waitFor(() => expect(copied.received).toEqual(["PUT /from", "PUT /to"]));
    expect(body).toHaveBeenCalledTimes(6);
    for (const balancer of [main, copies]) await idle(balancer);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await vi.waitFor(() => expect(slow.sockets.size).toBe(0));
  });

  test("an attempt of a fallback is that of its own balancer, and what its backend says of its load counts there", async () => {
    const away = await httpServer((request, response, body) => {
      response.setHeader("endpoint-load-metrics", "TEXT cpu_utilization=0.5");
      echo(request, response, body);
    });
    const second = balancerOver([away.url], { name: "away", strategy: reportedLoad() });
    const first = balancerOver([await deadPort()], {
      fallback: fallbackTo(second),
      retry: false,
      strategy: roundRobin(),
    });
    const told: unknown[] = [];
    const call = connect(first, {
      beforeRequest: ({ attempt }) => void told.push([attempt.balancer.name, attempt.number]),
      afterResponse: ({ attempt }) => void told.push(attempt?.balancer.name),
      beforeError: () => void told.push("error"),
    });
    const response = await call("/x", { method: "PUT", fairlead: { body: threeBytes } });
    expect([response.url, ((await response.json()) as { body: string }).body]).toEqual(["http://orders/x", "ABC"]);
    expect(told).toEqual([["orders", 1], ["away", 1], "away"]);
    expect(second.backends[0]?.reported?.load).toEqual({ cpuUtilization: 0.5 });
    for (const balancer of [first, second]) await idle(balancer);
  });

  test("a caller that aborts in a queue, or while a backend works, leaves no place taken and no listener", async () => {
    const hanging = await rawServer(() => {});
    const balancer = balancerOver([hanging.url], { limits: { maxConcurrentPerBackend: 1 }, queue: { size: 5 } });
    const router = createRouter({ name: "app", routes: [{ to: balancer, limits: { maxConcurrent: 2 } }] });
    const call = connect(router, { beforeRequest: () => {} });
    const [works, waits] = [new AbortController(), new AbortController()];
    const first = caught(call("/1", { signal: works.signal }));
    await vi.waitFor(() => expect(hanging.received).toHaveLength(1));
    const second = caught(call("/2", { method: "PUT", signal: waits.signal, fairlead: { body: threeBytes } }));
    expect(((await caught(call("/3"))) as Error).cause).toMatchObject({ limit: "route-concurrency" });
    waits.abort("waits");
    works.abort("works");
    expect([await first, await second]).toEqual(["works", "waits"]);
    await idle(balancer);
    await vi.waitFor(() => expect(router.snapshot().routes[0]?.underWay).toBe(0));
    for (const { signal } of [works, waits]) expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(hanging.received).toEqual(["GET /1"]);
  });
});
