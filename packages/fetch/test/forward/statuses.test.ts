// What clients get when there is no answer of a backend, and that it tells them nothing of what is behind.
import { type Balancer, FairleadError } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { createForward, type Forward, type ForwardOptions } from "../../src/index.ts";
import { balancerOver, idle } from "../support/balancers.ts";
import { CLIENT, forwarding, shopRouter, transports } from "../support/forwarding.ts";
import { deadPort, deafServer, httpServer, rawServer } from "../support/servers.ts";

const never = (): void => {};

function emptyBalancer(): Balancer {
  const balancer = balancerOver(["http://127.0.0.1:1"]);
  balancer.set([]);
  return balancer;
}

async function problem(response: Response): Promise<unknown> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-request-id")).toMatch(/^[\da-f-]{36}$/);
  const text = await response.text();
  for (const inner of ["127.0.0.1", "orders", "fairlead", "FAIRLEAD", "ECONN"]) expect(text).not.toContain(inner);
  return { ...JSON.parse(text), retryAfter: response.headers.get("retry-after") ?? undefined };
}

describe.each(transports)("by %s", (_name, make) => {
  interface Case {
    readonly name: string;
    readonly balancer: () => Promise<Balancer>;
    readonly options?: ForwardOptions;
    readonly path?: string;
    readonly init?: RequestInit;
    readonly status: number;
    readonly title: string;
    readonly retryAfter?: string;
  }

  const cases: readonly Case[] = [
    {
      name: "a backend that refuses connections",
      balancer: async () => balancerOver([await deadPort()]),
      status: 502,
      title: "Bad Gateway",
    },
    {
      name: "backends of which none answers",
      balancer: async () => balancerOver([await deadPort(), await deadPort()]),
      status: 502,
      title: "Bad Gateway",
    },
    {
      name: "a backend that hangs up",
      balancer: async () => balancerOver([(await rawServer((socket) => socket.destroy())).url]),
      status: 502,
      title: "Bad Gateway",
    },
    {
      name: "a backend that speaks no HTTP",
      balancer: async () => balancerOver([(await rawServer((socket) => socket.end("SSH-2.0-x\r\n\r\n"))).url]),
      status: 502,
      title: "Bad Gateway",
    },
    {
      name: "a backend whose answer takes too long",
      balancer: async () => balancerOver([(await httpServer(never)).url], { attemptTimeoutMs: 50, deadlineMs: 100 }),
      status: 504,
      title: "Gateway Timeout",
    },
    {
      name: "backends that all take too long",
      balancer: async () => {
        const servers = [await httpServer(never), await httpServer(never)];
        return balancerOver(
          servers.map(({ url }) => url),
          { attemptTimeoutMs: 50 },
        );
      },
      status: 504,
      title: "Gateway Timeout",
    },
    { name: "no backend", balancer: async () => emptyBalancer(), status: 503, title: "Service Unavailable" },
    {
      name: "a balancer that is closed",
      balancer: async () => {
        const balancer = balancerOver(["http://127.0.0.1:1"]);
        await balancer.close();
        return balancer;
      },
      status: 503,
      title: "Service Unavailable",
    },
    {
      name: "a body that is known to be too long",
      balancer: async () => balancerOver([(await httpServer()).url]),
      options: { maxRequestBytes: 10 },
      init: { method: "POST", body: "x".repeat(11), headers: { "content-length": "11" } },
      status: 413,
      title: "Content Too Large",
    },
    {
      name: "a body that turns out to be too long",
      balancer: async () => balancerOver([(await httpServer()).url]),
      options: { maxRequestBytes: 10 },
      init: { method: "POST", body: "x".repeat(11) },
      status: 413,
      title: "Content Too Large",
    },
  ];

  test.each(cases)("$name: $status", async ({ balancer: over, options, path = "/", init, ...expected }) => {
    const balancer = await over();
    const response = await forwarding(balancer, { ...options, fetch: make() })(path, init);
    expect(response.status).toBe(expected.status);
    expect(await problem(response)).toEqual({
      type: "about:blank",
      title: expected.title,
      status: expected.status,
      retryAfter: expected.retryAfter,
    });
    await idle(balancer);
  });
});

test("no route: 404", async () => {
  const send = forwarding(shopRouter(balancerOver(["http://127.0.0.1:1"])));
  expect(await problem(await send("/elsewhere"))).toMatchObject({ status: 404, title: "Not Found" });
});

