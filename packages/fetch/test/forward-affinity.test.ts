// Sessions through createForward, over real backends and a router with two routes.
import { type Affinity, type Balancer, createRouter, headerAffinity, rendezvous, roundRobin } from "@fairlead/core";
import { afterEach, describe, expect, test } from "vitest";
import { clientIpAffinity, cookieAffinity, createForward, type Forward } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, idle } from "./support/balancers.ts";
import { httpServer } from "./support/servers.ts";
import { listen } from "./support/sessions.ts";

const keys = ["3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ"];
const balancers: Balancer[] = [];

afterEach(async () => {
  // Whatever a test did, every place is given back.
  await Promise.all(balancers.splice(0).map(idle));
});

interface Served {
  readonly balancer: Balancer;
  /** Answers 503 from now on. */
  readonly fail: (id: string) => void;
}

/** Three backends called <name>0 to 2, that answer with their id and set a cookie of their own. */
async function upstream(name: string, options: Parameters<typeof balancerOver>[1] = {}): Promise<Served> {
  const failing = new Set<string>();
  const specs = await Promise.all(
    [0, 1, 2].map(async (index) => {
      const id = `${name}${index}`;
      const { url } = await httpServer((_request, response) => {
        response.setHeader("set-cookie", "app=1; Path=/");
        response.writeHead(failing.has(id) ? 503 : 200).end(id);
      });
      return { id, url };
    }),
  );
  const balancer = balancerOver(specs, { name, strategy: roundRobin(), ...options });
  balancers.push(balancer);
  return { balancer, fail: (id) => void failing.add(id) };
}

/** A browser that keeps cookies, whatever they say of themselves. */
class Browser {
  readonly #forward: Forward;
  readonly #ip: string;
  readonly cookies = new Map<string, string>();

  constructor(forward: Forward, ip = "192.0.2.1") {
    this.#forward = forward;
    this.#ip = ip;
  }

  async get(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string; set: string[] }> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const request = new Request(`http://shop.test${path}`, { headers: { cookie, ...headers } });
    const response = await this.#forward(request, { ip: this.#ip });
    const set = response.headers.getSetCookie();
    for (const field of set) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(field) ?? [];
      this.cookies.set(name, value);
    }
    return { status: response.status, body: await response.text(), set };
  }
}

