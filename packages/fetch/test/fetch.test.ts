import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Balancer, FairleadError } from "@fairlead/core";
import { fetch as undiciFetch } from "undici";
import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { createFetch, type FetchOptions } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { deadPort, echo, httpServer, rawServer } from "./support/servers.ts";

test("a balanced fetch is a fetch", () => {
  expectTypeOf(createFetch).returns.toExtend<typeof fetch>();
  expectTypeOf<typeof fetch>().toExtend<NonNullable<FetchOptions["fetch"]>>();
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const broken = () => {
  throw new Error("broken");
};

const transports: readonly {
  name: string;
  connect: (balancer: Balancer, options?: FetchOptions) => ReturnType<typeof createFetch>;
}[] = [
  { name: "createFetch", connect: (balancer, options) => createFetch(balancer, options) },
  {
    name: "createFetch(undiciTransport)",
    connect: (balancer, options) => createFetch(balancer, { ...options, fetch: undiciTransport() }),
  },
];

for (const { name, connect } of transports) {
  describe(name, () => {
    test("takes paths, URLs and Requests, and shows the logical URL", async () => {
      const server = await httpServer();
      const call = connect(balancerOver([`${server.url}/base`]));
      for (const input of ["/a?b=1#c", "http://orders/a?b=1", new URL("http://orders/a?b=1"), "a?b=1"]) {
        const response = await call(input);
        expect(response).toMatchObject({ url: "http://orders/a?b=1", redirected: false, ok: true, type: "basic" });
        expect(await response.json()).toMatchObject({ method: "GET", url: "/base/a?b=1" });
      }
      const request = new Request("http://orders/a", { method: "DELETE", headers: { "x-a": "1" } });
      expect(await (await call(request)).json()).toMatchObject({ method: "DELETE", headers: { "x-a": "1" } });
      // What init says goes over the Request.
      const response = await call(request, { method: "PUT", body: "hello" });
      expect(await response.json()).toMatchObject({ method: "PUT", body: "hello", headers: { "x-a": "1" } });
    });

    test("gives clones the same URL and the same body", async () => {
      const server = await httpServer();
      const response = await connect(balancerOver([server.url]))("/a");
      const clone = response.clone().clone();
      expect(clone.url).toBe("http://orders/a");
      expect(clone).toBeInstanceOf(Response);
      expect(await clone.json()).toEqual(await response.json());
    });

    test("refuses relative URLs that lead elsewhere, and credentials", async () => {
      const server = await httpServer();
      const call = connect(balancerOver([server.url]));
      for (const input of ["//evil.test/x", "/\\evil.test/x", "\\\\evil.test", "http://user:word@orders/"])
        await expect(call(input)).rejects.toBeInstanceOf(TypeError);
      expect(server.received).toEqual([]);
    });

    test("keeps dot segments within a backend's prefix", async () => {
      const server = await httpServer();
      const call = connect(balancerOver([`${server.url}/base`]));
      for (const path of ["/../x", "/%2e%2e/x", "/a/..\\..\\x"])
        expect(await (await call(path)).json()).toMatchObject({ url: "/base/x" });
    });

    test("leaves other origins to the platform, without our options", async () => {
      const server = await httpServer();
      const balancer = balancerOver([await deadPort()]);
      const spy = vi.spyOn(globalThis, "fetch");
      const init = { method: "POST", body: "hello" };
      const response = await connect(balancer)(`${server.url}/x`, { ...init, fairlead: { hashKey: "a" } });
      expect(await response.json()).toMatchObject({ method: "POST", body: "hello", url: "/x" });
      expect(spy).toHaveBeenCalledWith(`${server.url}/x`, init);
      spy.mockRestore();
      expect(balancer.snapshot().calls.calls).toBe(0);
    });

    test("hands calls the options given, the call's own first", async () => {
      const servers = [await httpServer(), await httpServer()];
      const [a = "", b = ""] = servers.map(({ url }) => url);
      const balancer = balancerOver([
        { url: a, id: "a" },
        { url: b, id: "b" },
      ]);
      const call = connect(balancer, { pinned: "b" });
      await (await call("/default")).text();
      await (await call("/own", { fairlead: { pinned: "a" } })).text();
      await (await call("/unsaid", { fairlead: { pinned: undefined } })).text();
      expect(servers.map(({ received }) => received)).toEqual([["GET /own"], ["GET /default", "GET /unsaid"]]);
    });

    test("refuses options that do not exist", async () => {
      const balancer = balancerOver([await deadPort()]);
      expect(() => connect(balancer, { deadline: 1 } as FetchOptions)).toThrow(/deadline/);
      const fairlead = { haskKey: "a" } as never;
      await expect(connect(balancer)("/", { fairlead })).rejects.toMatchObject({ code: "FAIRLEAD_ERR_CONFIG" });
    });

    test("repeats a POST that is said to be idempotent, and no GET that is said not to be", async () => {
      const bad = await rawServer((socket) => socket.destroy());
      const good = await httpServer();
      const call = connect(balancerOver([bad.url, good.url], { ejection: false }));
      const post = { method: "POST", body: "hello", fairlead: { idempotent: true } };
      expect((await call("/", post)).status).toBe(200);
      await expect(call("/", { fairlead: { idempotent: false, pinned: new URL(bad.url).host } })).rejects.toThrow();
      expect(good.received).toEqual(["POST /"]);
    });

    test("returns the last response when no backend does better", async () => {
      const servers = [
        await httpServer((_request, response) => response.writeHead(502).end("one")),
        await httpServer((_request, response) => response.writeHead(503).end("two")),
      ];
      const balancer = balancerOver(
        servers.map(({ url }) => url),
        { retry: { limit: 1, delayMs: 0 } },
      );
      const response = await connect(balancer)("/");
      expect([response.status, await response.text()]).toEqual([503, "two"]);
      expect(balancer.snapshot().calls).toMatchObject({ retries: 1, failed: 1 });
      await idle(balancer);
    });

    test("rejects with the platform's TypeError where nobody answers, and every attempt as its cause", async () => {
      const balancer = balancerOver([await deadPort(), await deadPort()], { retry: { limit: 0 } });
      const error: unknown = await connect(balancer)("/").catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ message: "fetch failed", cause: { code: "FAIRLEAD_ERR_RETRIES_EXHAUSTED" } });
      expect(((error as Error).cause as FairleadError).attempts).toHaveLength(2);
    });

    test("rejects with a TimeoutError when time runs out, and with a TypeError once it is closed", async () => {
      const balancer = balancerOver([(await rawServer(() => {})).url], { deadlineMs: 50 });
      const call = connect(balancer);
      const error: unknown = await call("/").catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(FairleadError);
      expect(error).toMatchObject({ name: "TimeoutError", code: "FAIRLEAD_ERR_TIMEOUT" });
      await balancer.close({ drainMs: 0 });
      await expect(call("/")).rejects.toMatchObject({ name: "TypeError", cause: { code: "FAIRLEAD_ERR_CLOSED" } });
    });

    test("blames no backend for what the caller got wrong", async () => {
      const good = await httpServer();
      const balancer = balancerOver([good.url]);
      const call = connect(balancer);
      await expect(call("/", { headers: { "bad header": "x" } })).rejects.toBeInstanceOf(TypeError);
      await expect(call("/", { method: "GET", body: "x" })).rejects.toBeInstanceOf(TypeError);
      await expect(call("/", { method: "TRACE" })).rejects.toBeInstanceOf(TypeError);
      expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0 });
      expect(good.received).toEqual([]);
      await idle(balancer);
    });

    test("survives classifiers and listeners that throw", async () => {
      const bad = await httpServer((_request, response) => response.writeHead(502).end());
      const good = await httpServer();
      const balancer = balancerOver([bad.url, good.url], { classify: broken });
      for (const event of ["attemptRetried", "backendEjected", "callbackFailed"] as const) balancer.on(event, broken);
      const response = await connect(balancer, { classify: broken })("/");
      expect(response.status).toBe(200);
      expect(counters(balancer, 0).failures).toBe(1);
      await response.text();
      await idle(balancer);
    });

    test("asks the call's classifier, then the balancer's, then goes by the status", async () => {
      const server = await httpServer((_request, response) => response.writeHead(404).end());
      const balancer = balancerOver([server.url], {
        retry: false,
        classify: ({ value }) => ((value as Response).url === "http://orders/b" ? "failure" : undefined),
      });
      const call = connect(balancer);
      const overload = { fairlead: { classify: () => "overload" as const } };
      for (const [path, init] of [["/a", overload], ["/b"], ["/c"]] as const) await (await call(path, init)).text();
      expect(counters(balancer, 0)).toMatchObject({ overloads: 1, failures: 1, successes: 1 });
    });

    test("holds a backend's place until the body has ended", async () => {
      const started = Promise.withResolvers<ServerResponse>();
      const server = await httpServer((_request, response) => {
        response.write("some ");
        started.resolve(response);
      });
      const balancer = balancerOver([server.url]);
      const response = await connect(balancer)("/");
      expect(counters(balancer, 0)).toMatchObject({ requests: 1, successes: 1 });
      (await started.promise).end("more");
      expect(await response.text()).toBe("some more");
      await idle(balancer);
    });

    test("gives the place back when the body is cancelled, empty, or small and never read", async () => {
      const server = await httpServer((request, response) => {
        if (request.url === "/endless") response.write("some ");
        else if (request.url === "/none") response.writeHead(204).end();
        else response.end("small");
      });
      const balancer = balancerOver([server.url]);
      const call = connect(balancer);
      await (await call("/endless")).body?.cancel();
      await idle(balancer);
      await call("/none");
      await call("/small");
      await call("/small", { method: "HEAD" });
      await idle(balancer);
      expect(counters(balancer, 0)).toMatchObject({ streamFailures: 0, successes: 4 });
    });

    test("reads a response that it does not return to its end, so that its connection serves again", async () => {
      const bad = await httpServer((_request, response) => response.writeHead(502).end("x".repeat(20_000)));
      const good = await httpServer();
      const balancer = balancerOver([bad.url, good.url], { ejection: false });
      const call = connect(balancer);
      const connections = new Set<unknown>();
      for (let i = 0; i < 3; i++) {
        await (await call("/")).text();
        await idle(balancer);
        for (const socket of bad.sockets) connections.add(socket);
      }
      expect([bad.received.length, connections.size]).toEqual([3, 1]);
    });

    test("gives up on a response that it does not return if it is long", async () => {
      const bad = await httpServer((_request, response) => {
        response.writeHead(502);
        const write = () => {
          while (response.writable && response.write("x".repeat(50_000)));
        };
        response.on("drain", write);
        write();
      });
      const good = await httpServer();
      const balancer = balancerOver([bad.url, good.url]);
      const response = await connect(balancer)("/");
      expect(response.status).toBe(200);
      await response.text();
      await idle(balancer);
      await vi.waitFor(() => expect(bad.sockets.size).toBe(0));
    });

    test("gives the place back when a long body is forgotten", async () => {
      const server = await httpServer((_request, response) => response.end("x".repeat(5_000_000)));
      const balancer = balancerOver([server.url]);
      const call = connect(balancer);
      await (async () => expect((await call("/")).ok).toBe(true))();
      await setImmediate();
      expect(counters(balancer, 0).requests).toBe(1);
      await vi.waitFor(
        () => {
          collectGarbage();
          expect(counters(balancer, 0).requests).toBe(0);
        },
        { timeout: 4_000, interval: 20 },
      );
    });

    test("ends a body when the balancer closes", async () => {
      const server = await httpServer((_request, response) => response.write("some "));
      const balancer = balancerOver([server.url]);
      const response = await connect(balancer)("/");
      const body = expect(response.text()).rejects.toThrow();
      const [socket] = server.sockets;
      await Promise.all([body, socket && once(socket, "close"), balancer.close({ drainMs: 0 })]);
      expect(counters(balancer, 0).requests).toBe(0);
    });
  });
}

