import {
  type Balancer,
  createRandom,
  createRouter,
  FairleadError,
  type RouteOptions,
  type Router,
  type RouterOptions,
} from "@fairlead/core";
import { Agent, getGlobalDispatcher, MockAgent, setGlobalDispatcher } from "undici";
import { describe, expect, test, vi } from "vitest";
import { createFetch, type FetchOptions } from "../src/index.ts";
import { BalancedDispatcher, createRequest, undiciTransport } from "../src/undici/index.ts";
import { balancerOver, idle } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { deadPort, echo, httpServer, type Received, type TestServer } from "./support/servers.ts";

interface Site {
  readonly server: TestServer;
  readonly balancer: Balancer;
}

/** A server, and a balancer over it. */
async function site(name: string, ...respond: Parameters<typeof httpServer>): Promise<Site> {
  const server = await httpServer(...respond);
  return { server, balancer: balancerOver([server.url], { name }) };
}

function routerOf(routes: readonly RouteOptions[], more: Omit<RouterOptions, "routes"> = {}): Router {
  return createRouter({ name: "app", routes, random: createRandom(5), ...more });
}

/** What a client's call rejects with, without what `fetch` wraps around it. */
async function refusalOf(call: Promise<unknown>): Promise<FairleadError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof FairleadError) return cause;
  throw new Error("expected the rejection of a FairleadError", { cause: error });
}

for (const client of clients) {
  describe(client.name, () => {
    test("sends each request where its route says, by the URL alone", async () => {
      const [orders, users, other] = await Promise.all([site("orders"), site("users"), site("other")]);
      const router = routerOf(
        [
          { host: "api.test", to: users.balancer },
          { path: "/v1/orders", to: orders.balancer },
          { headers: { "x-group": ["beta"] }, method: "GET", to: users.balancer },
        ],
        { default: other.balancer },
      );
      const call = client.connect(router);
      for (const [path, headers] of [
        ["/v1/orders/7?x=1", {}],
        ["/v1/orders2", {}],
        ["http://api.test/v1/orders", {}],
        ["/v1/users", { "X-Group": "beta" }],
        ["/v1/users", { "X-Group": "betas" }],
        ["/v1/users", { host: "api.test" }],
      ] as const) {
        const answer = await call(path, { headers });
        expect(answer.status).toBe(200);
        await answer.text();
      }
      expect(orders.server.received).toEqual(["GET /v1/orders/7?x=1"]);
      expect(users.server.received).toEqual(["GET /v1/orders", "GET /v1/users"]);
      expect(other.server.received).toEqual(["GET /v1/orders2", "GET /v1/users", "GET /v1/users"]);
      for (const { balancer } of [orders, users, other]) await idle(balancer);
    });

    test("says that no route is for a request", async () => {
      const orders = await site("orders");
      const call = client.connect(routerOf([{ path: "/v1", to: orders.balancer }]));
      const error = await refusalOf(call("/v2/x?secret=1"));
      expect(error).toMatchObject({ code: "FAIRLEAD_ERR_NO_ROUTE", message: "app: no route is for GET app/v2/x" });
      expect(orders.server.received).toEqual([]);
    });

    test("rewrites what the backend gets, and lets nothing slip past a route by how it is written", async () => {
      const [orders, rest] = await Promise.all([site("orders"), site("rest")]);
      const router = routerOf([{ path: "/v1", rewritePath: "/", to: orders.balancer }], { default: rest.balancer });
      const call = client.connect(router);
      const paths = [
        "/v1",
        "/v1/a?b=/v1",
        "//v1/a",
        "/%76%31/a%2fb",
        "/x/%2e%2e/v1/a",
        "/v1//evil.test",
        "/v1/%2E%2E/b",
      ];
      for (const path of paths) await (await call(new URL(`http://app${path}`).href)).text();
      expect(orders.server.received).toEqual([
        "GET /",
        "GET /a?b=/v1",
        "GET /a",
        "GET /a%2fb",
        "GET /a",
        "GET /evil.test",
      ]);
      expect(rest.server.received).toEqual(["GET /b"]);
    });

    test("goes by what the call, its route, the client and the balancer say, in this order", async () => {
      const failing = await httpServer((_request, response) => response.writeHead(503).end());
      const balancer = balancerOver([failing.url], { retry: { limit: 3, delayMs: 0 }, ejection: false });
      const router = routerOf([{ path: "/route", retry: { limit: 1, delayMs: 0 }, to: balancer }], {
        default: balancer,
      });
      const [own, bare] = [
        client.connect(router, undefined, { retry: { limit: 2, delayMs: 0 } }),
        client.connect(router),
      ];
      for (const answer of [await own("/route"), await own("/client"), await bare("/balancer")]) await answer.text();
      // Only these hear what one call says.
      const takesInit = client.name.startsWith("create");
      if (takesInit) await (await own("/route/call", { fairlead: { retry: false } })).text();
      const attempts = (path: string): number => failing.received.filter((line) => line === `GET ${path}`).length;
      expect(["/route/call", "/route", "/client", "/balancer"].map(attempts)).toEqual([takesInit ? 1 : 0, 2, 3, 4]);
    });

    test("hears nothing of a mirror, whatever becomes of it", async () => {
      const orders = await site("orders");
      const slow = await site("slow", () => {});
      const broken = await site("broken", (request) => request.socket.destroy());
      const wrong = await site("wrong", (_request, response) => response.writeHead(302, { location: "/x" }).end("no"));
      const dead = balancerOver([await deadPort()], { name: "dead" });
      const closed = balancerOver([orders.server.url], { name: "closed" });
      await closed.close();
      for (const mirror of [slow.balancer, broken.balancer, wrong.balancer, dead, closed]) {
        const router = routerOf([{ to: orders.balancer, mirror: { to: mirror, percent: 100 } }]);
        const call = client.connect(router);
        const answer = await call("/v1", { method: "PUT", body: "hello" });
        expect(JSON.parse(await answer.text())).toMatchObject({ method: "PUT", url: "/v1", body: "hello" });
        await idle(orders.balancer);
      }
      expect(orders.server.received).toHaveLength(5);
    });

    test("counts a call along a route until its body has been read", async () => {
      const orders = await site("orders", (_request, response) => response.end("x".repeat(300_000)));
      const router = routerOf([{ to: orders.balancer, limits: { maxConcurrent: 1 } }]);
      const call = client.connect(router);
      const answer = await call("/a");
      expect(await refusalOf(call("/b"))).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "route-concurrency" });
      expect(await answer.text()).toHaveLength(300_000);
      await vi.waitFor(() => expect(router.snapshot().routes[0]?.underWay).toBe(0));
      expect(await (await call("/c")).text()).toHaveLength(300_000);
      expect(orders.server.received).toEqual(["GET /a", "GET /c"]);
    });
  });
}