describe.each([
  ["the platform's fetch", undefined],
  ["undici", undiciTransport()],
])("over %s", (_name, fetch) => {
  test("one cookie affinity keeps sessions apart on two routes, beside the cookies of the backends", async () => {
    const [orders, users] = [await upstream("orders"), await upstream("users")];
    const router = createRouter({
      routes: [
        { path: "/orders", to: orders.balancer },
        { path: "/users", to: users.balancer },
      ],
    });
    const forward = createForward(router, { fetch, affinity: cookieAffinity({ keys }) });
    const browsers = Array.from({ length: 6 }, () => new Browser(forward));
    const homes = new Set<string>();
    for (const browser of browsers) {
      const first = [await browser.get("/orders/1"), await browser.get("/users/1")];
      expect(first.map(({ set }) => set.length)).toEqual([2, 2]);
      expect(browser.cookies.size).toBe(3);
      for (let turn = 0; turn < 3; turn++) {
        const again = [await browser.get("/orders/2"), await browser.get("/users/2")];
        expect(again.map(({ body }) => body)).toEqual(first.map(({ body }) => body));
        expect(again.map(({ set }) => set)).toEqual([["app=1; Path=/"], ["app=1; Path=/"]]);
      }
      for (const { body } of first) homes.add(body);
    }
    expect(homes.size).toBe(6);
  });

  test("a session moves when its backend fails or goes, which is told, and nothing leads to a disabled one", async () => {
    const { balancer, fail } = await upstream("orders");
    const told = listen(balancer);
    const browser = new Browser(createForward(balancer, { fetch, affinity: cookieAffinity({ keys, name: "lb" }) }));
    const { body: first } = await browser.get("/");
    fail(first);
    const { status, body: second, set } = await browser.get("/");
    expect([status, set.length]).toEqual([200, 2]);
    expect(second).not.toBe(first);
    balancer.disable(second);
    const { body: third } = await browser.get("/");
    expect([first, second]).not.toContain(third);
    expect(told).toEqual([
      { event: "affinityMoved", upstream: "orders", affinity: "cookie lb", backend: second, from: first },
      { event: "affinityMoved", upstream: "orders", affinity: "cookie lb", backend: third, from: second },
    ]);
    expect((await browser.get("/")).body).toBe(third);
  });

  test("a cookie that is not ours is ignored, told of and replaced", async () => {
    const { balancer } = await upstream("orders");
    const told = listen(balancer);
    const forward = createForward(balancer, { fetch, affinity: cookieAffinity({ keys, name: "lb" }) });
    const browser = new Browser(forward);
    browser.cookies.set("lb", "orders0");
    const { status, body } = await browser.get("/");
    expect(status).toBe(200);
    expect(told).toEqual([
      { event: "affinityIgnored", upstream: "orders", affinity: "cookie lb", because: "malformed" },
    ]);
    expect(browser.cookies.get("lb")).not.toBe("orders0");
    expect((await browser.get("/")).body).toBe(body);
  });

  test("a session that must not move is answered 503 while its backend takes no calls", async () => {
    const { balancer } = await upstream("orders");
    const forward = createForward(balancer, { fetch, affinity: cookieAffinity({ keys, pinPolicy: "fail" }) });
    const browser = new Browser(forward);
    const { body } = await browser.get("/");
    balancer.disable(body);
    const refused = await browser.get("/");
    expect([refused.status, refused.set]).toEqual([503, []]);
    balancer.enable(body);
    expect((await browser.get("/")).body).toBe(body);
  });

  test.each(["wait", "fail"] as const)(
    "a session that must not move gets what its backend answers, under %s",
    async (pinPolicy) => {
      const { balancer, fail } = await upstream("orders");
      const browser = new Browser(createForward(balancer, { fetch, affinity: cookieAffinity({ keys, pinPolicy }) }));
      const { body } = await browser.get("/");
      fail(body);
      expect(await browser.get("/")).toEqual({ status: 503, body, set: ["app=1; Path=/"] });
      // The call is repeated, and nowhere else.
      const asked = balancer.snapshot().backends.filter(({ attempts }) => attempts > 0);
      expect(asked.map(({ id, attempts }) => [id, attempts])).toEqual([[body, 4]]);
    },
  );

  test("a draining backend keeps its sessions and gets no new ones", async () => {
    const { balancer } = await upstream("orders");
    const forward = createForward(balancer, { fetch, affinity: cookieAffinity({ keys }) });
    const browser = new Browser(forward);
    const { body } = await browser.get("/");
    const drained = balancer.drain(body);
    for (let turn = 0; turn < 4; turn++) {
      expect((await browser.get("/")).body).toBe(body);
      expect((await new Browser(forward).get("/")).body).not.toBe(body);
    }
    await drained;
  });

  test("no session begins with an error", async () => {
    const { balancer, fail } = await upstream("orders", { retry: false });
    for (const { id } of balancer.backends) fail(id);
    const browser = new Browser(createForward(balancer, { fetch, affinity: cookieAffinity({ keys }) }));
    expect(await browser.get("/")).toMatchObject({ status: 503, set: ["app=1; Path=/"] });
  });
});

test.each<[string, Affinity, (client: number) => readonly [string, Record<string, string>]]>([
  ["by the client's address", clientIpAffinity(), (client) => [`2001:db8:0:${client}::${client}`, {}]],
  ["by header", headerAffinity("x-tenant"), (client) => ["192.0.2.1", { "x-tenant": `tenant ${client}` }]],
  [
    "by cookie, begun by the client's address",
    cookieAffinity({ keys, firstBy: clientIpAffinity() }),
    (client) => [`198.51.100.${client}`, {}],
  ],
])(
  "%s, clients that have nothing else in common are told apart, and those that have not",
  async (_name, affinity, of) => {
    const { balancer } = await upstream("orders", { strategy: rendezvous() });
    const forward = createForward(balancer, { affinity });
    const homeOf = async (client: number): Promise<string> => {
      const [ip, headers] = of(client);
      return (await new Browser(forward, ip).get("/", headers)).body;
    };
    const homes = new Map<number, string>();
    for (let client = 0; client < 12; client++) homes.set(client, await homeOf(client));
    expect(new Set(homes.values()).size).toBe(3);
    for (const [client, home] of homes) expect(await homeOf(client)).toBe(home);
  },
);
