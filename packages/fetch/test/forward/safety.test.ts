// Inputs that want to leave the upstream, to be taken for two requests, or to be too much.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createForward } from "../../src/index.ts";
import { forwardTransport } from "../../src/undici/index.ts";
import { balancerOver, idle } from "../support/balancers.ts";
import { CLIENT, forwarding, shopRouter, transports } from "../support/forwarding.ts";
import { httpServer, type Received, rawServer } from "../support/servers.ts";

/** A request as an adapter may hand it over, whatever its server has let through. */
function odd(url: string, parts: Partial<Request> = {}): Request {
  return {
    method: "GET",
    headers: new Headers(),
    body: null,
    signal: new AbortController().signal,
    url,
    ...parts,
  } as Request;
}

describe.each(transports)("a path, by %s,", (_name, make) => {
  test("stays below the prefix of the backend and on its host, or is refused", async () => {
    const server = await httpServer((request, response) => response.end(request.url));
    const elsewhere = await httpServer();
    const forward = createForward(balancerOver([`${server.url}/v1`]), { fetch: make() });
    const other = `127.0.0.1:${elsewhere.port}`;
    const cases: readonly (readonly [url: string, expected: string | number])[] = [
      [`http://shop.example.com//${other}/a`, `/v1/${other}/a`],
      [`http://shop.example.com/\\${other}/a`, `/v1/${other}/a`],
      [`http://shop.example.com\\\\${other}/a`, `/v1/${other}/a`],
      [`http://${other}/a`, "/v1/a"],
      ["http://shop.example.com/a/../../b", "/v1/b"],
      ["http://shop.example.com/%2e%2e/%2E./b", "/v1/b"],
      ["http://shop.example.com/a/..%2fb", 400],
      ["http://shop.example.com/%2e%2e%2fb", 400],
      ["http://shop.example.com/a%5c..%5cb", 400],
      ["http://shop.example.com/a/..;/b", 400],
      ["http://shop.example.com/a/%2e%2e;x=1/b", 400],
      ["http://shop.example.com/a%2f.", 400],
      ["http://shop.example.com/a%0d%0aevil:%201", 400],
      ["http://shop.example.com/a%00", 400],
      ["http://shop.example.com/a%7f", 400],
      ["http://shop.example.com/a\r\nevil: 1", "/v1/aevil:%201"],
      ["http://user:secret@shop.example.com/", 400],
      ["ftp://shop.example.com/", 400],
      ["//shop.example.com/", 400],
      ["/a", 400],
      ["http://shop.example.com/...%2fa", "/v1/...%2fa"],
      ["http://shop.example.com/.well-known/a..b/%41?q=../%0a", "/v1/.well-known/a..b/%41?q=../%0a"],
    ];
    for (const [url, expected] of cases) {
      const response = await forward(odd(url), CLIENT);
      const text = await response.text();
      expect([url, response.status === 200 ? text : response.status]).toEqual([url, expected]);
    }
    expect(elsewhere.received).toEqual([]);
  });
});

test("no path whatever leaves its prefix, as a backend that decodes it would see it", async () => {
  const server = await httpServer((request, response) => response.end(request.url));
  const forward = createForward(balancerOver([`${server.url}/v1`]), { fetch: forwardTransport() });
  const part = fc.constantFrom(
    "..",
    ".",
    "%2e",
    "%2E",
    "/",
    "%2f",
    "\\",
    "%5c",
    ";",
    "a",
    "%61",
    "//",
    "%25",
    "?",
    "#",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
      const response = await forward(odd(`http://shop.example.com/${parts.join("")}`), CLIENT);
      const seen = await response.text();
      if (response.status === 400) return;
      expect(seen.startsWith("/v1/")).toBe(true);
      const [path = ""] = seen.split("?");
      const decoded = decodeURIComponent(path.replace(/;[^/]*/g, "")).replaceAll("\\", "/");
      expect(new URL(`http://x${decoded.replace(/\/+/g, "/").replace("?", "%3f")}`).pathname).toMatch(/^\/v1(\/|$)/);
    }),
    { numRuns: 200 },
  );
});

async function statusOf(request: Partial<Request>): Promise<number> {
  const server = await httpServer();
  const balancer = balancerOver([server.url]);
  const forward = createForward(balancer, { fetch: forwardTransport() });
  const { status } = await forward(odd("http://shop.example.com/", request), CLIENT);
  expect(server.received).toHaveLength(status === 200 ? 1 : 0);
  await idle(balancer);
  return status;
}