const hinting: Parameters<typeof httpServer>[0] = (_request, response) => {
  response.writeEarlyHints({ link: "</x>; rel=preload" });
  response.end("done");
};

describe("a mirror", () => {
  test.each(clients.filter(({ name }) => !name.startsWith("fetch through")))(
    "gets the same request through $name, body and all",
    async (client) => {
      const [orders, mirror] = await Promise.all([site("orders"), site("mirror")]);
      const seen = vi.fn<(received: Received) => void>();
      const copy = await site("copy", (request, response, body) => {
        const { method = "", url = "", headers } = request;
        seen({ method, url, headers, body });
        response.end("x".repeat(1_000_000));
      });
      const to = [
        { to: orders.balancer, percent: 50 },
        { to: mirror.balancer, percent: 50 },
      ];
      const router = routerOf([
        { path: "/v1", rewritePath: "/internal", to, mirror: { to: copy.balancer, percent: 100 } },
      ]);
      const call = client.connect(router);
      for (let request = 0; request < 4; request++)
        await (await call("/v1/x", { method: "PUT", body: "hello", headers: { "x-a": "1" } })).text();
      await vi.waitFor(() => expect(seen).toHaveBeenCalledTimes(4));
      const [received] = seen.mock.calls[0] ?? [];
      expect(received).toMatchObject({ method: "PUT", url: "/internal/x", body: "hello", headers: { "x-a": "1" } });
      expect([orders.server.received.length, mirror.server.received.length]).toEqual([2, 2]);
      for (const { balancer } of [orders, mirror, copy]) await idle(balancer);
      expect(router.snapshot().routes[0]?.mirror).toMatchObject({ mirrored: 4, dropped: 0, underWay: 0 });
    },
  );

  test("gets no body that can be sent once", async () => {
    const [orders, copy] = await Promise.all([site("orders"), site("copy")]);
    const router = routerOf([{ to: orders.balancer, mirror: { to: copy.balancer, percent: 100 } }]);
    const body = new Blob(["streamed"]).stream();
    const answer = await createFetch(router)("/", { method: "PUT", body, duplex: "half" } as RequestInit);
    expect(await answer.json()).toMatchObject({ body: "streamed" });
    const { body: data } = await createRequest(router)("/", { method: "PUT", body: new Blob(["b"]).stream() as never });
    expect(await data.json()).toMatchObject({ body: "b" });
    expect(router.snapshot().routes[0]?.mirror?.mirrored).toBe(0);
    expect(copy.server.received).toEqual([]);
  });

  test("sends no early hints to the caller of createRequest", async () => {
    const [orders, copy] = await Promise.all([site("orders", hinting), site("copy", hinting)]);
    const router = routerOf([{ to: orders.balancer, mirror: { to: copy.balancer, percent: 100 } }]);
    const onInfo = vi.fn();
    const { body } = await createRequest(router)("/", { onInfo });
    expect(await body.text()).toBe("done");
    await vi.waitFor(() => expect(copy.server.received).toHaveLength(1));
    await idle(copy.balancer);
    expect(onInfo).toHaveBeenCalledTimes(1);
  });
});

