// Where a request can go, and what goes along.
import type { Balancer } from "@fairlead/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createFetch, type FetchOptions } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, idle } from "./support/balancers.ts";
import { httpServer, type Received } from "./support/servers.ts";

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

/** What URLs are made of, and what confuses those who read them. */
const PIECES = [
  "/",
  "//",
  "\\",
  "/\\",
  "\\\\",
  ".",
  "..",
  "%2e",
  "%2E%2e",
  "%2f",
  "%5c",
  "%00",
  "%0d%0a",
  ":",
  "@",
  "?",
  "#",
  "http:",
  "https:",
  "HTTP:",
  "http:/",
  "http://",
  "ftp://",
  "file:///",
  "data:,",
  "javascript:",
  "blob:",
  "ws://",
  "evil.test",
  "orders",
  "ORDERS",
  "orders.",
  "ordеrs",
  "orders:80",
  "orders:81",
  "user:word@",
  "127.1",
  "[::1]",
  "\t",
  "\n",
  "\r",
  "\r\n",
  " ",
  "\0",
  "\u{2025}",
  "\u{3002}",
  "\u{ff0e}",
  "\u{ff0f}",
  "\u{2f}",
  "ａ",
  "é",
  "x",
  "base",
];

const hostile = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join("")),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  fc.string({ unit: "binary", maxLength: 20 }),
);

interface Gone {
  readonly url: string;
  readonly balanced: boolean;
}

/** Where a request goes, if it goes; nothing is sent. */
async function whereTo(prefix: string, input: string): Promise<Gone | undefined> {
  let gone: Gone | undefined;
  const note = (balanced: boolean) => async (url: string) => {
    gone = { url, balanced };
    return new Response();
  };
  const balancer = balancerOver([`http://backend.test${prefix}`]);
  const transport = Object.assign(note(true), { fetch: note(false) as typeof fetch });
  await createFetch(balancer, { fetch: transport })(input).catch((error: unknown) => {
    if (!(error instanceof TypeError)) throw error;
  });
  return gone;
}

test("whatever text is given, it goes to a backend below its prefix, to the very origin it names, or nowhere", async () => {
  let [balanced, passed, refused] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(hostile, fc.constantFrom("", "/base"), async (input, prefix) => {
      const gone = await whereTo(prefix, input);
      if (gone === undefined) refused++;
      else if (gone.balanced) {
        balanced++;
        // Once more as the transport reads it.
        const { origin, pathname, username, password } = new URL(gone.url);
        expect([origin, username, password]).toEqual(["http://backend.test", "", ""]);
        expect(gone.url.startsWith(`http://backend.test${prefix}/`)).toBe(true);
        expect(`${pathname}/`.startsWith(`${prefix}/`)).toBe(true);
        expect(gone.url).toMatch(/^[\x21-\x7e]+$/);
      } else {
        passed++;
        expect(new URL(gone.url).origin).toBe(new URL(input).origin);
        expect(new URL(input).origin).not.toBe("http://orders");
      }
    }),
    { numRuns: 3_000, seed: 7 },
  );
  for (const count of [balanced, passed, refused]) expect(count).toBeGreaterThan(100);
});

test.each([
  "//evil.test/x",
  "/\\evil.test/x",
  "\\\\evil.test/x",
  "\\/evil.test",
  "/\t/evil.test",
  "\n//evil.test",
  " //evil.test",
  "///evil.test",
  "//user@evil.test",
  "//orders@evil.test",
  "//evil.test\\@orders/",
  "http://user:word@orders/",
  "//\u{3002}evil.test",
  "//evil\u{3002}test/",
  "http://orders:word@orders/x",
])("%j is refused", async (input) => {
  expect(await whereTo("/base", input)).toBeUndefined();
});

