// HTTP checks against real servers on the loopback, by fetch and by node:http, hostile ones included.
import type { IncomingMessage, RequestListener } from "node:http";
import {
  type BackendSnapshot,
  type BackendSpec,
  createBalancer,
  type HealthCheck,
  type HttpCheckOptions,
  type HttpCheckRules,
  httpCheck,
} from "@fairlead/core";
import { type NodeHttpCheckOptions, nodeHttpCheck } from "@fairlead/core/node";
import { describe, expect, test } from "vitest";
import { certificateFor } from "./support/certificates.ts";
import { firstCheck } from "./support/first-check.ts";
import { freePort, serveBytes, serveHttp, serveHttps } from "./support/servers.ts";
import { escaped } from "./support/world.ts";

const answering =
  (status: number, headers: Record<string, string> = {}, body = "ok"): RequestListener =>
  (_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };

const moved: RequestListener = (request, response) =>
  request.url === "/" ? answering(302, { location: "/health" })(request, response) : answering(200)(request, response);

const kinds: readonly [string, (rules: HttpCheckRules) => HealthCheck][] = [
  ["httpCheck", (rules) => httpCheck(rules)],
  ["nodeHttpCheck", (rules) => nodeHttpCheck(rules)],
];

describe.each(kinds)("%s", (_, make) => {
  const check = async (handle: RequestListener, rules: HttpCheckRules = {}, spec: Partial<BackendSpec> = {}) => {
    await using server = await serveHttp(handle);
    return await firstCheck({ url: `http://127.0.0.1:${server.port}`, ...spec }, make, rules);
  };

  test("asks as it is told", async () => {
    let asked: IncomingMessage | undefined;
    const found = await check(
      (request, response) => {
        asked = request;
        response.end();
      },
      { path: "/health?check=db", method: "HEAD", headers: { "X-Probe": "1" } },
    );
    expect(found).toMatchObject({ lastCheckPassed: true, lastCheckReason: "200" });
    expect(asked).toMatchObject({
      method: "HEAD",
      url: "/health?check=db",
      headers: { "x-probe": "1" },
    });
  });

  test("goes by the status", async () => {
    expect(await check(answering(503))).toMatchObject({ lastCheckPassed: false, lastCheckReason: "503" });
    expect(await check(answering(204), { expect: "200" })).toMatchObject({
      lastCheckPassed: false,
      lastCheckReason: "204",
    });
    expect(await check(answering(404), { expect: [200, "404"] })).toMatchObject({ lastCheckPassed: true });
  });

  test("goes by the body, a text or a pattern", async () => {
    const page = answering(200, {}, JSON.stringify({ status: "grün", ready: true }));
    expect(await check(page, { body: '"grün"' })).toMatchObject({ lastCheckPassed: true });
    expect(await check(page, { body: /"ready":\s*true/g })).toMatchObject({ lastCheckPassed: true });
    expect(await check(page, { body: "red" })).toMatchObject({
      lastCheckPassed: false,
      lastCheckReason: "200, but not with the expected body",
    });
  });

  test("takes a redirect for an answer, unless it is to follow it", async () => {
    expect(await check(moved)).toMatchObject({ lastCheckPassed: false, lastCheckReason: "302" });
    expect(await check(moved, { expect: "3xx" })).toMatchObject({ lastCheckPassed: true });
    expect(await check(moved, { redirects: "follow" })).toMatchObject({
      lastCheckPassed: true,
      lastCheckReason: "200",
    });
  });

  test("follows at most five redirects, and none that lead nowhere", async () => {
    let asked = 0;
    const loop: RequestListener = (request, response) => {
      asked++;
      answering(302, { location: "/" })(request, response);
    };
    expect(await check(loop, { redirects: "follow" })).toMatchObject({
      lastCheckPassed: false,
      lastCheckReason: "more than 5 redirects",
    });
    expect(asked).toBe(6);
    const away = answering(302, { location: "file:///etc/passwd" });
    expect(await check(away, { redirects: "follow" })).toMatchObject({
      lastCheckPassed: false,
      lastCheckReason: "302",
    });
  });

  test("shows its headers to nobody else", async () => {
    let seen: IncomingMessage["headers"] | undefined;
    await using other = await serveHttp((request, response) => {
      seen = request.headers;
      response.end();
    });
    const rules = { redirects: "follow", headers: { authorization: "secret" } } as const;
    const found = await check(answering(307, { location: `http://127.0.0.1:${other.port}/` }), rules);
    expect(found).toMatchObject({ lastCheckPassed: true });
    expect(seen).toMatchObject({ host: `127.0.0.1:${other.port}` });
    expect(seen).not.toHaveProperty("authorization");
  });

  test("asks at another port", async () => {
    await using admin = await serveHttp(answering(200));
    expect(await check(answering(503), { port: admin.port })).toMatchObject({ lastCheckPassed: true });
  });

  test("fails where nobody listens", async () => {
    const found = await firstCheck({ url: `http://127.0.0.1:${await freePort()}` }, make, {});
    expect(found).toMatchObject({ lastCheckPassed: false, lastCheckReason: "ECONNREFUSED" });
  });

  test("reads no more than it must of a body of a gigabyte", async () => {
    let sent = 0;
    const found = await check(
      (_request, response) => {
        const chunk = Buffer.alloc(65_536, "a");
        const more = (): void => {
          while (sent < 2 ** 30 && !response.destroyed) {
            sent += chunk.length;
            if (!response.write(chunk)) {
              response.once("drain", more);
              return;
            }
          }
        };
        more();
      },
      { body: /^a+$/, timeoutMs: 3_000 },
    );
    expect(found).toMatchObject({ lastCheckPassed: true });
    // What the sockets of both sides hold on top.
    expect(sent).toBeLessThan(32 * 2 ** 20);
  });

  test.each([
    ["accepts and says nothing", () => {}],
    [
      "sends headers without end",
      (write: (text: string) => boolean) => drip(write, "HTTP/1.1 200 OK\r\n", (n) => `x-${n}: ${"y".repeat(500)}\r\n`),
    ],
    [
      "sends a header without end",
      (write: (text: string) => boolean) => drip(write, "HTTP/1.1 200 OK\r\nx: ", () => "y"),
    ],
    [
      "sends a body without end, by drips",
      (write: (text: string) => boolean) => drip(write, "HTTP/1.1 200 OK\r\n\r\n", () => "y"),
    ],
    ["sends nonsense", (write: (text: string) => boolean) => void write("SMTP 220 hello\r\n\r\n")],
    [
      "sends less than it promised",
      (write: (text: string) => boolean, end: () => void) => (
        write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"), end()
      ),
    ],
  ])("fails in time where a server %s", async (_what, behave) => {
    const caught = await escaped(async () => {
      await using server = await serveBytes((socket) => {
        socket.once("data", () =>
          behave(
            (text) => !socket.destroyed && socket.write(text),
            () => socket.end(),
          ),
        );
      });
      const startedAtMs = performance.now();
      const found = await firstCheck({ url: `http://127.0.0.1:${server.port}` }, make, { timeoutMs: 300 });
      expect(found.lastCheckPassed).toBe(false);
      expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    });
    expect(caught).toEqual([]);
  });

  test("fails where a server resets the connection", async () => {
    await using server = await serveBytes((socket) => void socket.resetAndDestroy());
    const found = await firstCheck({ url: `http://127.0.0.1:${server.port}` }, make, {});
    expect(found).toMatchObject({ lastCheckPassed: false });
    expect(found.lastCheckReason).toMatch(/ECONNRESET|UND_ERR_SOCKET|EPIPE/);
  });
});

