// What routes and forwards do together: sessions, fallbacks, mirrors, limits, hedges, and clients that leave.
import { getEventListeners } from "node:events";
import {
  type Balancer,
  type BalancerOptions,
  createRouter,
  fallbackTo,
  hedging,
  type RouteOptions,
  rateLimit,
  roundRobin,
} from "@fairlead/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type AccessRecord,
  type ClientInfo,
  cookieAffinity,
  createForward,
  type Forward,
  type ForwardOptions,
  lastGoodResponse,
} from "../../src/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { CLIENT, transports } from "../support/forwarding.ts";
import { deadPort, httpServer, rawServer, type TestServer } from "../support/servers.ts";
import { listen } from "../support/sessions.ts";

const affinity = cookieAffinity({ keys: ["3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ"] });
const balancers: Balancer[] = [];

afterEach(async () => {
  // Whatever a test did, every place is given back.
  await Promise.all(balancers.splice(0).map(idle));
});

interface Site {
  readonly server: TestServer;
  readonly balancer: Balancer;
}

/** An upstream with one backend, which has the same id in all of them. */
async function site(
  name: string,
  respond?: Parameters<typeof httpServer>[0],
  options: Partial<BalancerOptions> = {},
): Promise<Site> {
  const server = await httpServer(respond);
  return { server, balancer: over(server.url, { name, ...options }) };
}

function over(url: string, options: Partial<BalancerOptions> = {}): Balancer {
  const balancer = balancerOver([{ id: "one", url }], { ejection: false, ...options });
  balancers.push(balancer);
  return balancer;
}

interface Gateway {
  /** With the cookies that it was handed. */
  readonly get: (path: string, init?: RequestInit) => Promise<Response>;
  readonly forward: Forward;
  readonly log: readonly AccessRecord[];
  readonly cookies: Map<string, string>;
}

/** A forward over one route to `/shop`, with sessions, that lets each client have one thing open. */
function gateway(route: Omit<RouteOptions, "path" | "name">, options: ForwardOptions = {}): Gateway {
  const log: AccessRecord[] = [];
  const cookies = new Map<string, string>();
  const router = createRouter({ name: "edge", routes: [{ name: "shop", path: "/shop", rewritePath: "/", ...route }] });
  const forward = createForward(router, {
    affinity,
    maxConnectionsPerClient: 1,
    accessLog: (record) => log.push(record),
    ...options,
  });
  const get: Gateway["get"] = async (path, init) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const request = new Request(`http://shop.test${path}`, { headers: { cookie }, ...init });
    const response = await forward(request, CLIENT);
    for (const field of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(field) ?? [];
      cookies.set(name, value);
    }
    return response;
  };
  return { get, forward, log, cookies };
}

const never = (): Promise<never> => new Promise(() => {});
const silent = { kind: "session", name: "silent", pinPolicy: "redistribute" } as const;