test.each([
  ["http:evil.test", "http://evil.test"],
  ["http:/evil.test", "http://evil.test"],
  ["http:\\\\evil.test", "http://evil.test"],
  ["http://orders@evil.test/", undefined],
  ["http://orders.evil.test/", "http://orders.evil.test"],
  ["http://orders./", "http://orders."],
  ["https://orders/", "https://orders"],
  ["http://orders:81/", "http://orders:81"],
])("%j goes past the balancer, as fetch itself would read it", async (input, origin) => {
  const gone = await whereTo("/base", input);
  expect(gone?.balanced).toBe(false);
  expect(new URL(gone?.url ?? "").origin).toBe(origin ?? "http://evil.test");
});

test.each([
  ["/../../x", "/base/x"],
  ["/%2e%2e/%2E./x", "/base/x"],
  ["/a/..\\..\\x", "/base/x"],
  ["/\u{2025}/x", "/base/%E2%80%A5/x"],
  ["/a//../../x", "/base/x"],
  ["http://orders//evil.test/x", "/base//evil.test/x"],
  ["/..%2f..%2fx", "/base/..%2f..%2fx"],
  ["/a\r\nHost: evil.test", "/base/aHost:%20evil.test"],
  ["/a%0d%0aHost:%20evil.test", "/base/a%0d%0aHost:%20evil.test"],
  ["/a\0 b", "/base/a%00%20b"],
  ["@evil.test/x", "/base/@evil.test/x"],
  [":81/x", "/base/:81/x"],
  [".evil.test/x", "/base/.evil.test/x"],
  ["?//evil.test", "/base/?//evil.test"],
])("%j stays below the prefix of its backend", async (input, path) => {
  expect(await whereTo("/base", input)).toEqual({ url: `http://backend.test${path}`, balanced: true });
});

const SECRETS = { authorization: "secret", cookie: "secret", "proxy-authorization": "secret" };
const OURS = ["idempotency-key", "x-envoy-attempt-count", "x-envoy-expected-rq-timeout-ms"];

/** Redirects `/to?status=…&location=…`, and notes every request that it gets. */
async function service() {
  const seen: Received[] = [];
  const server = await httpServer((request, response, body) => {
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, headers, body });
    const { pathname, searchParams } = new URL(url, "http://host");
    const status = Number(searchParams.get("status"));
    if (pathname.endsWith("/to")) response.writeHead(status, { location: searchParams.get("location") ?? "" }).end();
    else response.end("there");
  });
  return { ...server, seen };
}

const to = (location: string, status = 307): string =>
  `/to?${new URLSearchParams({ status: String(status), location })}`;