/** Writes a little every 5 ms until the other side has gone. */
function drip(write: (text: string) => boolean, first: string, next: (count: number) => string): void {
  write(first);
  let count = 0;
  const timer = setInterval(() => {
    // `false` may also say that the buffer is full, and then it is enough.
    if (!write(next(count++)) || count > 2_000) clearInterval(timer);
  }, 5);
}

describe("httpCheck", () => {
  test("sends by the fetch that it is given", async () => {
    const asked: string[] = [];
    const options: HttpCheckOptions = {
      fetch: async (url) => {
        asked.push(url instanceof URL ? url.href : "no URL");
        return new Response("fine");
      },
      body: "fine",
    };
    const found = await firstCheck({ url: "http://nowhere.invalid" }, httpCheck, options);
    expect(found.lastCheckPassed).toBe(true);
    expect(asked).toEqual(["http://nowhere.invalid/"]);
  });

  test("sees redirects that a browser hides", async () => {
    const hidden = { status: 0, type: "opaqueredirect", headers: new Headers(), body: null } as unknown as Response;
    const fetch: typeof globalThis.fetch = async (_url, init) =>
      init?.redirect === "follow" ? new Response("ok") : hidden;
    expect(await firstCheck<HttpCheckOptions>({ url: "http://a.test" }, httpCheck, { fetch })).toMatchObject({
      lastCheckReason: "redirect",
    });
    expect(
      await firstCheck<HttpCheckOptions>({ url: "http://a.test" }, httpCheck, { fetch, redirects: "follow" }),
    ).toMatchObject({
      lastCheckPassed: true,
    });
  });
});

