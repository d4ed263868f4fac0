// What `fairlead` makes for gateways, and the hooks of its `fetch`.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { fairlead as portable } from "./fairlead-portable.ts";
import {
  type AccessRecord,
  cookieAffinity,
  createNodeListener,
  FairleadError,
  type Forward,
  fairlead,
  type Transport,
} from "./node.ts";

const CLIENT = { ip: "192.0.2.7", protocol: "https" } as const;
const KEY = "kZ7wq2Vx9LrT4mYb8NcD3fGh6JkP1sQa";
const open: { close(options: { drainMs: number }): Promise<void> }[] = [];
let server: Server;
let url: string;

beforeEach(async () => {
  server = createServer(({ url: path, headers }, response) => response.end(JSON.stringify({ path, headers })));
  url = await listen(server);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close({ drainMs: 0 })));
  server.close();
  server.closeAllConnections();
});

async function listen(one: Server): Promise<string> {
  one.listen(0, "127.0.0.1");
  await once(one, "listening");
  return `http://127.0.0.1:${(one.address() as AddressInfo).port}`;
}

/** To be closed after the test. */
function closing<T extends (typeof open)[number]>(one: T): T {
  open.push(one);
  return one;
}

const asked = (path: string): Request => new Request(`http://shop.test${path}`);

function problemsOf(make: () => unknown): readonly (readonly [string, string | undefined])[] {
  try {
    make();
  } catch (error) {
    if (error instanceof FairleadError) return error.problems.map(({ path, didYouMean }) => [path, didYouMean]);
  }
  return [];
}

describe.each([
  ["in Node", fairlead],
  ["where there is no undici", portable],
])("forward, %s", (_name, make) => {
  test("takes requests of clients to backends, by its options over those of all clients", async () => {
    const log: AccessRecord[] = [];
    const orders = closing(
      make({
        name: "orders",
        backends: [url],
        propagate: true,
        forward: {
          trust: { hops: 1 },
          requestIdHeader: false,
          accessLog: (record) => log.push(record),
          propagate: undefined,
        },
      }),
    );
    expectTypeOf(orders.forward).toEqualTypeOf<Forward>();
    expect(orders.forward).toBe(orders.forward);
    const request = new Request("http://shop.test/v1/7?x", { headers: { "x-forwarded-for": "6.6.6.6" } });
    const { path, headers } = await (await orders.forward(request, CLIENT)).json();
    expect([path, headers["x-forwarded-for"], headers["x-envoy-attempt-count"]]).toEqual([
      "/v1/7?x",
      "6.6.6.6, 192.0.2.7",
      "1",
    ]);
    expect(log).toMatchObject([{ path: "/v1/7", upstream: "orders", clientIp: "6.6.6.6", status: 200 }]);
    expect(orders.snapshot().calls).toMatchObject({ calls: 1, succeeded: 1 });
  });

  test("ends with its balancer", async () => {
    const orders = make({ name: "orders", backends: [url] });
    const { forward } = orders;
    await (await forward(asked("/"), CLIENT)).text();
    await orders.close();
    expect((await forward(asked("/"), CLIENT)).status).toBe(503);
  });

  test("goes by the routes of an app, for which a session's cookie names the upstream's backend", async () => {
    const log: AccessRecord[] = [];
    const app = closing(
      make({
        upstreams: { orders: { backends: [url] }, users: { backends: [url], forward: { via: "users" } } },
        routes: [{ name: "cart", path: "/cart", rewritePath: "/", to: "orders" }],
        default: "users",
        forward: { affinity: cookieAffinity({ keys: [KEY] }), accessLog: (record) => log.push(record) },
      }),
    );
    const cart = await app.forward(asked("/cart/7"), CLIENT);
    const other = await app.forward(asked("/7"), CLIENT);
    expect([(await cart.json()).path, (await other.json()).path]).toEqual(["/7", "/7"]);
    const [first, second] = [cart, other].map(({ headers }) =>
      headers.getSetCookie().map((field) => field.split("=")[0]),
    );
    expect(first).toEqual([expect.stringMatching(/^fairlead_/)]);
    expect(second).not.toEqual(first);
    expect(log).toMatchObject([
      { upstream: "orders", route: "cart" },
      { upstream: "users", route: "default" },
    ]);
    expect((await app.upstreams.users.forward(asked("/"), CLIENT)).headers.get("via")).toBe("1.1 users");
    await app.close();
    expect((await app.forward(asked("/7"), CLIENT)).status).toBe(503);
  });

  test("hooks are those of the fetch, not of the forward", async () => {
    const beforeRequest = vi.fn<() => void>();
    const hooks = { beforeRequest };
    const orders = closing(make({ name: "orders", backends: [url], hooks }));
    const app = closing(make({ upstreams: { orders: { backends: [url] } }, default: "orders", hooks }));
    for (const one of [orders, app]) {
      await (await one.forward(asked("/"), CLIENT)).text();
      expect(beforeRequest).not.toHaveBeenCalled();
      await (await one.fetch("/")).text();
      expect(beforeRequest).toHaveBeenCalledOnce();
      beforeRequest.mockClear();
    }
  });

  test("names all that is wrong with either at once, and where", () => {
    const forward = { trust: { hops: -1 }, vai: "edge", maxHeaders: 0, affinity: 3, propagate: 1 } as never;
    const hooks = { beforeRequests: () => {}, afterResponse: 3 } as never;
    const wrong = [
      ["hooks.beforeRequests", "beforeRequest"],
      ["hooks.afterResponse", undefined],
      ["forward.vai", "via"],
      ["forward.propagate", undefined],
      ["forward.maxHeaders", undefined],
      ["forward.trust.hops", undefined],
      ["forward.affinity", undefined],
    ];
    const sorted = (problems: typeof wrong | ReturnType<typeof problemsOf>) => [...problems].map(String).sort();
    const backends = [url];
    expect(sorted(problemsOf(() => make({ name: "orders", backends, forward, hooks })))).toEqual(sorted(wrong));
    expect(
      sorted(problemsOf(() => make({ upstreams: { orders: { backends } }, default: "orders", forward, hooks }))),
    ).toEqual(sorted(wrong));
    expect(
      sorted(problemsOf(() => make({ upstreams: { orders: { backends, forward, hooks } }, default: "orders" }))),
    ).toEqual(sorted(wrong.map(([path, meant]) => [`upstreams.orders.${path}`, meant])));
    expect(problemsOf(() => make({ name: "orders", backends, forward: 3 as never }))).toEqual([["forward", undefined]]);
  });
});

test("a forward of Node's serves a server of Node's, untouched by a platform in between", async () => {
  const orders = closing(fairlead({ name: "orders", backends: [url] }));
  const gateway = createServer(createNodeListener(orders.forward));
  try {
    const answer = await fetch(`${await listen(gateway)}/a`, { headers: { "user-agent": "test" } });
    const { path, headers } = (await answer.json()) as { path: string; headers: Record<string, string> };
    // undici asks for what the client has asked for.
    expect([path, headers["user-agent"], headers["accept-encoding"]]).toEqual(["/a", "test", "gzip, deflate"]);
  } finally {
    gateway.close();
    gateway.closeAllConnections();
  }
});

test("a forward may have a transport of its own", async () => {
  const transport = vi.fn<Transport>(async () => new Response("own"));
  const orders = closing(fairlead({ name: "orders", backends: [url], forward: { fetch: transport } }));
  expect(await (await orders.forward(asked("/"), CLIENT)).text()).toBe("own");
});
