import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import type { BackendSpec, Balancer } from "@fairlead/core";
import * as undici8 from "undici";
import * as undici7 from "undici7";
import { describe, expect, test } from "vitest";
import { BalancedDispatcher, balance } from "../src/undici/index.ts";
import { balancerOver, idle } from "./support/balancers.ts";
import { certificate } from "./support/certificate.ts";
import { deadPort, echo, httpServer, httpsServer, type TestServer } from "./support/servers.ts";

type Undici = typeof undici8;
type Interceptor = undici8.Dispatcher.DispatcherComposeInterceptor;

const libraries: readonly (readonly [string, Undici])[] = [
  ["undici 8", undici8],
  ["undici 7", undici7 as unknown as Undici],
];

/** Where an interceptor stands: it sees the request before it is balanced, or on its way to a backend. */
type Order = "above BalancedDispatcher" | "above balance()" | "below balance()";

const ABOVE: readonly Order[] = ["above BalancedDispatcher", "above balance()"];
const EVERYWHERE: readonly Order[] = [...ABOVE, "below balance()"];

function compose(order: Order, { Agent }: Undici, balancer: Balancer, interceptor: Interceptor): undici8.Dispatcher {
  // What is composed last is asked first.
  if (order === "above BalancedDispatcher") return new BalancedDispatcher(balancer).compose(interceptor);
  const agent = new Agent({ connect: { ca: certificate } });
  return order === "above balance()"
    ? agent.compose(balance(balancer), interceptor)
    : agent.compose(interceptor, balance(balancer));
}

/** The interceptor at each of `orders`, over a backend that nobody reaches and one that answers. */
function eachOrder(
  name: string,
  orders: readonly Order[],
  respond: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  interceptor: (lib: Undici) => Interceptor,
  check: (given: {
    readonly order: Order;
    readonly lib: Undici;
    readonly server: TestServer;
    readonly balancer: Balancer;
    readonly ask: (path?: string, options?: object) => Promise<undici8.Dispatcher.ResponseData>;
  }) => Promise<void>,
): void {
  for (const [library, lib] of libraries) {
    test.each(orders)(`${name} of ${library}, %s`, async (order) => {
      const server = await httpServer(respond);
      const balancer = balancerOver([await deadPort(), server.url], { retry: { limit: 0 } });
      const dispatcher = compose(order, lib, balancer, interceptor(lib));
      const ask = (path = "/", options = {}) => lib.request(`http://orders${path}`, { ...options, dispatcher });
      await check({ order, lib, server, balancer, ask });
      await idle(balancer);
    });
  }
}

const attemptsOf = (balancer: Balancer): number =>
  balancer.snapshot().backends.reduce((sum, { attempts }) => sum + attempts, 0);

