// What a client may have open, and what the log says of it.
import { describe, expect, test, vi } from "vitest";
import { type AccessRecord, createForward, type ForwardOptions, type Transport } from "../../src/index.ts";
import { balancerOver, idle } from "../support/balancers.ts";
import { CLIENT, forwarding, shopRouter, transports } from "../support/forwarding.ts";
import { deadPort, httpServer, rawServer } from "../support/servers.ts";

type Send = ReturnType<typeof forwarding>;

/** Lets each client have one thing open. */
function onlyOne(fetch: Transport | undefined, url: string, options: ForwardOptions = {}): Send {
  const balancer = balancerOver([url], { attemptTimeoutMs: 100, retry: false });
  return forwarding(balancer, { fetch, maxConnectionsPerClient: 1, ...options });
}

describe.each(transports)("connections of one client, by %s", (_name, make) => {
  test("are counted until their bodies end, per IPv4 address and IPv6 /64", async () => {
    const server = await rawServer((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"));
    const balancer = balancerOver([server.url]);
    const shed: string[] = [];
    balancer.on("callShed", ({ limit }) => shed.push(limit));
    const send = forwarding(balancer, { fetch: make(), maxConnectionsPerClient: 2 });
    const ask = (ip: string | undefined): Promise<Response> => send("/", {}, { ip });
    const open = [await ask("192.0.2.1"), await ask("::ffff:192.0.2.1")];
    const refused = await ask("192.0.2.1");
    expect([refused.status, shed]).toEqual([429, ["client-connections"]]);
    const others = ["192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", undefined, undefined, undefined];
    for (const ip of others) open.push(await ask(ip));
    expect((await ask("2001:db8::3")).status).toBe(429);
    await open[0]?.body?.cancel();
    await vi.waitFor(async () => {
      const again = await ask("192.0.2.1");
      expect(again.status).toBe(200);
      open.push(again);
    });
    await Promise.all(open.slice(1).map(async (response) => response.body?.cancel()));
    await idle(balancer);
  });

  test("are given back in every ending", async () => {
    const dead = await deadPort();
    const cutOff = await rawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
      setTimeout(() => socket.destroy(), 5);
    });
    const silent = await rawServer(() => {});
    const good = await httpServer((_request, response) => response.end("x".repeat(100_000)));
    const empty = await httpServer((_request, response) => response.writeHead(204).end());
    const endings: Record<string, () => Promise<unknown>> = {};
    const unreachable = onlyOne(make(), dead);
    const late = onlyOne(make(), silent.url);
    const broken = onlyOne(make(), cutOff.url);
    const whole = onlyOne(make(), good.url);
    const none = onlyOne(make(), empty.url);
    const long = onlyOne(make(), good.url, { maxRequestBytes: 1 });
    const left = onlyOne(make(), silent.url);
    endings["a backend that can't be reached"] = () => unreachable("/");
    endings["a timeout"] = () => late("/");
    endings["a body that breaks off"] = async () => (await broken("/")).text().catch(() => {});
    endings["a body that is read"] = async () => (await whole("/")).text();
    endings["a body that is not wanted"] = async () => (await whole("/")).body?.cancel();
    endings["no body"] = () => none("/");
    endings["a body that is too long"] = () => long("/", { method: "POST", body: "long" });
    endings["a client that leaves"] = () => left("/", { signal: AbortSignal.timeout(20) }).catch(() => {});
    for (const [name, end] of Object.entries(endings)) {
      for (let time = 0; time < 2; time++) {
        // The end of an exchange may come a moment after that of the body.
        const answer = await vi.waitFor(async () => {
          const got = await end();
          if (got instanceof Response && got.status === 429) throw new Error(`${name}: still counted`);
          return got;
        });
        expect([name, (answer as Response | undefined)?.status]).not.toEqual([name, 429]);
      }
    }
  });
});

async function logged(
  options: ForwardOptions,
  ask: (send: Send) => Promise<unknown>,
  url?: string,
): Promise<AccessRecord[]> {
  const server = url ?? (await httpServer((_request, response) => response.end("hello"))).url;
  const balancer = balancerOver([server], { name: "orders" });
  const records: AccessRecord[] = [];
  await ask(forwarding(shopRouter(balancer), { ...options, accessLog: (record) => records.push(record) }));
  await idle(balancer);
  return records;
}