test("a Host header is the backend's, or what its `host` says where the transport can set it", async () => {
  const server = await httpServer();
  const { host } = new URL(server.url);
  for (const { connect } of transports)
    expect(await (await connect(balancerOver([server.url]))("/")).json()).toMatchObject({ headers: { host } });
  const named = balancerOver([{ url: server.url, host: "orders.test" }]);
  const undici = await createFetch(named, { fetch: undiciTransport() })("/");
  expect(await undici.json()).toMatchObject({ headers: { host: "orders.test" } });
  // Node's own fetch drops it; others don't.
  const given = vi.fn<typeof fetch>(async () => new Response("given"));
  await createFetch(named, { fetch: given })("/");
  expect(new Headers(given.mock.calls[0]?.[1]?.headers).get("host")).toBe("orders.test");
  await createFetch(named, { fetch: given })("/", { headers: { host: "own.test" } });
  expect(new Headers(given.mock.calls[1]?.[1]?.headers).get("host")).toBe("own.test");
});

test("a plain fetch is looked up at each call, and another one can be given", async () => {
  const server = await httpServer();
  const balancer = balancerOver([server.url]);
  const call = createFetch(balancer);
  const spy = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("mocked"));
  expect(await (await call("/a")).text()).toBe("mocked");
  expect(spy).toHaveBeenCalledWith(`${server.url}/a`, expect.objectContaining({ redirect: "manual" }));
  spy.mockRestore();
  const given = vi.fn<typeof fetch>(async () => new Response("given"));
  expect(await (await createFetch(balancer, { fetch: given })("/b")).text()).toBe("given");
  await idle(balancer);
});

test("with undici's own fetch, responses and other origins are undici's", async () => {
  const server = await httpServer(echo);
  const balancer = balancerOver([server.url]);
  const own = vi.fn(undiciFetch) as unknown as typeof fetch;
  const call = createFetch(balancer, { fetch: undiciTransport({ fetch: own }) });
  expect(await (await call("/a")).json()).toMatchObject({ url: "/a" });
  expect(await (await call(`${server.url}/b`)).json()).toMatchObject({ url: "/b" });
  expect(own).toHaveBeenCalledTimes(2);
});
