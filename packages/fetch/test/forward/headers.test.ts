// What backends and clients are told, over every transport.
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type ForwardOptions, type Transport } from "../../src/index.ts";
import { forwardTransport } from "../../src/undici/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { CLIENT, forwarding, shopRouter, transports } from "../support/forwarding.ts";
import { httpServer, type Received, rawServer } from "../support/servers.ts";

async function received(response: Response): Promise<Received> {
  return (await response.json()) as Received;
}

/** What a backend is told of a request with these headers. */
async function told(
  headers: Record<string, string>,
  options: ForwardOptions = {},
  client = CLIENT,
): Promise<Received["headers"]> {
  const server = await httpServer();
  const send = forwarding(balancerOver([server.url]), options);
  return (await received(await send("/", { headers }, client))).headers;
}

/** `undiciTransport` makes Locations absolute: those nobody takes for a backend's own. */
function inFull(location: string): string {
  const base = "https://shop.example.com/shop/x";
  return URL.canParse(location, base) ? new URL(location, base).href : location;
}

describe.each(transports)("by %s", (transport, make) => {
  const options = (): ForwardOptions => ({ fetch: make() });

  test("method, path, query, body and the headers that are the client's reach the backend", async () => {
    const server = await httpServer();
    const balancer = balancerOver([`${server.url}/v1`]);
    const response = await forwarding(balancer, options())("/a/b?x=1&y=%20", {
      method: "PUT",
      body: "hello",
      headers: { cookie: "a=1; b=2", authorization: "Bearer x", "x-own": "1", "content-length": "5" },
    });
    const { method, url, body, headers } = await received(response);
    expect({ method, url, body }).toEqual({ method: "PUT", url: "/v1/a/b?x=1&y=%20", body: "hello" });
    expect(headers).toMatchObject({
      cookie: "a=1; b=2",
      authorization: "Bearer x",
      "x-own": "1",
      "content-length": "5",
    });
    await idle(balancer);
  });

  test("what is about a connection ends here, both ways", async () => {
    const server = await httpServer((request, response) => {
      response.writeHead(200, {
        connection: "close, x-mine",
        "x-mine": "1",
        "proxy-authenticate": "Basic",
        "x-names": Object.keys(request.headers).join(" "),
      });
      response.end("ok");
    });
    const response = await forwarding(balancerOver([server.url]), options())("/", {
      headers: {
        connection: "keep-alive, X-Private",
        "x-private": "1",
        "keep-alive": "timeout=5",
        "proxy-authorization": "Basic x",
        "proxy-connection": "keep-alive",
        "transfer-encoding": "chunked",
        upgrade: "h2c",
        te: "trailers",
        trailer: "x-sum",
        expect: "100-continue",
      },
    });
    const names = response.headers.get("x-names")?.split(" ");
    for (const name of [
      "x-private",
      "keep-alive",
      "proxy-authorization",
      "proxy-connection",
      "upgrade",
      "trailer",
      "expect",
    ])
      expect(names).not.toContain(name);
    expect(names).toContain("te");
    for (const name of ["connection", "x-mine", "proxy-authenticate", "keep-alive", "transfer-encoding"])
      expect(response.headers.get(name)).toBeNull();
    expect(await response.text()).toBe("ok");
  });

  test("all cookies of the backend reach the client, beside other headers and the status", async () => {
    const server = await httpServer((_request, response) => {
      response.writeHead(418, "Teapot", [
        ["set-cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
        ["set-cookie", "b=2"],
        ["etag", '"x"'],
      ] as never);
      response.end("short and stout");
    });
    const response = await forwarding(balancerOver([server.url]), options())("/");
    expect([response.status, response.statusText, await response.text()]).toEqual([418, "Teapot", "short and stout"]);
    expect(response.headers.getSetCookie()).toEqual(["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]);
    expect(response.headers.get("etag")).toBe('"x"');
  });

  test("a status text that no Response can have is left out, and the rest comes through", async () => {
    const head = "HTTP/1.1 200 Größe €\r\ncontent-length: 2\r\n\r\nok";
    const server = await rawServer((socket) => void socket.write(head));
    const balancer = balancerOver([server.url]);
    const response = await forwarding(balancer, options())("/");
    expect([response.status, response.statusText, await response.text()]).toEqual([200, "", "ok"]);
    await idle(balancer);
  });

  test("an encoded body and the headers that describe it belong together", async () => {
    const plain = "compressible ".repeat(100);
    const coded = gzipSync(plain);
    const server = await httpServer((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-length": coded.length, etag: '"x"' });
      response.end(coded);
    });
    const send = forwarding(balancerOver([server.url]), options());
    const response = await send("/", { headers: { "accept-encoding": "gzip" } });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (make()?.keepsEncoding === true) {
      expect(bytes).toEqual(new Uint8Array(coded));
      expect(response.headers.get("content-encoding")).toBe("gzip");
      expect(response.headers.get("content-length")).toBe(String(coded.length));
      expect(response.headers.get("etag")).toBe('"x"');
    } else {
      expect(new TextDecoder().decode(bytes)).toBe(plain);
      expect(response.headers.get("content-encoding")).toBeNull();
      expect(response.headers.get("content-length")).toBeNull();
      expect(response.headers.get("etag")).toBe('W/"x"');
    }
    const head = await send("/", { method: "HEAD" });
    expect(head.body).toBeNull();
    expect(head.headers.get("content-length")).toBe(String(coded.length));
  });

  test("a length that is true is kept, and 204 and 304 have no body", async () => {
    const server = await httpServer((request, response) => {
      if (request.url === "/") response.writeHead(200, { "content-length": 5 }).end("hello");
      else response.writeHead(Number(request.url?.slice(1)), { etag: '"x"' }).end();
    });
    const send = forwarding(balancerOver([server.url]), options());
    const response = await send("/");
    expect([response.headers.get("content-length"), await response.text()]).toEqual(["5", "hello"]);
    for (const status of [204, 205, 304]) {
      const empty = await send(`/${status}`);
      expect([empty.status, empty.body, empty.headers.get("etag")]).toEqual([status, null, '"x"']);
    }
  });

  test("a redirect is the client's to follow, in its own terms", async () => {
    const server = await httpServer((request, response) => {
      const location = new URL(`http://x${request.url}`).searchParams.get("to") ?? "";
      response.writeHead(302, { location: location.replace("SELF", server.url), "content-location": "/v1/here" }).end();
    });
    const balancer = balancerOver([`${server.url}/v1`]);
    const routed = forwarding(shopRouter(balancer), options());
    const plain = forwarding(balancer, options());
    const locationOf = async (send: typeof plain, path: string, to: string): Promise<string | null> =>
      (await send(`${path}?to=${encodeURIComponent(to)}`)).headers.get("location");
    const cases: readonly (readonly [to: string, plain: string, routed: string])[] = [
      ["SELF/v1/a?b#c", "https://shop.example.com/a?b#c", "https://shop.example.com/shop/a?b#c"],
      // Whoever names the public host knows its paths.
      ["http://shop.example.com/a", "https://shop.example.com/a", "https://shop.example.com/a"],
      ["/a", "/a", "/shop/a"],
      ["a", "a", "a"],
      ["?page=2", "?page=2", "?page=2"],
      ["https://login.example.com/x", "https://login.example.com/x", "https://login.example.com/x"],
      [
        "SELF//evil.example/a",
        "https://shop.example.com//evil.example/a",
        "https://shop.example.com/shop//evil.example/a",
      ],
      ["http://[", "http://[", "http://["],
    ];
    for (const [to, own, viaRoute] of cases) {
      expect([to, await locationOf(plain, "/x", to)]).toEqual([to, own]);
      expect([to, await locationOf(routed, "/shop/x", to)]).toEqual([
        to,
        transport === "undiciTransport" ? inFull(viaRoute) : viaRoute,
      ]);
    }
    expect(server.received).toHaveLength(cases.length * 2);
  });
});

describe("whom the client is", () => {
  const CLAIMS = {
    "x-forwarded-for": "6.6.6.6",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "evil.example",
    "x-forwarded-port": "1",
    "x-forwarded-email": "root@example.com",
    "x-forwarded-prefix": "/evil",
    "x-real-ip": "6.6.6.6",
    "cf-connecting-ip": "6.6.6.6",
    "true-client-ip": "6.6.6.6",
    forwarded: "for=6.6.6.6",
  };

  test("is what we know, not what anybody says", async () => {
    const headers = await told(CLAIMS);
    expect(headers).toMatchObject({
      "x-forwarded-for": "192.0.2.7",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "shop.example.com",
      "x-forwarded-port": "443",
    });
    const names = [
      "forwarded",
      "x-real-ip",
      "cf-connecting-ip",
      "true-client-ip",
      "x-forwarded-email",
      "x-forwarded-prefix",
    ];
    for (const name of names) expect(headers).not.toHaveProperty(name);
  });

  test("is what a trusted proxy says, with the proxy appended", async () => {
    const headers = await told({ ...CLAIMS, "x-forwarded-for": "6.6.6.6, 203.0.113.9" }, { trust: { hops: 1 } });
    expect(headers).toMatchObject({
      "x-forwarded-for": "203.0.113.9, 192.0.2.7",
      "x-forwarded-proto": "http",
      "x-forwarded-host": "evil.example",
      "x-forwarded-port": "80",
      "x-forwarded-email": "root@example.com",
    });
    expect(headers).not.toHaveProperty("cf-connecting-ip");
  });

  test("is what the header of the platform says, in a form that can be relied on", async () => {
    const headers = { ...CLAIMS, "cf-connecting-ip": "2001:DB8::0007" };
    expect(await told(headers, { trust: { header: "cf-connecting-ip" } }, {})).toMatchObject({
      "cf-connecting-ip": "2001:db8::7",
      "x-forwarded-for": "2001:db8::7",
      "x-forwarded-proto": "http",
    });
  });

  test("can be told as Forwarded, both ways or not at all", async () => {
    const forwarded = "for=192.0.2.7;host=shop.example.com;proto=https";
    expect(await told(CLAIMS, { forwardedHeaders: "forwarded" })).toMatchObject({ forwarded });
    expect(await told(CLAIMS, { forwardedHeaders: "forwarded" })).not.toHaveProperty("x-forwarded-for");
    expect(await told(CLAIMS, { forwardedHeaders: "both" })).toMatchObject({
      forwarded,
      "x-forwarded-for": "192.0.2.7",
    });
    const none = await told(CLAIMS, { forwardedHeaders: "none" });
    for (const name of ["forwarded", "x-forwarded-for", "x-forwarded-host"]) expect(none).not.toHaveProperty(name);
    const v6 = await told({}, { forwardedHeaders: "forwarded" }, { ip: "2001:db8::7" });
    expect(v6).toMatchObject({ forwarded: 'for="[2001:db8::7]";host=shop.example.com;proto=http' });
  });

  test("can't be hidden by a Connection header that names what we say", async () => {
    expect(await told({ connection: "x-forwarded-for, x-request-id" })).toMatchObject({
      "x-forwarded-for": "192.0.2.7",
      "x-request-id": expect.any(String),
    });
  });
});

async function ids(given: string | undefined, options: ForwardOptions): Promise<[backend: unknown, client: unknown]> {
  const server = await httpServer();
  const headers: Record<string, string> = given === undefined ? {} : { "x-request-id": given };
  const response = await forwarding(balancerOver([server.url]), options)("/", { headers });
  const { [options.requestIdHeader || "x-request-id"]: id } = (await received(response)).headers;
  return [id, response.headers.get(options.requestIdHeader || "x-request-id")];
}

describe("the request's id", () => {
  test("is made, and told to both sides", async () => {
    const [id, shown] = await ids("mine", {});
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(shown).toBe(id);
  });

  test("is kept if it comes from a trusted peer and makes sense", async () => {
    expect(await ids("abc-123", { trust: { hops: 1 } })).toEqual(["abc-123", "abc-123"]);
    expect((await ids("not good: <x>", { trust: { hops: 1 } }))[0]).toMatch(/^[\da-f-]{36}$/);
    expect((await ids("a".repeat(129), { trust: { hops: 1 } }))[0]).toMatch(/^[\da-f-]{36}$/);
  });

  test("has the name that is wanted, or none", async () => {
    const [id, shown] = await ids(undefined, { requestIdHeader: "X-Trace" });
    expect([id, shown]).toEqual([undefined, expect.stringMatching(/^[\da-f-]{36}$/)]);
    expect(await ids(undefined, { requestIdHeader: false })).toEqual([undefined, null]);
  });
});

describe("Host", () => {
  test("is the backend's, its name or the client's", async () => {
    const server = await httpServer();
    const host = async (spec: { host?: string }, options: ForwardOptions = {}): Promise<string | undefined> => {
      const send = forwarding(balancerOver([{ url: server.url, ...spec }]), options);
      return (await received(await send("/"))).headers.host;
    };
    expect(await host({})).toBe(`127.0.0.1:${server.port}`);
    expect(await host({ host: "orders.internal" })).toBe("orders.internal");
    expect(await host({ host: "orders.internal" }, { host: "client" })).toBe("shop.example.com");
  });

  test("is the service's in redirects of a backend that goes by its name", async () => {
    const server = await httpServer((_request, response) =>
      response.writeHead(301, { location: "https://orders.internal/a" }).end(),
    );
    const send = forwarding(balancerOver([{ url: server.url, host: "orders.internal" }]));
    expect((await send("/")).headers.get("location")).toBe("https://shop.example.com/a");
  });
});

test("Via is told where it is wanted, and a request that goes round in circles ends", async () => {
  const server = await httpServer();
  const send = forwarding(balancerOver([server.url]), { via: "edge" });
  const response = await send("/", { headers: { via: "1.1 cdn" } });
  expect(response.headers.get("via")).toBe("1.1 edge");
  expect((await received(response)).headers["via"]).toBe("1.1 cdn, 1.1 edge");
  expect((await send("/", { headers: { via: "1.1 cdn, 1.1 edge" } })).status).toBe(508);
});

test("Max-Forwards of OPTIONS is counted down, and at 0 we are the last", async () => {
  const server = await httpServer();
  const send = forwarding(balancerOver([server.url]));
  const ask = (count: string): Promise<Response> =>
    send("/", { method: "OPTIONS", headers: { "max-forwards": count } });
  expect((await received(await ask("3"))).headers["max-forwards"]).toBe("2");
  expect((await ask("0")).status).toBe(204);
  expect(server.received).toEqual(["OPTIONS /"]);
});

test("header values that are no ASCII pass through byte by byte, both ways", async () => {
  const bytes = "caf\u00e9 \u00ff";
  const server = await httpServer((request, response) => {
    response.setHeader("x-same", String(request.headers["x-name"]));
    response.end();
  });
  const fetch: Transport = forwardTransport();
  const response = await forwarding(balancerOver([server.url]), { fetch })("/", { headers: { "x-name": bytes } });
  expect(response.headers.get("x-same")).toBe(bytes);
});

test("an 8 KB header passes through", async () => {
  const long = "x".repeat(8_192);
  expect(await told({ cookie: long })).toMatchObject({ cookie: long });
});

test("what a trusted peer says of its caller is heeded, and what anybody says is not", async () => {
  const headers = { "x-envoy-attempt-count": "2", "x-envoy-expected-rq-timeout-ms": "5000" };
  const attempts = async (options: ForwardOptions): Promise<string[]> => {
    const seen: string[] = [];
    const server = await httpServer((request, response) => {
      seen.push(String(request.headers["x-envoy-expected-rq-timeout-ms"]));
      response.writeHead(503).end();
    });
    const twice = [0, 1].map((index) => ({ url: server.url, id: `${index}` }));
    await forwarding(balancerOver(twice, { retry: { limit: 1 } }), options)("/", { headers });
    return seen;
  };
  expect(await attempts({ trust: { hops: 1 } })).toEqual(["5000"]);
  expect(await attempts({ trust: { hops: 1 }, fromIncoming: false })).toEqual(["5000", "5000"]);
  expect(await attempts({})).toEqual(["undefined", "undefined"]);
  expect(await attempts({ fromIncoming: true })).toEqual(["undefined"]);
});

test("a stranger who leaves too little time makes no backend look slow", async () => {
  const server = await httpServer((_request, response) => void setTimeout(() => response.end("late"), 30));
  const balancer = balancerOver([server.url]);
  const headers = { "x-envoy-expected-rq-timeout-ms": "1" };
  expect(await (await forwarding(balancer)("/", { headers })).text()).toBe("late");
  expect(counters(balancer, 0).failures).toBe(0);
});