describe.each(transports)("by %s", (_name, make) => {
  const options = (): ForwardOptions => ({ fetch: make() });

  test("an answer of a fallback is shown in the client's terms, logged as whose it is, and begins no session", async () => {
    const away = await site("away", (request, response) => {
      response.writeHead(302, { location: `http://${request.headers.host}${request.url}/next` }).end("away");
    });
    const home = over(await deadPort(), { name: "home", fallback: fallbackTo(away.balancer), retry: false });
    const told = listen(home);
    const { get, log, cookies } = gateway({ to: home }, options());
    for (let time = 0; time < 2; time++) {
      const response = await get("/shop/7");
      expect([response.status, response.headers.get("location"), await response.text()]).toEqual([
        302,
        "https://shop.test/shop/7/next",
        "away",
      ]);
      await vi.waitFor(() => expect(log).toHaveLength(time + 1));
    }
    expect([...cookies]).toEqual([]);
    expect(log[1]).toMatchObject({ upstream: "away", backend: "one", route: "shop", attempts: 2, status: 302 });
    expect(told).toEqual([]);
  });

  test("a session is kept while a fallback answers, and neither moves nor is forgotten", async () => {
    let works = true;
    const home = await site("home", (_request, response) => {
      response.writeHead(works ? 200 : 500).end("home");
    });
    const away = await site("away", (_request, response) => void response.end("away"));
    const told = listen(home.balancer);
    const { get, log, cookies } = gateway(
      { to: home.balancer, fallback: fallbackTo(away.balancer), retry: false },
      options(),
    );
    const bodies: string[] = [];
    for (const now of [true, false, true]) {
      works = now;
      bodies.push(await (await get("/shop/")).text());
      await vi.waitFor(() => expect(log).toHaveLength(bodies.length));
    }
    expect([bodies, cookies.size, told]).toEqual([["home", "away", "home"], 1, []]);
    expect(log.map(({ upstream, attempts }) => [upstream, attempts])).toEqual([
      ["home", 1],
      ["away", 2],
      ["home", 1],
    ]);
  });

  test("an answer that is remembered belongs to no backend", async () => {
    const home = await site("home", (_request, response) => void response.end("good"), {
      fallback: lastGoodResponse(),
      retry: false,
    });
    const { get, log } = gateway({ to: home.balancer }, options());
    expect(await (await get("/shop/7")).text()).toBe("good");
    await idle(home.balancer);
    home.server.close();
    const again = await get("/shop/7");
    expect([again.status, again.headers.get("age"), await again.text()]).toEqual([200, "0", "good"]);
    expect(log[1]).toMatchObject({ upstream: "home", backend: undefined, attempts: 1, status: 200 });
  });

  test("a mirror is neither seen, nor counted, nor waited for", async () => {
    const home = await site("home", (_request, response) => void response.end("home"));
    const copies = await site("copies", (_request, response) => {
      response.writeHead(500, { "set-cookie": "copy=1", location: "/copy" }).end("x".repeat(200_000));
    });
    const { get, log, cookies } = gateway(
      { to: home.balancer, mirror: { to: copies.balancer, percent: 100 } },
      options(),
    );
    const response = await get("/shop/7?x", { method: "PUT", body: "a body" });
    expect([response.status, await response.text()]).toEqual([200, "home"]);
    await (await get("/shop/8")).text();
    await vi.waitFor(() => expect(log).toHaveLength(2));
    expect([cookies.size, cookies.has("copy")]).toEqual([1, false]);
    expect(log[1]).toMatchObject({ upstream: "home", attempts: 1 });
    // A body that streams is nobody's to copy.
    await vi.waitFor(() => expect(copies.server.received).toEqual(["GET /8"]));
    await idle(copies.balancer);
  });

  test("what a route's limits turn away is answered, logged and given back, and has no session", async () => {
    const home = await site("home", (_request, response) => void response.write("begun"));
    const full = gateway(
      { to: home.balancer, limits: { maxConcurrent: 1 } },
      { ...options(), maxConnectionsPerClient: 2 },
    );
    const first = await full.get("/shop/7");
    full.cookies.clear();
    for (let time = 0; time < 3; time++) expect((await full.get("/shop/7")).status).toBe(503);
    expect([...full.cookies]).toEqual([]);
    expect(full.log[2]).toMatchObject({ status: 503, errorCode: "FAIRLEAD_ERR_LIMIT", route: "shop", attempts: 0 });
    await first.body?.cancel();
    const slow = gateway({ to: home.balancer, limits: { rate: rateLimit({ perSecond: 0.1, burst: 1 }) } }, options());
    await (await slow.get("/shop/7")).body?.cancel();
    await vi.waitFor(() => expect(slow.log).toHaveLength(1));
    const refused = await slow.get("/shop/7");
    expect([refused.status, Number(refused.headers.get("retry-after"))]).toEqual([429, expect.closeTo(10, -1)]);
  });

  test("a hedged request is logged as its winner's, and its cookie is that of the winner", async () => {
    const slow = await rawServer(() => {});
    const quick = await httpServer((_request, response) => void response.end("quick"));
    const balancer = balancerOver(
      [
        { id: "slow", url: slow.url },
        { id: "quick", url: quick.url },
      ],
      { hedge: hedging({ delayMs: 20 }), strategy: roundRobin() },
    );
    balancers.push(balancer);
    const { get, log, cookies } = gateway({ to: balancer }, options());
    for (let time = 0; time < 3; time++) {
      expect(await (await get("/shop/")).text()).toBe("quick");
      await vi.waitFor(() => expect(log).toHaveLength(time + 1));
    }
    expect(cookies.size).toBe(1);
    expect(log.map(({ backend }) => backend)).toEqual(["quick", "quick", "quick"]);
    expect(counters(balancer, 0)).toMatchObject({ failures: 0 });
  });

  test.each<[string, (home: Site) => { options?: ForwardOptions; route?: Partial<RouteOptions>; path?: string }]>([
    ["while its session is looked for", () => ({ options: { affinity: { ...silent, find: never, keep: never } } })],
    [
      "while its cookie is made",
      () => ({ options: { affinity: { ...silent, find: () => undefined, keep: never } }, path: "/shop/quick" }),
    ],
    ["before there is an answer", () => ({})],
    ["in a back-off", () => ({ route: { retry: { delayMs: 10_000, jitter: false } }, path: "/shop/fails" })],
    ["while a fallback is asked", (home) => ({ route: { fallback: fallbackTo(home.balancer) }, path: "/shop/hangs" })],
    ["while the body comes", () => ({ path: "/shop/begun" })],
  ])("a client that leaves %s leaves nothing behind", async (_when, wanted) => {
    const home = await site("home", (request, response) => {
      if (request.url === "/quick") response.end("quick");
      else if (request.url === "/fails") response.writeHead(503).end();
      else if (request.url === "/begun") response.write("begun");
    });
    const { options: own, route, path = "/shop/" } = wanted(home);
    const to = route?.fallback === undefined ? home.balancer : over(await deadPort(), { name: "dead", retry: false });
    const { get, log } = gateway({ to, ...route }, { ...options(), ...own });
    const controller = new AbortController();
    const { signal } = controller;
    const answer = get(path, { signal }).then((response) => response.text());
    if (own?.affinity?.kind !== "session" || path !== "/shop/")
      await vi.waitFor(() => expect(home.server.received).toHaveLength(1));
    setTimeout(() => controller.abort(new Error("gone")), 30);
    await expect(answer).rejects.toThrow();
    await vi.waitFor(() => expect(log).toHaveLength(1));
    expect(log[0]?.status).toBe(path === "/shop/begun" ? 200 : 499);
    await vi.waitFor(() => expect(getEventListeners(signal, "abort")).toEqual([]));
    await idle(home.balancer);
  });
});

