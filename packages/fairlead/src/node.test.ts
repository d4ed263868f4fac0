import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { type Balancer, type Fairlead, FairleadError, type FairleadOptions, fairlead, roundRobin } from "./node.ts";

let server: Server;
let url: string;
const open: Fairlead[] = [];

beforeEach(async () => {
  server = createServer((request, response) => void request.resume().on("end", () => response.end(request.url)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((orders) => orders.close({ drainMs: 0 })));
  server.close();
  server.closeAllConnections();
});

function make(options: Partial<FairleadOptions> = {}): Fairlead {
  const orders = fairlead({ name: "orders", backends: [url], ...options });
  open.push(orders);
  return orders;
}

describe("fairlead", () => {
  test("is a balancer that fetches, requests and dispatches", async () => {
    const orders = make();
    expectTypeOf(orders).toExtend<Balancer>();
    expectTypeOf(orders.fetch).toExtend<typeof fetch>();
    const response = await orders.fetch("/v1/orders/7");
    expect([response.url, await response.text()]).toEqual(["http://orders/v1/orders/7", "/v1/orders/7"]);
    expect(response).toBeInstanceOf(Response);
    expect(await (await orders.request("/a")).body.text()).toBe("/a");
    const { dispatcher } = orders;
    expect(await (await fetch("http://orders/b", { dispatcher } as RequestInit)).text()).toBe("/b");
    expect(orders.snapshot().calls).toMatchObject({ calls: 3, succeeded: 3 });
  });

  test("makes each of them once, when it is first asked for", () => {
    const orders = make();
    expect(orders.fetch).toBe(orders.fetch);
    expect(orders.request).toBe(orders.request);
    expect(orders.dispatcher).toBe(orders.dispatcher);
    expect(() => {
      (orders as { fetch: unknown }).fetch = undefined;
    }).toThrow(TypeError);
  });

  test("fetches with another fetch if given one", async () => {
    const own = vi.fn<typeof fetch>((input, init) => fetch(input, init));
    await (await make({ fetch: own }).fetch("/a")).text();
    expect(own).toHaveBeenCalledWith("http://orders/a", expect.anything());
  });

  test("says to backends what it is told to, by each of its clients", async () => {
    const seen: unknown[] = [];
    server.removeAllListeners("request").on("request", ({ headers }, response) => {
      seen.push([headers["idempotency-key"], headers["x-envoy-attempt-count"]]);
      response.end();
    });
    const orders = make({ idempotencyKey: () => "order 7", propagate: true, methods: ["GET"] });
    await (await orders.fetch("/", { method: "PUT" })).text();
    await (await orders.request("/", { method: "PUT" })).body.text();
    await (await fetch("http://orders/", { method: "PUT", dispatcher: orders.dispatcher } as RequestInit)).text();
    expect(seen).toEqual(Array.from({ length: 3 }, () => ["order 7", "1"]));
    expect(() => make({ idempotencyKey: "the same for all" })).toThrow(/idempotencyKey/);
    expect(() => make({ methods: "GET" as never })).toThrow(/methods: got "GET"/);
  });

  test("takes every option of a balancer, and names all that is wrong with them at once", () => {
    expect(make({ strategy: roundRobin(), origin: "https://orders.test" })).toMatchObject({
      origin: "https://orders.test",
    });
    const wrong = { name: "orders", backends: [], strategie: 1 } as unknown as FairleadOptions;
    expect(() => fairlead(wrong)).toThrow(FairleadError);
    expect(() => fairlead(undefined as unknown as FairleadOptions)).toThrow(/name: got undefined[\s\S]*backends/);
    expect(() => make({ fetch: 3 as unknown as typeof fetch })).toThrow(/fetch: got 3, expected a function/);
    expect(() => fairlead(wrong)).toThrow(/did you mean `strategy`[\s\S]*backends/);
  });

  test("bounds the bodies of requests, whichever way they are made", async () => {
    const orders = make({ maxRequestBytes: 3 });
    const tooLong = { method: "PUT", body: "abcd" } as const;
    const limit = { code: "FAIRLEAD_ERR_LIMIT", limit: "request-bytes" };
    const { dispatcher } = orders;
    await expect(orders.fetch("/a", tooLong)).rejects.toMatchObject({ cause: limit });
    await expect(orders.request("/a", tooLong)).rejects.toMatchObject(limit);
    await expect(fetch("http://orders/a", { ...tooLong, dispatcher } as RequestInit)).rejects.toMatchObject({
      cause: limit,
    });
    expect(await (await orders.fetch("/a", { method: "PUT", body: "abc" })).text()).toBe("/a");
    expect(orders.snapshot().limits.shed["request-bytes"]).toBe(3);
    expect(() => make({ maxRequestBytes: -1 })).toThrow(/maxRequestBytes: got -1/);
  });

  test("ends with its balancer", async () => {
    const orders = make();
    await (await orders.fetch("/a")).text();
    await orders.close();
    await expect(orders.fetch("/a")).rejects.toMatchObject({ cause: { code: "FAIRLEAD_ERR_CLOSED" } });
    await expect(orders.request("/a")).rejects.toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    const { dispatcher } = orders;
    await expect(fetch("http://orders/b", { dispatcher } as RequestInit)).rejects.toThrow("fetch failed");
  });
});