for (const { name, connect } of transports) {
  describe(name, () => {
    test("neither credentials nor what fairlead adds go to another origin, by whatever way", async () => {
      const [server, elsewhere] = [await service(), await service()];
      const balancer = balancerOver([server.url]);
      const call = connect(balancer, { propagate: true, idempotencyKey: true });
      const out = `${elsewhere.url}/there`;
      for (const path of [to(out), to(to(out)), to(to(to(out))), to(`${elsewhere.url}${to("/there")}`)]) {
        await (await call(path, { method: "POST", body: "x", headers: { ...SECRETS, "x-own": "1" } })).text();
      }
      for (const { headers } of server.seen) expect(headers).toMatchObject({ ...SECRETS, "x-own": "1" });
      for (const header of OURS) expect(server.seen.every(({ headers }) => header in headers)).toBe(true);
      expect(elsewhere.seen).toHaveLength(5);
      for (const { headers, body } of elsewhere.seen) {
        expect([headers["x-own"], body]).toEqual(["1", "x"]);
        for (const header of [...Object.keys(SECRETS), ...OURS]) expect(headers).not.toHaveProperty(header);
      }
      await idle(balancer);
    });

    test("a key stays the same over the redirects of a service; another origin's way back gets another one", async () => {
      const [server, elsewhere] = [await service(), await service()];
      const call = connect(balancerOver([server.url]), { idempotencyKey: true });
      await (await call(to(to("/there")), { method: "POST", body: "x" })).text();
      const keys = server.seen.map(({ headers }) => headers["idempotency-key"]);
      expect([keys.length, new Set(keys).size]).toEqual([3, 1]);
      await (await call(to(`${elsewhere.url}${to("http://orders/there")}`), { method: "POST", body: "x" })).text();
      expect(elsewhere.seen[0]?.headers).not.toHaveProperty("idempotency-key");
      const [before, after] = server.seen.slice(3).map(({ headers }) => headers["idempotency-key"]);
      expect(after).toMatch(/^"[0-9a-f]{32}"$/);
      expect(after).not.toBe(before);
    });

    test("a key that the caller sets goes where its other headers go, as with fetch", async () => {
      const [server, elsewhere] = [await service(), await service()];
      const call = connect(balancerOver([server.url]), { idempotencyKey: "given" });
      const headers = { "idempotency-key": "mine" };
      await (await call(to(`${elsewhere.url}/there`), { method: "POST", headers })).text();
      expect(elsewhere.seen[0]?.headers).toMatchObject(headers);
    });

    test("other backends of the upstream, named by a redirect, are another origin", async () => {
      const [server, sibling] = [await service(), await service()];
      const balancer = balancerOver([server.url, sibling.url]);
      const response = await connect(balancer)(to(`${sibling.url}/there`), { headers: SECRETS });
      expect(response).toMatchObject({ url: `${sibling.url}/there`, redirected: true, type: "cors" });
      await response.text();
      for (const header of Object.keys(SECRETS)) expect(sibling.seen[0]?.headers).not.toHaveProperty(header);
    });

    test("a service by HTTPS that redirects to HTTP is another origin: no credentials go in the clear", async () => {
      const [server, elsewhere] = [await service(), await service()];
      const balancer = balancerOver([server.url], { origin: elsewhere.url.replace("http", "https") });
      await (await connect(balancer)(to(`${elsewhere.url}/there`), { headers: SECRETS })).text();
      expect(elsewhere.seen).toHaveLength(1);
      for (const header of Object.keys(SECRETS)) expect(elsewhere.seen[0]?.headers).not.toHaveProperty(header);
    });

    test("retries take credentials to backends of the upstream alone", async () => {
      const bad = await httpServer((_request, response) => response.writeHead(503).end());
      const server = await service();
      const balancer = balancerOver([bad.url, server.url], { retry: { delayMs: 0 } });
      await (await connect(balancer)("/there", { headers: SECRETS })).text();
      expect(server.seen[0]?.headers).toMatchObject(SECRETS);
    });

    test.each(["x\r\nx-b: 1", "x\nx-b: 1", "x\0", "x\ry"])(
      "a header %j is refused, and nothing is sent",
      async (value) => {
        const server = await service();
        const balancer = balancerOver([server.url]);
        await expect(connect(balancer)("/", { headers: { "x-a": value } })).rejects.toBeInstanceOf(TypeError);
        await expect(connect(balancer)("/", { method: `GET /x HTTP/1.1${value}` })).rejects.toBeInstanceOf(TypeError);
        expect(server.received).toEqual([]);
        await idle(balancer);
      },
    );

    test("a Location can neither split a request nor leave the prefix of its backend", async () => {
      const server = await service();
      const call = connect(balancerOver([`${server.url}/base`]));
      for (const location of ["/../../x", "/%2e%2e/x", "\\..\\x", `${server.url}/base/../x`, "/\tx"]) {
        await (await call(to(location))).text();
        expect(server.seen.at(-1)?.url).toBe("/base/x");
      }
    });

    test("headers without end are no answer", async () => {
      const server = await httpServer((_request, response) => {
        response.writeHead(200, { "x-long": "x".repeat(100_000) }).end();
      });
      const balancer = balancerOver([server.url], { retry: false });
      await expect(connect(balancer)("/")).rejects.toMatchObject({ cause: { code: "UND_ERR_HEADERS_OVERFLOW" } });
      await idle(balancer);
    });
  });
}
