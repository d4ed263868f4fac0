// Sessions: found before the call, told after it, and never in the way of an answer.
import { maglev, type SessionAffinity } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { createForward, type TunnelAnswer } from "../../src/index.ts";
import { balancerOver, idle } from "../support/balancers.ts";
import { CLIENT, forwarding, plainCookie, shopRouter } from "../support/forwarding.ts";
import { deadPort, httpServer, type TestServer } from "../support/servers.ts";

async function servers(count = 2): Promise<TestServer[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      httpServer((_request, response) => response.setHeader("set-cookie", "own=1").end(String(index))),
    ),
  );
}

function idOf({ port }: TestServer): string {
  return `127.0.0.1:${port}`;
}

describe.each([
  ["at once", plainCookie()],
  [
    "later",
    plainCookie({
      find: async (request, balancer) => plainCookie().find(request, balancer),
      keep: async (request, found, backend, balancer) => plainCookie().keep(request, found, backend, balancer),
    }),
  ],
] as const)("an affinity that answers %s", (_when, affinity) => {
  test("hands a new client its cookie beside the backend's own, and keeps it where it is", async () => {
    const [first, second] = (await servers()) as [TestServer, TestServer];
    const balancer = balancerOver([first.url, second.url]);
    const send = forwarding(balancer, { affinity });
    const fresh = await send("/");
    expect(await fresh.text()).toBe("0");
    expect(fresh.headers.getSetCookie()).toEqual(["own=1", `seat=${idOf(first)}; Path=/`]);
    const back = await send("/", { headers: { cookie: `a=b; seat=${idOf(second)}` } });
    expect(await back.text()).toBe("1");
    expect(back.headers.getSetCookie()).toEqual(["own=1"]);
    await idle(balancer);
  });
});

test("a session whose backend takes no calls moves, which is announced", async () => {
  const [first, second] = (await servers()) as [TestServer, TestServer];
  const balancer = balancerOver([first.url, second.url]);
  const moved: unknown[] = [];
  balancer.on("affinityMoved", (event) => moved.push(event));
  balancer.disable(idOf(second));
  const response = await forwarding(balancer, { affinity: plainCookie() })("/", {
    headers: { cookie: `seat=${idOf(second)}` },
  });
  expect(response.headers.getSetCookie()).toContain(`seat=${idOf(first)}; Path=/`);
  expect(moved).toEqual([{ upstream: "orders", backend: idOf(first), affinity: "plain", from: idOf(second) }]);
});

test("a session moves with a request that its backend could not be sent", async () => {
  const [first] = (await servers(1)) as [TestServer];
  const dead = await deadPort();
  const balancer = balancerOver([dead, first.url]);
  const response = await forwarding(balancer, { affinity: plainCookie() })("/", {
    method: "POST",
    body: "x",
    headers: { cookie: `seat=${new URL(dead).host}` },
  });
  expect([response.status, response.headers.getSetCookie()[1]]).toEqual([200, `seat=${idOf(first)}; Path=/`]);
});

test("a session that must not move is refused", async () => {
  const [first, second] = (await servers()) as [TestServer, TestServer];
  const balancer = balancerOver([first.url, second.url]);
  balancer.disable(idOf(second));
  const send = forwarding(balancer, { affinity: plainCookie({ pinPolicy: "fail" }) });
  const response = await send("/", { headers: { cookie: `seat=${idOf(second)}` } });
  expect([response.status, response.headers.getSetCookie()]).toEqual([503, []]);
  expect(first.received).toEqual([]);
});

test("no session begins with a backend that fails", async () => {
  const failing = await httpServer((_request, response) => response.writeHead(500).end());
  const response = await forwarding(balancerOver([failing.url]), { affinity: plainCookie() })("/");
  expect([response.status, response.headers.getSetCookie()]).toEqual([500, []]);
});

test.each<readonly [string, Partial<SessionAffinity>]>([
  [
    "find throws",
    {
      find: () => {
        throw new Error("mine");
      },
    },
  ],
  ["find rejects", { find: () => Promise.reject(new Error("mine")) }],
  [
    "keep throws",
    {
      keep: () => {
        throw new Error("mine");
      },
    },
  ],
  ["keep rejects", { keep: () => Promise.reject(new Error("mine")) }],
  ["keep splits the response", { keep: () => "seat=1\r\nset-cookie: evil=1" }],
])("an affinity whose %s is announced, and the answer is the client's", async (_name, options) => {
  const [first] = (await servers(1)) as [TestServer];
  const balancer = balancerOver([first.url]);
  const failed: string[] = [];
  balancer.on("callbackFailed", ({ where }) => failed.push(where));
  const response = await forwarding(balancer, { affinity: plainCookie(options) })("/");
  expect([response.status, await response.text()]).toEqual([200, "0"]);
  expect(response.headers.getSetCookie()[0]).toBe("own=1");
  expect(response.headers.getSetCookie().join()).not.toContain("evil");
  expect(failed).toEqual([expect.stringMatching(/^affinity plain: (find|keep)$/)]);
  await idle(balancer);
});

test("that of a route goes before the client's, and sees the client", async () => {
  const [first, second] = (await servers()) as [TestServer, TestServer];
  const balancer = balancerOver([first.url, second.url]);
  const asked: unknown[] = [];
  const affinity = plainCookie({
    find: ({ method, host, path, search, clientIp }) => {
      asked.push({ method, host, path, search, clientIp });
      return idOf(second);
    },
  });
  const send = forwarding(shopRouter(balancer, { affinity }), { affinity: plainCookie({ find: () => idOf(first) }) });
  expect(await (await send("/shop/a?b=1")).text()).toBe("1");
  expect(asked).toEqual([
    { method: "GET", host: "shop.example.com", path: "/shop/a", search: "?b=1", clientIp: "192.0.2.7" },
  ]);
});

test("an affinity by key sends what belongs together to one backend, by the address of the client too", async () => {
  const all = await servers(3);
  const balancer = balancerOver(
    all.map(({ url }) => url),
    { strategy: maglev() },
  );
  const byIp = forwarding(balancer, { affinity: { kind: "key", name: "ip", keyOf: ({ clientIp }) => clientIp } });
  const seats = new Map<string, Set<string>>();
  for (let call = 0; call < 60; call++) {
    const ip = `192.0.2.${call % 20}`;
    const answer = await (await byIp("/", {}, { ip })).text();
    seats.set(ip, (seats.get(ip) ?? new Set()).add(answer));
  }
  expect([...seats.values()].every(({ size }) => size === 1)).toBe(true);
  expect(new Set([...seats.values()].flatMap((seat) => [...seat])).size).toBe(3);
});

test("a tunnel goes where the session lives, and is told of it if its answer can be", async () => {
  const balancer = balancerOver(["http://127.0.0.1:1", "http://127.0.0.1:2"]);
  const forward = createForward(balancer, { affinity: plainCookie() });
  const open = async (cookie: string): Promise<(TunnelAnswer & { readonly url: string }) | Response> => {
    const headers = { upgrade: "websocket", connection: "Upgrade", cookie };
    const request = new Request("http://shop.example.com/live", { headers });
    return forward.tunnel(
      request,
      CLIENT,
      async (_attempt, { url }) => ({ status: 101, headers: new Headers(), url }),
      () => {},
    );
  };
  expect(await open("seat=127.0.0.1:2")).toMatchObject({ url: "http://127.0.0.1:2/live" });
  const fresh = await open("");
  expect(fresh).toMatchObject({ url: "http://127.0.0.1:1/live" });
  expect(fresh.headers?.getSetCookie()).toEqual(["seat=127.0.0.1:1; Path=/"]);
});