describe("undici's interceptors", () => {
  eachOrder(
    "cache",
    ABOVE,
    (_request, response) => response.setHeader("cache-control", "max-age=60").end("kept"),
    ({ interceptors }) => interceptors.cache(),
    async ({ server, balancer, ask }) => {
      expect(await text((await ask("/a")).body)).toBe("kept");
      const before = attemptsOf(balancer);
      const { headers, body } = await ask("/a");
      expect([headers["age"], await text(body)]).toEqual([expect.stringMatching(/^[0-5]$/), "kept"]);
      // Nobody was asked, so nobody was leased.
      expect([attemptsOf(balancer), server.received]).toEqual([before, ["GET /a"]]);
    },
  );

  eachOrder(
    "cache, below where its answers count as the backend's,",
    ["below balance()"],
    (_request, response) => response.setHeader("cache-control", "max-age=60").end("kept"),
    ({ interceptors }) => interceptors.cache(),
    async ({ server, balancer, ask }) => {
      for (let call = 0; call < 2; call++) expect(await text((await ask("/a")).body)).toBe("kept");
      expect(server.received).toEqual(["GET /a"]);
      expect(balancer.snapshot().backends[1]).toMatchObject({ successes: 2 });
    },
  );

  eachOrder(
    "decompress",
    EVERYWHERE,
    (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync("plain text"));
    },
    ({ interceptors }) => interceptors.decompress(),
    async ({ ask }) => {
      const { headers, body } = await ask();
      expect([headers["content-encoding"], await text(body)]).toEqual([undefined, "plain text"]);
    },
  );

  eachOrder(
    "redirect",
    EVERYWHERE,
    (request, response, body) => {
      if (request.url !== "/old") echo(request, response, body);
      // A backend that names itself means the service.
      else response.writeHead(302, { location: `http://${request.headers.host}/new` }).end("moved");
    },
    ({ interceptors }) => interceptors.redirect({ maxRedirections: 3 }),
    async ({ order, balancer, server, ask }) => {
      const { statusCode, body, context } = await ask("/old");
      expect([statusCode, await body.json()]).toMatchObject([200, { url: "/new" }]);
      const { history } = context as { history: URL[] };
      const origin = order === "below balance()" ? server.url : "http://orders";
      expect(history.map(String)).toEqual([`${origin}/old`, `${origin}/new`]);
      // Followed through the balancer, or behind its back on the backend that answered first.
      expect(balancer.snapshot().calls.calls).toBe(order === "below balance()" ? 1 : 2);
    },
  );

  eachOrder(
    "responseError",
    ABOVE,
    (_request, response) => response.writeHead(503, { "content-type": "text/plain" }).end("no"),
    ({ interceptors }) => interceptors.responseError(),
    async ({ balancer, ask }) => {
      await expect(ask()).rejects.toMatchObject({ code: "UND_ERR_RESPONSE", statusCode: 503, body: "no" });
      // It sees the answer that is left when no other backend does better.
      expect(balancer.snapshot().backends.map(({ failures, unreached }) => [failures, unreached])).toEqual([
        [0, 1],
        [1, 0],
      ]);
    },
  );

  eachOrder(
    "responseError, below where a status is an error like any other,",
    ["below balance()"],
    (_request, response) => response.writeHead(404, { "content-type": "text/plain" }).end("no"),
    ({ interceptors }) => interceptors.responseError(),
    async ({ balancer, ask }) => {
      await expect(ask()).rejects.toThrow();
      expect(balancer.snapshot().backends[1]).toMatchObject({ attempts: 1, successes: 0, failures: 1 });
    },
  );

  eachOrder(
    "retry, below where it knows one backend,",
    ["below balance()"],
    (_request, response) => response.writeHead(503).end(),
    ({ interceptors }) => interceptors.retry({ maxRetries: 2, minTimeout: 1, maxTimeout: 1, timeoutFactor: 1 }),
    async ({ server, balancer, ask }) => {
      await ask().catch(() => {});
      expect([balancer.snapshot().backends[1]?.attempts, server.received.length]).toEqual([1, 3]);
    },
  );

  eachOrder(
    "dump",
    EVERYWHERE,
    (request, response) => response.end(request.url === "/long" ? "x".repeat(2_000) : "short"),
    ({ interceptors }) => interceptors.dump({ maxSize: 1_000 }),
    async ({ order, balancer, server, ask }) => {
      expect(await text((await ask()).body)).toBe("");
      await expect(ask("/long", { method: "POST", body: "x" })).rejects.toMatchObject({ code: "UND_ERR_ABORTED" });
      expect(server.received).toEqual(["GET /", "POST /long"]);
      // What a handler throws is no backend's fault; an interceptor below speaks for the backend.
      const blamed = order === "below balance()" ? 1 : 0;
      const { failures, streamFailures } = balancer.snapshot().backends[1] ?? {};
      expect((failures ?? 0) + (streamFailures ?? 0)).toBe(blamed);
    },
  );

  eachOrder(
    "deduplicate",
    ABOVE,
    (_request, response) => setImmediate(() => response.end("one for all")),
    ({ interceptors }) => interceptors.deduplicate(),
    async ({ server, balancer, ask }) => {
      const answers = await Promise.all(Array.from({ length: 4 }, async () => text((await ask("/a")).body)));
      expect(new Set(answers)).toEqual(new Set(["one for all"]));
      expect([server.received.length, balancer.snapshot().calls.calls]).toEqual([1, 1]);
    },
  );

  test.each(libraries)("retry of %s, above: each of its tries is a call of ours", async (_library, lib) => {
    const server = await httpServer((_request, response) => response.writeHead(503).end());
    const balancer = balancerOver([server.url], { retry: { limit: 1, delayMs: 0 }, ejection: false });
    const retry = lib.interceptors.retry({ maxRetries: 2, minTimeout: 1, maxTimeout: 1, timeoutFactor: 1 });
    const dispatcher = new BalancedDispatcher(balancer).compose(retry);
    await lib.request("http://orders/", { dispatcher }).catch(() => {});
    // Retries of two layers multiply: 3 × 2.
    expect([balancer.snapshot().calls.calls, server.received.length]).toEqual([3, 6]);
    await idle(balancer);
  });
});

test("a dispatcher that was composed is closed as any other, and takes the handlers of Node's own fetch", async () => {
  const server = await httpServer((_request, response) =>
    response.setHeader("cache-control", "max-age=60").end("kept"),
  );
  const balancer = balancerOver([server.url]);
  const dispatcher = new BalancedDispatcher(balancer).compose(undici8.interceptors.cache());
  for (let call = 0; call < 2; call++)
    expect(await (await fetch("http://orders/", { dispatcher } as RequestInit)).text()).toBe("kept");
  expect(server.received).toEqual(["GET /"]);
  await dispatcher.close();
  expect((dispatcher as unknown as BalancedDispatcher).destroyed).toBe(true);
  await expect(undici8.request("http://orders/b", { dispatcher })).rejects.toMatchObject({ code: "UND_ERR_DESTROYED" });
  await idle(balancer);
});

/** Every name is the loopback's. */
function lookup(_origin: unknown, _options: unknown, done: (error: null, addresses: object[]) => void): void {
  done(null, [{ address: "127.0.0.1", family: 4, ttl: 1_000 }]);
}

async function seenThrough(lib: Undici, spec: (port: string) => BackendSpec): Promise<Record<string, unknown>> {
  const server = await httpsServer((request, response) => {
    const { servername } = request.socket as unknown as { servername: unknown };
    response.end(JSON.stringify({ host: request.headers.host, servername }));
  });
  const balancer = balancerOver([spec(new URL(server.url).port)]);
  const dns = lib.interceptors.dns({ dualStack: false, affinity: 4, lookup: lookup as never });
  const { body } = await lib.request("http://orders/", {
    dispatcher: compose("below balance()", lib, balancer, dns),
  });
  return { ...((await body.json()) as object), port: new URL(server.url).port };
}

describe("dns, below balance()", () => {
  test.each(libraries)("looks up the backend, whose name stays in Host and SNI: %s", async (_library, lib) => {
    const { host, servername, port } = await seenThrough(lib, (at) => ({ url: `https://orders.test:${at}` }));
    expect([host, servername]).toEqual([`orders.test:${String(port)}`, "orders.test"]);
  });

  test.each(libraries)("leaves a backend's own Host alone, and asks for the name it looked up: %s", async (_, lib) => {
    const { host, servername } = await seenThrough(lib, (at) => ({
      url: `https://orders.test:${at}`,
      host: "localhost",
    }));
    expect([host, servername]).toEqual(["localhost", "orders.test"]);
  });
});