test("clients are counted apart, and a tunnel by itself takes up a place of its route", async () => {
  const balancer = over("http://127.0.0.1:1", { name: "home" });
  const { forward, get, log } = gateway({ to: balancer, limits: { maxConcurrent: 1 } });
  const upgrade = new Request("http://shop.test/shop/live", { headers: { connection: "upgrade", upgrade: "echo" } });
  const held: (() => void)[] = [];
  const ask = (client: ClientInfo) =>
    forward.tunnel(
      upgrade,
      client,
      async (attempt) => {
        held.push(attempt.hold());
        return { status: 101, headers: new Headers() };
      },
      () => {},
    );
  const tunnel = await ask(CLIENT);
  expect([tunnel.status, tunnel.headers?.getSetCookie().length]).toEqual([101, 1]);
  expect((await get("/shop/7")).status).toBe(429);
  const other = await ask({ ip: "192.0.2.8" });
  expect([other.status, other.headers?.getSetCookie()]).toEqual([503, []]);
  held[0]?.();
  expect((await ask(CLIENT)).status).toBe(101);
  held[1]?.();
  expect(log.map(({ status, tunnel: isTunnel }) => [status, isTunnel])).toEqual([
    [429, false],
    [503, true],
    [101, true],
    [101, true],
  ]);
});