test("too many at once: 503; calls that come too fast: 429, and when to come again", async () => {
  const server = await httpServer(never);
  const full = balancerOver([server.url], { limits: { maxConcurrent: 1 }, queue: { size: 0 } });
  const abort = new AbortController();
  const send = forwarding(full);
  const waiting = send("/", { signal: abort.signal }).catch(() => {});
  expect(await problem(await send("/"))).toMatchObject({ status: 503 });
  abort.abort();
  await waiting;
  await idle(full);
  const refusing = createForward(full, { fetch: () => Promise.reject(tooFast()) });
  expect(await problem(await refusing(new Request("http://shop.example.com/"), CLIENT))).toMatchObject({
    status: 429,
    retryAfter: "2",
  });
  await idle(full);
});

function tooFast(): FairleadError {
  return new FairleadError("FAIRLEAD_ERR_LIMIT", "calls come too fast", { limit: "rate", retryAfterMs: 1_001 });
}

test("a 5xx of the last backend is the backend's own, with its body", async () => {
  const servers = await Promise.all(
    ["one", "two"].map((name) => httpServer((_request, response) => response.writeHead(503).end(name))),
  );
  const balancer = balancerOver(
    servers.map(({ url }) => url),
    { retry: { limit: 1 } },
  );
  const response = await forwarding(balancer)("/");
  expect([response.status, await response.text()]).toEqual([503, "two"]);
  await idle(balancer);
});

test("a request that can't be repeated is not, one that was never sent is", async () => {
  const good = await httpServer();
  const failing = await httpServer((_request, response) => response.writeHead(503).end());
  const post = { method: "POST", body: "x" };
  const balancer = balancerOver([failing.url, good.url]);
  expect((await forwarding(balancer)("/", post)).status).toBe(503);
  expect((await forwarding(balancer)("/")).status).toBe(200);
  expect((await forwarding(balancerOver([await deadPort(), good.url]))("/", post)).status).toBe(200);
});

test("HEAD is told without a body", async () => {
  const response = await forwarding(balancerOver([await deadPort()]))("/", { method: "HEAD" });
  expect([response.status, response.body]).toEqual([502, null]);
});

describe("onError", () => {
  test("may answer itself, and is told what has happened", async () => {
    const errors: unknown[] = [];
    const send = forwarding(emptyBalancer(), {
      onError: (error, request) => {
        errors.push(error);
        return new Response(`sorry: ${new URL(request.url).pathname}`, { status: 500 });
      },
    });
    const response = await send("/a");
    expect([response.status, await response.text()]).toEqual([500, "sorry: /a"]);
    expect(response.headers.get("x-request-id")).not.toBeNull();
    expect(errors).toEqual([
      expect.objectContaining({ cause: expect.objectContaining({ code: "FAIRLEAD_ERR_NO_BACKEND" }) }),
    ]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("mine");
      },
    ],
    ["answers nonsense", () => "mine" as never],
    ["answers later, in vain", () => Promise.reject(new Error("mine")) as never],
    ["has nothing to say", () => undefined],
  ])("that %s leaves the answer to us", async (name, onError) => {
    const balancer = emptyBalancer();
    const failed: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failed.push(where));
    expect((await forwarding(balancer, { onError })("/")).status).toBe(503);
    await Promise.resolve();
    expect(failed).toEqual(name === "has nothing to say" ? [] : ["onError"]);
  });
});

function made(options: object): () => Forward {
  return () => createForward(emptyBalancer(), options);
}

test("options are checked all at once", () => {
  expect(
    made({
      trust: { hops: -1, proxies: ["10.0.0.0/8", "nonsense"] },
      hots: "client",
      forwardedHeaders: "all",
      maxConnectionsPerClient: 0,
      requestIdHeader: "x y",
      maxHeaders: 1.5,
      onError: 1,
      affinity: { kind: "session" },
    }),
  ).toThrow(
    /10 problems[^]*hots: .*did you mean `host`[^]*affinity[^]*onError[^]*forwardedHeaders[^]*maxConnectionsPerClient[^]*maxHeaders[^]*requestIdHeader[^]*trust: [^]*trust.hops[^]*trust.proxies\[1\]/,
  );
  expect(made({ trust: { header: "x-forwarded-for" } })).toThrow(/cf-connecting-ip/);
  expect(made({ trust: {} })).toThrow(/trust/);
});

test("a server that accepts and says nothing is given up in time", async () => {
  const deaf = await deafServer(never);
  const balancer = balancerOver([deaf.url], { attemptTimeoutMs: 50, deadlineMs: 80 });
  expect((await forwarding(balancer)("/")).status).toBe(504);
  await idle(balancer);
});