describe("nodeHttpCheck", () => {
  test("names the host of the specification, unless it is told another, and says who asks", async () => {
    const seen: (string | undefined)[] = [];
    await using server = await serveHttp((request, response) => {
      seen.push(request.headers.host, request.headers["user-agent"]);
      response.end();
    });
    const spec = { url: `http://127.0.0.1:${server.port}`, host: "orders.internal" };
    await firstCheck<NodeHttpCheckOptions>(spec, nodeHttpCheck, {});
    await firstCheck<NodeHttpCheckOptions>(spec, nodeHttpCheck, { host: "api.example.com" });
    expect(seen).toEqual(["orders.internal", "fairlead-health-check", "api.example.com", "fairlead-health-check"]);
  });
});

const checkSecure = async (certificate: ReturnType<typeof certificateFor>, spec: Partial<BackendSpec>) => {
  await using server = await serveHttps(certificate, answering(200));
  return await firstCheck({ url: `https://127.0.0.1:${server.port}`, ...spec }, nodeHttpCheck, {});
};

describe("nodeHttpCheck over TLS", () => {
  const good = certificateFor("orders.test", 30);

  test("trusts what the specification trusts, and notes when the certificate ends", async () => {
    const found = await checkSecure(good, { host: "orders.test:443", tls: { ca: good.cert } });
    expect(found).toMatchObject({ lastCheckPassed: true, lastCheckReason: "200" });
    expect(Math.abs(found.certificateExpiresAt! - (Date.now() + 30 * 86_400_000))).toBeLessThan(60_000);
  });

  test("fails where the certificate is not trusted, has ended or is another's", async () => {
    expect(await checkSecure(good, { host: "orders.test" })).toMatchObject({
      lastCheckReason: "DEPTH_ZERO_SELF_SIGNED_CERT",
    });
    const ended = certificateFor("orders.test", -2);
    expect(await checkSecure(ended, { host: "orders.test", tls: { ca: ended.cert } })).toMatchObject({
      lastCheckReason: "CERT_HAS_EXPIRED",
    });
    expect(await checkSecure(good, { host: "users.test", tls: { ca: good.cert } })).toMatchObject({
      lastCheckReason: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
  });

  test("trusts anybody if told so", async () => {
    expect(await checkSecure(good, { tls: { rejectUnauthorized: false } })).toMatchObject({ lastCheckPassed: true });
  });
});

describe("checks of several backends", () => {
  test("take the one that answers 503 out of play, and take it back", async () => {
    let status = 200;
    await using a = await serveHttp((_, response) => void response.writeHead(status).end());
    await using b = await serveHttp(answering(200));
    const balancer = createBalancer({
      name: "orders",
      backends: [a, b].map(({ port }) => `http://127.0.0.1:${port}`),
      healthCheck: httpCheck({ path: "/health", intervalMs: 50, fall: 2, rise: 2 }),
    });
    const becomes = (wanted: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not ${wanted} in 5 s`)), 5_000);
        balancer.on("backendHealthChanged", ({ backend, health }) => {
          if (!backend.endsWith(String(a.port)) || health !== wanted) return;
          clearTimeout(timer);
          resolve();
        });
      });
    status = 503;
    await becomes("down");
    const picked = new Set<string>();
    for (let call = 0; call < 20; call++) picked.add(await balancer.call(async ({ backend }) => backend.url));
    expect([...picked]).toEqual([`http://127.0.0.1:${b.port}`]);
    status = 200;
    await becomes("up");
    await balancer.close();
    const find = (id: string): BackendSnapshot | undefined =>
      balancer.snapshot().backends.find((backend) => backend.id.endsWith(id));
    expect(find(String(a.port))?.health).toBe("healthy");
  });
});