describe("the log", () => {
  test("has one record per request, complete when its body has ended", async () => {
    const server = await httpServer((_request, response) => response.end("hello"));
    const before = Date.now();
    const [record, ...more] = await logged(
      { trust: { hops: 1 } },
      async (send) => (await send("/shop/a?secret=1", { headers: { "x-request-id": "abc" } })).text(),
      server.url,
    );
    expect(more).toEqual([]);
    expect(record).toEqual({
      startedAt: expect.any(Number),
      method: "GET",
      path: "/shop/a",
      host: "shop.example.com",
      clientIp: "192.0.2.7",
      requestId: "abc",
      upstream: "orders",
      route: "shop",
      backend: `127.0.0.1:${server.port}`,
      status: 200,
      attempts: 1,
      headersMs: expect.any(Number),
      totalMs: expect.any(Number),
      errorCode: undefined,
      tunnel: false,
    });
    expect(record?.startedAt).toBeGreaterThanOrEqual(before - 1);
    expect(record?.totalMs).toBeGreaterThanOrEqual(record?.headersMs ?? 0);
  });

  test.each(transports)("says that an answer broke off because its balancer has closed, by %s", async (_name, make) => {
    const server = await httpServer((_request, response) => void response.write("begun"));
    const balancer = balancerOver([server.url]);
    const records: AccessRecord[] = [];
    const send = forwarding(balancer, { fetch: make(), accessLog: (record) => records.push(record) });
    const body = (await send("/")).text();
    body.catch(() => {});
    await balancer.close({ drainMs: 0 });
    await expect(body).rejects.toThrow();
    await vi.waitFor(() => expect(records).toMatchObject([{ status: 200, errorCode: "FAIRLEAD_ERR_CLOSED" }]));
  });

  test("has the requests that are refused as well", async () => {
    const records = await logged({ maxHeaderBytes: 100 }, async (send) => {
      await send("/elsewhere");
      await send("/shop/%2e%2e%2fadmin?secret=1");
      await send("/shop/a", { headers: { "x-long": "x".repeat(101) } });
    });
    const outline = records.map(({ path, status, attempts, errorCode, clientIp }) => ({
      path,
      status,
      attempts,
      errorCode,
      clientIp,
    }));
    const clientIp = "192.0.2.7";
    expect(outline).toEqual([
      { path: "/elsewhere", status: 404, attempts: 0, errorCode: "FAIRLEAD_ERR_NO_ROUTE", clientIp },
      { path: "/shop/%2e%2e%2fadmin", status: 400, attempts: 0, errorCode: "RefusedError", clientIp },
      { path: "/shop/a", status: 431, attempts: 0, errorCode: "RefusedError", clientIp },
    ]);
  });

  test("counts attempts, and names the backend that has answered", async () => {
    const good = await httpServer((_request, response) => response.end("hello"));
    const balancer = balancerOver([await deadPort(), good.url]);
    const records: AccessRecord[] = [];
    const send = forwarding(balancer, { accessLog: (record) => records.push(record) });
    await (await send("/")).text();
    await vi.waitFor(() =>
      expect(records).toMatchObject([{ attempts: 2, backend: `127.0.0.1:${good.port}`, status: 200 }]),
    );
    const failing = balancerOver([await deadPort()]);
    await forwarding(failing, { accessLog: (record) => records.push(record) })("/");
    expect(records[1]).toMatchObject({
      backend: undefined,
      upstream: "orders",
      status: 502,
      errorCode: "ECONNREFUSED",
    });
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("mine");
      },
    ],
    ["rejects", () => Promise.reject(new Error("mine")) as never],
  ])("whose function %s does no harm, and is announced", async (_name, accessLog) => {
    const server = await httpServer((_request, response) => response.end("hello"));
    const balancer = balancerOver([server.url]);
    const failed: unknown[] = [];
    balancer.on("callbackFailed", ({ where, upstream }) => failed.push([where, upstream]));
    expect(await (await forwarding(balancer, { accessLog })("/")).text()).toBe("hello");
    await vi.waitFor(() => expect(failed).toEqual([["accessLog", "orders"]]));
    const forward = createForward(shopRouter(balancer), { accessLog });
    await forward(new Request("http://shop.example.com/elsewhere"), CLIENT);
    await vi.waitFor(() => expect(failed).toHaveLength(2));
  });
});
