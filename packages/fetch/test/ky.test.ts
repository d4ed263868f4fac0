// ky over a balanced fetch: whose retries are whose, and what is left of its own features.
import ky, { HTTPError, TimeoutError } from "ky";
import { describe, expect, test } from "vitest";
import { createFetch } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { httpServer, rawServer } from "./support/servers.ts";

const NO_BACKOFF = { retry: { delayMs: 0 }, ejection: false } as const;
const failing = (status: number) => httpServer((_request, response) => response.writeHead(status).end("no"));

for (const [name, fetch] of [
  ["createFetch", undefined],
  ["createFetch(undiciTransport)", undiciTransport()],
] as const) {
  describe(`ky over ${name}`, () => {
    test("posts JSON with its length, and reads the answer", async () => {
      const balancer = balancerOver([(await httpServer()).url]);
      const api = ky.create({ fetch: createFetch(balancer, { fetch }), prefix: "http://orders/v1", retry: 0 });
      const received = await api.post("orders", { json: { item: 7 }, searchParams: { a: 1 } }).json();
      expect(received).toMatchObject({
        method: "POST",
        url: "/v1/orders?a=1",
        body: '{"item":7}',
        headers: { "content-type": "application/json", "content-length": "10" },
      });
      await idle(balancer);
    });

    test("a PUT of JSON is repeated by fairlead, whole, while ky repeats nothing", async () => {
      const [bad, good] = [await failing(503), await httpServer()];
      const balancer = balancerOver([bad.url, good.url], NO_BACKOFF);
      const api = ky.create({ fetch: createFetch(balancer, { fetch }), baseUrl: "http://orders", retry: 0 });
      expect(await api.put("/", { json: { item: 7 } }).json()).toMatchObject({ body: '{"item":7}' });
      expect([bad.received, good.received]).toEqual([["PUT /"], ["PUT /"]]);
    });

    test("with ky's retries in place of fairlead's, each is a call of its own", async () => {
      const [bad, good] = [await failing(503), await httpServer()];
      const balancer = balancerOver([bad.url, good.url], {
        retry: false,
        ejection: { consecutiveFailures: 1 },
      });
      const retried: number[] = [];
      const api = ky.create({
        fetch: createFetch(balancer, { fetch }),
        baseUrl: "http://orders",
        retry: { limit: 2, delay: () => 0 },
        hooks: { beforeRetry: [({ retryCount }) => void retried.push(retryCount)] },
      });
      expect(await api.put("/", { json: { item: 7 } }).json()).toMatchObject({ body: '{"item":7}' });
      expect([retried, balancer.snapshot().calls.calls]).toEqual([[1], 2]);
      await idle(balancer);
    });

    test("its hooks, its errors and its timeout work", async () => {
      const server = await httpServer((request, response) => {
        response.writeHead(request.headers["x-token"] === "1" ? 404 : 500).end("no");
      });
      const balancer = balancerOver([server.url], { retry: false });
      const api = ky.create({
        fetch: createFetch(balancer, { fetch }),
        baseUrl: "http://orders",
        retry: 0,
        hooks: { beforeRequest: [({ request }) => request.headers.set("x-token", "1")] },
      });
      const error: unknown = await api("/missing").catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(HTTPError);
      expect(error).toMatchObject({ response: { status: 404, url: "http://orders/missing" } });
      await idle(balancer);
      const silent = balancerOver([(await rawServer(() => {})).url]);
      const slow = createFetch(silent, { fetch });
      await expect(ky("http://orders/", { fetch: slow, timeout: 50, retry: 0 })).rejects.toBeInstanceOf(TimeoutError);
      await idle(silent);
      expect(counters(silent, 0)).toMatchObject({ failures: 0, ignored: 1 });
    });

    test("hands on what one call says to fairlead", async () => {
      const servers = [await httpServer(), await httpServer()];
      const balancer = balancerOver(servers.map(({ url }, index) => ({ url, id: `b${index}` })));
      const api = ky.create({ fetch: createFetch(balancer, { fetch }), baseUrl: "http://orders", retry: 0 });
      await api("/", { fairlead: { pinned: "b1" } } as object).text();
      const made = { method: "put", fairlead: { pinned: "b1", body: () => "made" } } as object;
      expect(await api("/", made).json()).toMatchObject({ body: "made" });
      expect(servers.map(({ received }) => received)).toEqual([[], ["GET /", "PUT /"]]);
    });
  });
}
