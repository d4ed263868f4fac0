import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { fairlead as portable } from "./fairlead-portable.ts";
import {
  type Balancer,
  type FairleadApp,
  type FairleadAppOptions,
  FairleadError,
  fairlead,
  maglev,
  peakEwma,
} from "./node.ts";

/** Two servers that say who they are, what they were asked, and by how many connections. */
const servers: { server: Server; url: string; connections: number }[] = [];
const open: { close(options: { drainMs: number }): Promise<void> }[] = [];

beforeEach(async () => {
  for (const name of ["orders", "users"]) {
    const entry = { server: createServer(), url: "", connections: 0 };
    entry.server.on("request", (request, response) => response.end(`${name} ${request.url}`));
    entry.server.on("connection", () => entry.connections++);
    entry.server.listen(0, "127.0.0.1");
    await once(entry.server, "listening");
    entry.url = `http://127.0.0.1:${(entry.server.address() as AddressInfo).port}`;
    servers.push(entry);
  }
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close({ drainMs: 0 })));
  for (const { server } of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

const url = (index: number): string => servers[index]?.url ?? "";

function make() {
  const app = fairlead({
    name: "shop",
    upstreams: {
      orders: { backends: [url(0)] },
      ordersByUser: { from: "orders", strategy: maglev(), deadlineMs: 5_000 },
      users: { backends: [url(1)], name: "user service", origin: "http://people" },
    },
    routes: [
      { name: "by user", path: "/orders/by-user", to: "ordersByUser" },
      { path: "/orders", rewritePath: "/", to: [{ to: "orders", percent: 100 }], mirror: { to: "users", percent: 0 } },
      { host: "users.test", to: "users" },
    ],
    default: "users",
  });
  open.push(app);
  return app;
}

describe("fairlead with several upstreams", () => {
  test("routes what its clients send", async () => {
    const app = make();
    const { dispatcher } = app;
    await app.ready();
    expect(await (await app.fetch("/orders/7")).text()).toBe("orders /7");
    expect(await (await app.request("/orders/by-user/7")).body.text()).toBe("orders /orders/by-user/7");
    expect(await (await fetch("http://users.test/x", { dispatcher } as RequestInit)).text()).toBe("users /x");
    expect(await (await app.fetch("/else")).text()).toBe("users /else");
    expect(app.router.snapshot().routes.map(({ route, matched }) => [route, matched])).toEqual([
      ["by user", 1],
      ["route 2", 1],
      ["route 3", 1],
      ["default", 1],
    ]);
    expect(app.fetch).toBe(app.fetch);
    expect([app.dispatcher, app.router.origin]).toEqual([dispatcher, "http://shop"]);
  });

  test("has each upstream as a balancer with clients of its own", async () => {
    const { upstreams } = make();
    expectTypeOf(upstreams).toHaveProperty("ordersByUser");
    expectTypeOf(upstreams.orders).toExtend<Balancer>();
    expectTypeOf(upstreams.orders.fetch).toExtend<typeof fetch>();
    expect(Object.entries(upstreams).map(([key, { name, origin }]) => [key, name, origin])).toEqual([
      ["orders", "orders", "http://orders"],
      ["ordersByUser", "orders", "http://orders"],
      ["users", "user service", "http://people"],
    ]);
    expect(await (await upstreams.users.fetch("/1")).text()).toBe("users /1");
    expect(await (await upstreams.ordersByUser.request("/2")).body.text()).toBe("orders /2");
  });

  test("derives upstreams, which share members and connections", async () => {
    const { upstreams } = make();
    const { orders, ordersByUser } = upstreams;
    expect(ordersByUser.backends).toEqual(orders.backends);
    expect([ordersByUser.settings.strategy.name, ordersByUser.settings.deadlineMs]).toEqual(["maglev", 5_000]);
    for (const upstream of [orders, ordersByUser, orders]) {
      await (await upstream.request("/")).body.text();
      // A connection is free again a moment after its body has ended.
      await nextTurn();
    }
    expect(servers[0]?.connections).toBe(1);
    orders.disable(orders.backends[0]?.id ?? "");
    await expect(ordersByUser.request("/")).rejects.toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
  });

  test("closes all of them, by itself too", async () => {
    const app = make();
    await using disposed = make();
    await (await app.fetch("/orders")).text();
    await app.close();
    for (const upstream of Object.values(app.upstreams)) expect(upstream.snapshot().state).toBe("closed");
    await expect(app.fetch("/orders")).rejects.toMatchObject({ cause: { code: "FAIRLEAD_ERR_CLOSED" } });
    await expect(app.ready()).rejects.toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    await app.close();
    await disposed[Symbol.asyncDispose]();
    expect(disposed.upstreams.users.snapshot().state).toBe("closed");
  });

  test("hands its options to its clients, and its `fetch` to all", async () => {
    const own = vi.fn<typeof fetch>((input, init) => fetch(input, init));
    const keys: unknown[] = [];
    servers[0]?.server.prependListener("request", ({ headers }) => keys.push(headers["idempotency-key"]));
    const app: FairleadApp<"orders"> = fairlead({
      upstreams: { orders: { backends: [url(0)] } },
      default: "orders",
      fetch: own,
      idempotencyKey: () => "key",
    });
    open.push(app);
    await (await app.fetch("/a", { method: "POST" })).text();
    await (await app.upstreams.orders.fetch("/b", { method: "POST" })).text();
    expect([own.mock.calls.length, keys]).toEqual([2, ["key", undefined]]);
  });

  test("is the same where there is no undici", async () => {
    const app = portable({ upstreams: { orders: { backends: [url(0)] } }, routes: [{ path: "/v1", to: "orders" }] });
    open.push(app);
    expect(await (await app.fetch("/v1/x")).text()).toBe("orders /v1/x");
    await expect(app.fetch("/v2")).rejects.toMatchObject({ cause: { code: "FAIRLEAD_ERR_NO_ROUTE" } });
  });

  test("names all that is wrong at once, wherever it is", () => {
    const strategy = peakEwma();
    const wrong = {
      upstreams: {
        orders: { backends: [url(0)], strategie: strategy, propagate: 1, fetch: 3 },
        users: { backends: [] },
        derived: { from: "order", strategy: 3, backends: [url(0)] },
        again: { from: "derived" },
        nothing: 3,
        "no host": { backends: [url(0)] },
      },
      routes: [
        { to: "ordrs" },
        {
          to: [
            { to: "user", percent: 60 },
            { to: "users", percent: 30 },
          ],
          mirror: { to: "x", percent: 1 },
        },
        { hots: "x", to: "orders" },
        3,
      ],
      default: 7,
      deadlineMs: -1,
      routs: [],
    } as unknown as FairleadAppOptions;
    const error = ((): unknown => {
      try {
        return fairlead(wrong);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(FairleadError);
    expect((error as FairleadError).problems.map(({ path, didYouMean }) => [path, didYouMean])).toEqual([
      ["routs", "routes"],
      ["deadlineMs", undefined],
      ["upstreams.orders.fetch", undefined],
      ["upstreams.orders.propagate", undefined],
      ["upstreams.orders.strategie", "strategy"],
      ["upstreams.users.backends", undefined],
      ["upstreams.nothing", undefined],
      ["upstreams.no host.name", undefined],
      ["upstreams.derived.from", "orders"],
      ["upstreams.derived.backends", undefined],
      ["upstreams.derived.strategy", undefined],
      ["upstreams.again.from", undefined],
      ["routes[0].to", "orders"],
      ["routes[1].to[0].to", "users"],
      ["routes[1].mirror.to", undefined],
      ["default", undefined],
      ["routes[1].to", undefined],
      ["routes[2].hots", "host"],
      ["routes[3]", undefined],
    ]);
    for (const upstreams of [undefined, {}, [], 3])
      expect(() => fairlead({ upstreams } as unknown as FairleadAppOptions)).toThrow(/upstreams: got/);
  });
});