function many(count: number): HeadersInit {
  return Array.from({ length: count }, (_, index) => [`x-${index}`, "1"]);
}

describe("a request", () => {
  test.each(["TRACE", "CONNECT", "TRACK"])("by %s is refused", async (method) => {
    expect(await statusOf({ method })).toBe(405);
  });

  test.each(["5, 5", "5, 6", "+5", "-1", "0x5", "5 ", "five", "9".repeat(20)])(
    "of length %j is refused",
    async (length) => {
      const headers = { get: (name: string) => (name === "content-length" ? length : null), has: () => false };
      const entries = Object.assign([["content-length", length]], headers) as unknown as Headers;
      expect(await statusOf({ method: "POST", headers: entries })).toBe(400);
    },
  );

  test("with an expectation that can't be met is refused, and the one that can is met by whoever serves", async () => {
    expect(await statusOf({ headers: new Headers({ expect: "200-maybe" }) })).toBe(417);
    expect(await statusOf({ headers: new Headers({ expect: "100-Continue" }) })).toBe(200);
  });

  test("with both a length and a Transfer-Encoding has no length", async () => {
    const server = await httpServer();
    const response = await forwarding(balancerOver([server.url]))("/", {
      method: "POST",
      body: "hello",
      headers: { "content-length": "3", "transfer-encoding": "chunked" },
    });
    const { headers, body } = (await response.json()) as Received;
    expect([headers["content-length"], headers["transfer-encoding"], body]).toEqual([undefined, "chunked", "hello"]);
  });

  test("with too many headers, or too long ones, is refused", async () => {
    const server = await httpServer((_request, response) => response.end("ok"));
    const balancer = balancerOver([server.url]);
    const status = async (headers: HeadersInit, options = {}): Promise<number> =>
      (await forwarding(balancer, options)("/", { headers })).status;
    expect([await status(many(100)), await status(many(101))]).toEqual([200, 431]);
    expect(await status(many(11), { maxHeaders: 10 })).toBe(431);
    expect(await status({ "x-long": "x".repeat(65_536) })).toBe(431);
    expect(await status({ "x-long": "x".repeat(200) }, { maxHeaderBytes: 200 })).toBe(431);
    expect(await status({ "x-long": "x".repeat(150) }, { maxHeaderBytes: 200 })).toBe(200);
  });

  test("with a header by the name of __proto__ is forwarded with it", async () => {
    const server = await rawServer((socket) => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
    const heads: string[] = [];
    const forward = createForward(balancerOver([server.url]), {
      fetch: async (_url, init) => {
        heads.push(...Object.keys(init.headers as object));
        return new Response("ok");
      },
    });
    await forward(odd("http://shop.example.com/", { headers: new Headers([["__proto__", "x"]]) }), CLIENT);
    expect(heads).toContain("__proto__");
  });
});

test("a redirect to another origin is never followed: no credential goes there", async () => {
  const elsewhere = await httpServer();
  for (const [, make] of transports) {
    const server = await httpServer((_request, response) =>
      response.writeHead(307, { location: `${elsewhere.url}/steal` }).end(),
    );
    for (const target of [balancerOver([server.url]), shopRouter(balancerOver([server.url]))]) {
      const response = await forwarding(target, { fetch: make() })("/shop/a", {
        headers: { authorization: "Bearer x", cookie: "a=1" },
      });
      expect([response.status, response.headers.get("location")]).toEqual([307, `${elsewhere.url}/steal`]);
    }
  }
  expect(elsewhere.received).toEqual([]);
});

test.each([
  ["a bare line feed in a header", "HTTP/1.1 200 OK\r\nx-a: b\nset-cookie: evil=1\r\ncontent-length: 0\r\n\r\n"],
  ["a status that is none", "HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc"],
  ["a length and a coding", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["headers without end", `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(100_000)}\r\n\r\n`],
])("an answer with %s is none", async (_what, text) => {
  const server = await rawServer((socket) => socket.end(text));
  const balancer = balancerOver([server.url], { retry: false });
  for (const [, make] of transports) {
    const response = await forwarding(balancer, { fetch: make() })("/");
    expect(response.status).toBe(502);
    await idle(balancer);
  }
});