const transports: readonly { readonly name: string; readonly options: () => FetchOptions }[] = [
  { name: "createFetch", options: () => ({}) },
  { name: "createFetch(undiciTransport)", options: () => ({ fetch: undiciTransport() }) },
];

/** Redirects where the query of `/to` says; else echoes. */
const redirecting: Parameters<typeof httpServer>[0] = (request, response, body) => {
  const url = new URL(request.url ?? "/", "http://host");
  if (!url.pathname.endsWith("/to")) echo(request, response, body);
  else response.writeHead(302, { location: url.searchParams.get("l") ?? "" }).end("moved");
};

const to = (location: string): string => `to?${new URLSearchParams({ l: location })}`;

for (const { name, options } of transports) {
  describe(`redirects through ${name}`, () => {
    test("lead from one route to another, from host to host, and out", async () => {
      const [orders, users] = await Promise.all([site("orders", redirecting), site("users", redirecting)]);
      const outside = await httpServer();
      const router = routerOf([
        { host: "users.test", to: users.balancer },
        { path: "/orders", to: orders.balancer },
        { path: "/users", to: users.balancer },
      ]);
      const call = createFetch(router, options());
      const headers = { authorization: "secret", cookie: "a=1", "x-kept": "1" };
      const other = await call(`/orders/${to("/users/7")}`, { headers });
      expect(other).toMatchObject({ url: "http://app/users/7", redirected: true });
      expect(await other.json()).toMatchObject({ url: "/users/7", headers });
      const host = await call(`/orders/${to("http://users.test/x")}`, { headers });
      expect(host.url).toBe("http://users.test/x");
      const seen = ((await host.json()) as Received).headers;
      expect([seen["authorization"], seen["cookie"], seen["x-kept"]]).toEqual([undefined, undefined, "1"]);
      const out = await call(`/orders/${to(`${outside.url}/y`)}`);
      expect(out.url).toBe(`${outside.url}/y`);
      await out.text();
      expect(await refusalOf(call(`/orders/${to("/nowhere")}`))).toMatchObject({ code: "FAIRLEAD_ERR_NO_ROUTE" });
      await Promise.all([idle(orders.balancer), idle(users.balancer)]);
    });

    test("are undone where a path was rewritten", async () => {
      const orders = await site("orders", redirecting);
      const { url } = orders.server;
      for (const [rewritePath, own] of [
        ["/", ""],
        ["/internal", "/internal"],
      ] as const) {
        const call = createFetch(routerOf([{ path: "/v1", rewritePath, to: orders.balancer }]), options());
        for (const [location, logical] of [
          [`${own}/after?x=1`, "http://app/v1/after?x=1"],
          [`${url}${own}/after`, "http://app/v1/after"],
          ["http://app/v1/after", "http://app/v1/after"],
          ["after", "http://app/v1/deep/after"],
          ["../after#part", "http://app/v1/after#part"],
        ] as const) {
          const answer = await call(`/v1/deep/${to(location)}`);
          expect([answer.url, answer.status]).toEqual([logical.replace("#part", ""), 200]);
          await answer.text();
        }
      }
      expect(orders.server.received).toContain("GET /internal/deep/after");
      await idle(orders.balancer);
    });

    test("have one deadline, which a later route's shortens and never lengthens", async () => {
      const first = await site("first", (_request, response) => {
        setTimeout(() => response.writeHead(302, { location: "/second" }).end(), 100);
      });
      const second = await site("second", () => {});
      const arrange = (firstMs: number, secondMs: number) =>
        createFetch(
          routerOf([
            { path: "/second", deadlineMs: secondMs, attemptTimeoutMs: false, to: second.balancer },
            { deadlineMs: firstMs, to: first.balancer },
          ]),
          { ...options(), retry: false },
        );
      for (const call of [arrange(300, 60_000), arrange(60_000, 100)]) {
        const startedMs = performance.now();
        await expect(call("/")).rejects.toThrow(expect.objectContaining({ name: "TimeoutError" }));
        expect(performance.now() - startedMs).toBeLessThan(3_000);
      }
      expect(second.server.received).toHaveLength(2);
    });
  });
}

