// Upgrades: through a transport that has WebSockets, as in workerd, and as tunnels for servers that have sockets.
import type { Attempt } from "@fairlead/core";
import { describe, expect, test, vi } from "vitest";
import {
  type AccessRecord,
  createForward,
  type ForwardOptions,
  type Transport,
  type TunnelAnswer,
  type TunnelDestination,
} from "../../src/index.ts";
import { forwardTransport } from "../../src/undici/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { CLIENT, forwarding, shopRouter } from "../support/forwarding.ts";
import { httpServer, type Received } from "../support/servers.ts";

const WEB_SOCKET = {
  connection: "Upgrade, x-own",
  "x-own": "1",
  upgrade: "websocket",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
  "x-forwarded-for": "6.6.6.6",
};

describe("by a transport that upgrades", () => {
  /** What workerd answers with can't be made elsewhere. */
  const switched = { status: 101, headers: new Headers(), body: null, webSocket: {}, type: "default", url: "" };

  test("the request goes on as an upgrade, and what comes back is the client's, untouched", async () => {
    const seen: Headers[] = [];
    const transport: Transport = Object.assign(
      async (_url: string, init: RequestInit) => {
        seen.push(new Headers(init.headers));
        return switched as unknown as Response;
      },
      { upgrades: true, keepsOrigin: true },
    );
    const balancer = balancerOver(["http://127.0.0.1:1"]);
    const records: AccessRecord[] = [];
    const send = forwarding(balancer, { fetch: transport, accessLog: (record) => records.push(record) });
    expect(await send("/live", { headers: WEB_SOCKET })).toBe(switched);
    expect(Object.fromEntries(seen[0] ?? [])).toMatchObject({
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": WEB_SOCKET["sec-websocket-key"],
      "x-forwarded-for": "192.0.2.7",
    });
    expect(seen[0]?.has("x-own")).toBe(false);
    expect(counters(balancer, 0)).toMatchObject({ successes: 1 });
    expect(records).toMatchObject([{ status: 101, backend: "127.0.0.1:1", tunnel: true }]);
    await idle(balancer);
  });
});

test("by any other transport an upgrade is not asked for, and the request is one like others", async () => {
  const server = await httpServer();
  for (const fetch of [undefined, forwardTransport()]) {
    const response = await forwarding(balancerOver([server.url]), { fetch })("/live", { headers: WEB_SOCKET });
    const { headers } = (await response.json()) as Received;
    expect([response.status, headers.upgrade]).toEqual([200, undefined]);
    expect(headers).toHaveProperty("sec-websocket-key");
  }
});

interface Answer extends TunnelAnswer {
  end(): void;
}

interface Opened {
  readonly destinations: TunnelDestination[];
  readonly discarded: TunnelAnswer[];
  open(attempt: Attempt, destination: TunnelDestination): Promise<Answer>;
}

/** Opens by answering the statuses in turn, and holds each attempt until it is told that the tunnel has ended. */
function opening(...statuses: (number | Error)[]): Opened {
  const destinations: TunnelDestination[] = [];
  return {
    destinations,
    discarded: [],
    open: async (attempt, destination) => {
      attempt.markSent();
      destinations.push(destination);
      const status = statuses.shift() ?? 101;
      if (status instanceof Error) throw status;
      return { status, end: status === 101 ? attempt.hold() : () => {} };
    },
  };
}

