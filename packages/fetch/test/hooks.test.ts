import { getEventListeners } from "node:events";
import { createRouter, FairleadError, type Target } from "@fairlead/core";
import { describe, expect, test, vi } from "vitest";
import { createFetch, type FetchHooks, lastGoodResponse } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { deadPort, echo, httpServer, type Received, rawServer } from "./support/servers.ts";

const transports: readonly {
  name: string;
  connect: (target: Target, hooks: FetchHooks) => ReturnType<typeof createFetch>;
}[] = [
  { name: "createFetch", connect: (target, hooks) => createFetch(target, { hooks }) },
  {
    name: "createFetch(undiciTransport)",
    connect: (target, hooks) => createFetch(target, { hooks, fetch: undiciTransport() }),
  },
];

const NO_BACKOFF = { retry: { delayMs: 0 }, ejection: false } as const;
const failing = (status: number) => httpServer((_request, response) => response.writeHead(status).end("no"));
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => error,
  );
const never = (): Promise<never> => new Promise(() => {});
const mine = new RangeError("mine");

function abortable(): { readonly signal: AbortSignal; readonly abort: (reason: unknown) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

const broken = (): never => {
  throw mine;
};

for (const { name, connect } of transports) {
  describe(name, () => {
    test("calls them in their order, each told of its attempt", async () => {
      const [bad, good] = [await failing(503), await httpServer()];
      const balancer = balancerOver([bad.url, good.url], NO_BACKOFF);
      const [first, second] = balancer.backends;
      const told: unknown[] = [];
      const call = connect(balancer, {
        beforeRequest: [
          ({ attempt, url, method }) => void told.push(["request", attempt.number, attempt.backend, url, method]),
          async ({ attempt: { remainingMs, balancer: whose } }) => {
            told.push([remainingMs > 9_000 && remainingMs <= 10_000, whose.name]);
          },
        ],
        beforeRetry: ({ attempt, response, url }) => {
          told.push([
            "retry",
            attempt.number,
            attempt.backend,
            attempt.report.outcome,
            attempt.sent,
            response?.status,
            url,
          ]);
        },
        afterResponse: ({ attempt, response }) => void told.push(["response", attempt?.number, response.status]),
        beforeError: () => void told.push("error"),
      });
      const response = await call("/a?b=1#c", { method: "put", body: "hello" });
      expect(await response.json()).toMatchObject({ method: "PUT", body: "hello" });
      const url = "http://orders/a?b=1#c";
      expect(told).toEqual([
        ["request", 1, first, url, "PUT"],
        [true, "orders"],
        ["retry", 1, first, "failure", true, 503, url],
        ["request", 2, second, url, "PUT"],
        [true, "orders"],
        ["response", 2, 200],
      ]);
      await idle(balancer);
    });

    test("beforeRequest changes the headers of each attempt, and its word is the last", async () => {
      const seen: Received["headers"][] = [];
      const servers = [503, 200].map((status) =>
        httpServer((request, response) => {
          seen.push(request.headers);
          response.writeHead(status).end();
        }),
      );
      const balancer = balancerOver(
        (await Promise.all(servers)).map(({ url }) => url),
        NO_BACKOFF,
      );
      const call = connect(balancer, {
        beforeRequest: [
          ({ headers, attempt }) => headers.set("x-signed", `for ${attempt.number}`),
          ({ headers }) => new Headers([...headers, ["x-more", "1"]]),
        ],
      });
      const headers = { "x-own": "1" };
      await (await call("/", { headers, fairlead: { propagate: true } })).text();
      expect(seen).toMatchObject([
        { "x-signed": "for 1", "x-more": "1", "x-own": "1", "x-envoy-attempt-count": "1" },
        { "x-signed": "for 2", "x-more": "1", "x-own": "1", "x-envoy-attempt-count": "2" },
      ]);
      expect(headers).toEqual({ "x-own": "1" });
    });

    test("beforeRetry stops a retry: the response stands whole, and no backend is asked", async () => {
      const [bad, good] = [await failing(503), await httpServer()];
      const balancer = balancerOver([bad.url, good.url], NO_BACKOFF);
      const second = vi.fn<() => void>();
      const response = await connect(balancer, { beforeRetry: [async () => false, second] })("/");
      expect([response.status, await response.text()]).toEqual([503, "no"]);
      expect([good.received, second.mock.calls, counters(balancer, 1).attempts]).toEqual([[], [], 0]);
      expect(balancer.snapshot().calls).toMatchObject({ retries: 0, failed: 1 });
      await idle(balancer);
    });

    test("beforeRetry stops a retry: the error stands", async () => {
      const bad = await rawServer((socket) => socket.destroy());
      const good = await httpServer();
      const balancer = balancerOver([bad.url, good.url], NO_BACKOFF);
      const beforeRetry = vi.fn<(context: { attempt: { error?: unknown } }) => false>(() => false);
      const error = await caught(connect(balancer, { beforeRetry })("/"));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toBe(beforeRetry.mock.calls[0]?.[0].attempt.error);
      expect(good.received).toEqual([]);
      await idle(balancer);
    });

    test("beforeRetry is not called where nothing is repeated", async () => {
      const balancer = balancerOver([(await failing(503)).url], { retry: { limit: 0 } });
      const beforeRetry = vi.fn<() => void>();
      expect((await connect(balancer, { beforeRetry })("/")).status).toBe(503);
      expect(beforeRetry).not.toHaveBeenCalled();
    });

    test("a beforeRetry that never answers ends at the deadline, or when the caller aborts", async () => {
      const [bad, good] = [await failing(503), await httpServer()];
      const balancer = balancerOver([bad.url, good.url], { ...NO_BACKOFF, deadlineMs: 60 });
      const call = connect(balancer, { beforeRetry: never });
      const response = await call("/");
      expect([response.status, await response.text()]).toEqual([503, "no"]);
      const signal = AbortSignal.timeout(30);
      const error = await caught(call("/", { signal, fairlead: { deadlineMs: false } }));
      expect(error).toBe(signal.reason);
      expect(good.received).toEqual([]);
      await idle(balancer);
    });

    test("afterResponse replaces the response, and lets go of the other one", async () => {
      const server = await httpServer((_request, response) => response.end("x".repeat(300_000)));
      const balancer = balancerOver([server.url]);
      const call = connect(balancer, {
        afterResponse: [
          () => {},
          async ({ response }) => new Response("mine", { status: response.status + 1 }),
          async ({ response }) => new Response(`${await response.text()}, twice`, { status: response.status }),
        ],
      });
      const response = await call("/");
      await idle(balancer);
      expect([response.status, await response.text()]).toEqual([201, "mine, twice"]);
    });

    test("afterResponse sees what a redirect leads to, and answers of nobody", async () => {
      const server = await httpServer((request, response) => {
        if (request.url === "/from") response.writeHead(302, { location: "/to" }).end();
        else response.end("there");
      });
      const balancer = balancerOver([server.url], { fallback: lastGoodResponse(), retry: false });
      const told: unknown[] = [];
      const call = connect(balancer, {
        beforeRequest: ({ url }) => void told.push(url),
        afterResponse: ({ attempt, response, url }) => void told.push([attempt?.backend.id, response.url, url]),
      });
      await (await call("/from")).text();
      await idle(balancer);
      server.close();
      expect(await (await call("/to")).text()).toBe("there");
      expect(told).toEqual([
        "http://orders/from",
        "http://orders/to",
        [new URL(server.url).host, "http://orders/to", "http://orders/from"],
        "http://orders/to",
        [undefined, "", "http://orders/to"],
      ]);
    });

    test("beforeError replaces the error, but never the reason of the caller's abort", async () => {
      const balancer = balancerOver([await deadPort()], { retry: false });
      const told: unknown[] = [];
      const call = connect(balancer, {
        beforeError: [({ attempt, error }) => void told.push([attempt?.number, error]), async () => mine],
      });
      expect(await caught(call("/"))).toBe(mine);
      expect(told).toEqual([[1, expect.any(TypeError)]]);
      const signal = AbortSignal.abort("gone");
      expect(await caught(call("/", { signal }))).toBe("gone");
      expect(told).toHaveLength(1);
      // A hook that says nothing changes nothing.
      const silent = connect(balancer, { beforeError: () => undefined });
      expect(await caught(silent("/"))).toBeInstanceOf(TypeError);
    });

    test.each(["beforeRequest", "beforeRetry", "afterResponse", "beforeError"] as const)(
      "a %s that throws ends the call with its error, and blames nobody",
      async (hook) => {
        const status = hook === "beforeRequest" || hook === "afterResponse" ? 200 : 503;
        const server = await httpServer((_request, response) => response.writeHead(status).end("x".repeat(100_000)));
        const others = await httpServer();
        const isError = hook === "beforeError";
        const backends = [isError ? await deadPort() : server.url, others.url];
        const balancer = balancerOver(backends, { ...NO_BACKOFF, ...(isError && { retry: false }) });
        const start = counters(balancer, 0);
        for (const hooks of [{ [hook]: broken }, { [hook]: async () => broken() }] satisfies FetchHooks[]) {
          const init = isError ? { fairlead: { pinned: balancer.backends[0]?.id, pinPolicy: "fail" as const } } : {};
          expect(await caught(connect(balancer, hooks)("/", init))).toBe(mine);
        }
        await idle(balancer);
        expect(others.received).toEqual([]);
        if (status === 200)
          expect(counters(balancer, 0)).toMatchObject({ failures: start.failures, streamFailures: 0 });
        expect(counters(balancer, 1).failures).toBe(0);
        if (hook === "beforeRequest") expect(server.received).toEqual([]);
      },
    );

    test("who aborts waits for no hook, and nothing is sent after it", async () => {
      const server = await httpServer();
      const balancer = balancerOver([server.url]);
      for (const hook of ["beforeRequest", "afterResponse"] as const) {
        const began = Promise.withResolvers<void>();
        const go = Promise.withResolvers<undefined>();
        const slow = (): Promise<undefined> => {
          began.resolve();
          return go.promise;
        };
        const controller = new AbortController();
        const call = caught(connect(balancer, { [hook]: slow })(`/${hook}`, { signal: controller.signal }));
        await began.promise;
        controller.abort(mine);
        expect(await call).toBe(mine);
        go.resolve(undefined);
        await idle(balancer);
      }
      expect(server.received).toEqual(["GET /afterResponse"]);
    });

    test.each(["beforeRequest", "afterResponse", "beforeError"] as const)(
      "a %s that never answers holds nothing once the caller has aborted",
      async (hook) => {
        const url = hook === "beforeError" ? await deadPort() : (await httpServer()).url;
        const balancer = balancerOver([url], { retry: false });
        const began = Promise.withResolvers<void>();
        const hangs = (): Promise<never> => {
          began.resolve();
          return never();
        };
        const { signal, abort } = abortable();
        const call = caught(connect(balancer, { [hook]: hangs })("/", { signal }));
        await began.promise;
        abort("gone");
        expect(await call).toBe("gone");
        await idle(balancer);
        expect(getEventListeners(signal, "abort")).toEqual([]);
      },
    );

    test("a beforeRequest that takes too long is given up with its attempt", async () => {
      const balancer = balancerOver([(await httpServer()).url], { attemptTimeoutMs: 50, retry: false });
      const error = await caught(connect(balancer, { beforeRequest: never })("/"));
      expect(error).toMatchObject({ name: "TimeoutError" });
      await idle(balancer);
    });

    test("beforeError hears of calls that no attempt was made for", async () => {
      const balancer = balancerOver([await deadPort()]);
      const router = createRouter({ name: "app", routes: [{ path: "/v1", to: balancer }] });
      const told: unknown[] = [];
      const hooks: FetchHooks = {
        beforeError: ({ attempt, error, url }) => {
          told.push([attempt, (error as Error).name, ((error as Error).cause as FairleadError).code, url]);
          return mine;
        },
      };
      expect(await caught(connect(router, hooks)("/v2"))).toBe(mine);
      const tooLong = { method: "PUT", body: "abc", fairlead: { maxRequestBytes: 1 } };
      expect(await caught(connect(router, hooks)("/v1", tooLong))).toBe(mine);
      expect(told).toEqual([
        [undefined, "TypeError", "FAIRLEAD_ERR_NO_ROUTE", "http://app/v2"],
        [undefined, "TypeError", "FAIRLEAD_ERR_LIMIT", "http://app/v1"],
      ]);
    });

    test("an error of theirs is nobody's to change, whatever it is", async () => {
      const balancer = balancerOver([(await httpServer()).url]);
      const own = new FairleadError("FAIRLEAD_ERR_CLOSED", "mine");
      const fail = (): never => {
        throw own;
      };
      const request = new Request("http://orders/", { method: "PUT", body: "abc" });
      for (const input of ["/", request])
        expect(await caught(connect(balancer, { afterResponse: fail })(input))).toBe(own);
      await idle(balancer);
    });

    test("other origins are none of theirs", async () => {
      const elsewhere = await httpServer();
      const balancer = balancerOver([await deadPort()]);
      const hooks = { beforeRequest: vi.fn<() => void>(), afterResponse: vi.fn<() => void>() };
      expect((await connect(balancer, hooks)(elsewhere.url)).status).toBe(200);
      expect([hooks.beforeRequest.mock.calls, hooks.afterResponse.mock.calls]).toEqual([[], []]);
    });
  });
}

test("only functions under names that exist are hooks", async () => {
  const balancer = balancerOver([(await httpServer(echo)).url]);
  const hooks = { beforeRequests: () => {}, afterResponse: [() => {}, 3] } as FetchHooks;
  expect(() => createFetch(balancer, { hooks })).toThrow(/hooks.beforeRequests.*hooks.afterResponse/s);
  expect(() => createFetch(balancer, { hooks: 3 as never })).toThrow(/hooks/);
  expect((await createFetch(balancer, { hooks: { beforeRequest: [] } })("/")).status).toBe(200);
});