describe("BalancedDispatcher with a router", () => {
  test("shows fetch where a rewritten path is, and passes other origins through", async () => {
    const orders = await site("orders", redirecting);
    const router = routerOf([{ host: "api.test", path: "/v1", rewritePath: "/", to: orders.balancer }]);
    const passThrough = new MockAgent();
    passThrough.disableNetConnect();
    passThrough.get("http://other.test").intercept({ path: "/" }).reply(200, "passed");
    const dispatcher = new BalancedDispatcher(router, { passThrough });
    const get = (url: string, init: RequestInit = {}): Promise<Response> =>
      fetch(url, { ...init, dispatcher } as RequestInit);
    const answer = await get(`http://api.test/v1/${to("after")}`);
    expect([answer.url, await answer.json()]).toMatchObject(["http://api.test/v1/after", { url: "/after" }]);
    const manual = await get(`http://api.test/v1/${to(`${orders.server.url}/after`)}`, { redirect: "manual" });
    expect(manual.headers.get("location")).toBe("http://api.test/v1/after");
    await manual.text();
    const elsewhere = await get(`http://api.test/v1/${to("http://else.test/x?")}`, { redirect: "manual" });
    expect(elsewhere.headers.get("location")).toBe("http://else.test/x?");
    await elsewhere.text();
    expect(await (await get("http://other.test/")).text()).toBe("passed");
    await idle(orders.balancer);
  });

  test("as the global dispatcher routes what anybody sends", async () => {
    const orders = await site("orders");
    const before = getGlobalDispatcher();
    setGlobalDispatcher(new BalancedDispatcher(routerOf([{ host: "*.svc.test", to: orders.balancer }])));
    try {
      const answer = await fetch("http://orders.svc.test/x");
      expect(await answer.json()).toMatchObject({ url: "/x" });
      const plain = await fetch(orders.server.url);
      await plain.text();
    } finally {
      setGlobalDispatcher(before);
    }
    expect(orders.server.received).toEqual(["GET /x", "GET /"]);
    await idle(orders.balancer);
  });

  test("joins what a header says twice before a route compares it", async () => {
    const [both, first] = await Promise.all([site("both"), site("first")]);
    const router = routerOf(
      [
        { headers: { "x-a": "1, 2" }, to: both.balancer },
        { headers: { "x-a": "1" }, to: first.balancer },
      ],
      { default: first.balancer },
    );
    const dispatcher = new BalancedDispatcher(router);
    for (const headers of [["X-A", "1", "x-a", "2"], { "x-a": ["1", "2"] }]) {
      const { body } = await dispatcher.request({ origin: "http://app", path: "/", method: "GET", headers });
      await body.dump();
      const own = await createRequest(router)("/", { headers });
      await own.body.dump();
    }
    expect([both.server.received.length, first.server.received.length]).toEqual([4, 0]);
  });

  test("routes an upgrade, and mirrors none", async () => {
    const [orders, copy] = await Promise.all([site("orders"), site("copy")]);
    const router = routerOf([{ to: orders.balancer, mirror: { to: copy.balancer, percent: 100 } }]);
    const agent = new Agent();
    const dispatcher = new BalancedDispatcher(router, { passThrough: agent });
    // A server without an upgrade listener answers as if nobody had asked.
    await expect(dispatcher.upgrade({ path: "/", origin: "http://app" } as never)).rejects.toThrow();
    await vi.waitFor(() => expect(orders.server.received).toHaveLength(1));
    expect(copy.server.received).toEqual([]);
    await agent.close();
  });
});