describe("a tunnel", () => {
  function tunnel(
    target: Parameters<typeof createForward>[0],
    options: ForwardOptions,
    opened: Opened,
    init: RequestInit = { headers: WEB_SOCKET },
  ): Promise<Answer | Response> {
    const forward = createForward(target, options);
    const request = new Request("http://shop.example.com/shop/live?x=1", init);
    return forward.tunnel(
      request,
      CLIENT,
      (attempt, destination) => opened.open(attempt, destination),
      (answer) => opened.discarded.push(answer),
    );
  }

  test("is opened by the same rules as requests, and holds a connection until it ends", async () => {
    const balancer = balancerOver([{ url: "http://127.0.0.1:1/v1", host: "live.internal" }]);
    const records: AccessRecord[] = [];
    const opened = opening();
    const options = { accessLog: (record: AccessRecord) => records.push(record), propagate: true };
    const answer = (await tunnel(shopRouter(balancer), options, opened)) as Answer;
    expect(answer.status).toBe(101);
    const [destination] = opened.destinations;
    expect(destination).toMatchObject({ url: "http://127.0.0.1:1/v1/live?x=1", idleTimeoutMs: 3_600_000 });
    expect(Object.fromEntries(destination?.headers ?? [])).toEqual({
      connection: "Upgrade",
      upgrade: "websocket",
      host: "live.internal",
      "accept-encoding": "identity",
      "sec-websocket-key": WEB_SOCKET["sec-websocket-key"],
      "sec-websocket-version": "13",
      "x-envoy-attempt-count": "1",
      "x-envoy-expected-rq-timeout-ms": expect.stringMatching(/^\d+$/),
      "x-forwarded-for": "192.0.2.7",
      "x-forwarded-host": "shop.example.com",
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
      "x-request-id": expect.any(String),
    });
    const [backend] = balancer.backends;
    expect([backend?.inFlight("connection"), backend?.inFlight("request"), records]).toEqual([1, 0, []]);
    answer.end();
    await idle(balancer);
    expect(records).toMatchObject([{ tunnel: true, status: 101, attempts: 1, backend: "127.0.0.1:1", route: "shop" }]);
  });

  test("is opened elsewhere when a backend fails, whose answer is discarded", async () => {
    const balancer = balancerOver(["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"]);
    const refused = Object.assign(new Error("no"), { code: "ECONNREFUSED" });
    const opened = opening(refused, 503, 101);
    const answer = (await tunnel(balancer, {}, opened)) as Answer;
    expect(opened.destinations.map(({ url }) => new URL(url).port)).toEqual(["1", "2", "3"]);
    expect(opened.discarded).toMatchObject([{ status: 503 }]);
    answer.end();
    await idle(balancer);
  });

  test("that a backend refuses is the client's to hear of", async () => {
    const balancer = balancerOver(["http://127.0.0.1:1"]);
    expect(await tunnel(balancer, {}, opening(403))).toMatchObject({ status: 403 });
    expect(counters(balancer, 0)).toMatchObject({ successes: 1, failures: 0 });
    await idle(balancer);
  });

  test("counts as a connection of its client until it ends", async () => {
    const balancer = balancerOver(["http://127.0.0.1:1"]);
    const forward = createForward(balancer, { maxConnectionsPerClient: 1 });
    const opened = opening();
    const ask = (): Promise<Answer | Response> =>
      forward.tunnel(
        new Request("http://shop.example.com/", { headers: WEB_SOCKET }),
        CLIENT,
        (attempt, destination) => opened.open(attempt, destination),
        () => {},
      );
    const first = (await ask()) as Answer;
    expect((await ask()).status).toBe(429);
    first.end();
    await vi.waitFor(() => expect(balancer.backends[0]?.inFlight("connection")).toBe(0));
    const second = (await ask()) as Answer;
    expect(second.status).toBe(101);
    second.end();
    await idle(balancer);
  });

  test.each([
    ["no upgrade", {}],
    ["a POST", { method: "POST", headers: WEB_SOCKET }],
    ["several protocols", { headers: { upgrade: "websocket, h2c" } }],
    ["HTTP/2", { headers: { upgrade: "h2c" } }],
    ["HTTP/2 by its other name", { headers: { upgrade: "HTTP/2.0" } }],
    ["TLS", { headers: { upgrade: "TLS/1.0" } }],
    ["what is no token", { headers: { upgrade: "web socket" } }],
  ])("is not opened for %s: 400", async (_what, init) => {
    const opened = opening();
    const answer = await tunnel(balancerOver(["http://127.0.0.1:1"]), {}, opened, init);
    expect([answer.status, opened.destinations]).toEqual([400, []]);
  });

  test("that nobody can open is a 502, and gives everything back", async () => {
    const balancer = balancerOver(["http://127.0.0.1:1"], { retry: false });
    const answer = await tunnel(balancer, {}, opening(new Error("no")));
    expect(answer.status).toBe(502);
    expect(answer).toBeInstanceOf(Response);
    await idle(balancer);
  });

  test("whose client leaves before it is open rejects with its reason", async () => {
    const balancer = balancerOver(["http://127.0.0.1:1"]);
    const abort = new AbortController();
    const opened: Opened = {
      destinations: [],
      discarded: [],
      open: (attempt) => new Promise((_resolve, reject) => attempt.onAbort((reason) => reject(reason))),
    };
    const waiting = tunnel(balancer, {}, opened, { headers: WEB_SOCKET, signal: abort.signal });
    const reason = new Error("gone");
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await idle(balancer);
  });
});
