import type { Balancer } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { createFetch } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { echo, httpServer, type Received, type TestServer } from "./support/servers.ts";

/** `/to?status=…&location=…` redirects; everything else is echoed. */
const redirecting = (): Promise<TestServer> =>
  httpServer((request, response, body) => {
    const url = new URL(request.url ?? "/", "http://host");
    const status = Number(url.searchParams.get("status"));
    if (!url.pathname.endsWith("/to")) echo(request, response, body);
    else response.writeHead(status, { location: url.searchParams.get("location") ?? "" }).end("moved");
  });

const to = (status: number, location: string): string =>
  `/to?${new URLSearchParams({ status: String(status), location })}`;

const transports: readonly { name: string; connect: (balancer: Balancer) => typeof fetch }[] = [
  { name: "createFetch", connect: (balancer) => createFetch(balancer) },
  {
    name: "createFetch(undiciTransport)",
    connect: (balancer) => createFetch(balancer, { fetch: undiciTransport() }),
  },
];

async function arrange(connect: (balancer: Balancer) => typeof fetch, prefix = "") {
  const server = await redirecting();
  const balancer = balancerOver([server.url + prefix]);
  return { server, balancer, call: connect(balancer) };
}

for (const { name, connect } of transports) {
  describe(name, () => {
    for (const [status, method, becomes, keepsBody] of [
      [301, "GET", "GET", false],
      [301, "POST", "GET", false],
      [302, "POST", "GET", false],
      [302, "PUT", "PUT", true],
      [303, "PUT", "GET", false],
      [303, "HEAD", "HEAD", false],
      [307, "POST", "POST", true],
      [308, "PATCH", "PATCH", true],
    ] as const) {
      test(`follows a ${status} after ${method} with ${becomes}${keepsBody ? " and the same body" : ""}`, async () => {
        const { balancer, server, call } = await arrange(connect);
        const bodiless = method === "GET" || method === "HEAD";
        const response = await call(to(status, "/after?a=1"), { method, ...(bodiless ? {} : { body: "hello" }) });
        expect(response).toMatchObject({ status: 200, url: "http://orders/after?a=1", redirected: true });
        if (method !== "HEAD") {
          const received = (await response.json()) as Received;
          expect(received).toMatchObject({ method: becomes, url: "/after?a=1", body: keepsBody ? "hello" : "" });
          expect("content-type" in received.headers).toBe(keepsBody);
        }
        expect(server.received).toHaveLength(2);
        await idle(balancer);
      });
    }

    test("takes the logical origin, and the backend's own, for the service", async () => {
      const { balancer, server, call } = await arrange(connect);
      for (const location of ["http://orders/after", `${server.url}/after`, "after"]) {
        const response = await call(to(302, location));
        expect(response).toMatchObject({ status: 200, url: "http://orders/after", redirected: true });
        await response.text();
      }
      await idle(balancer);
    });

    test("takes the prefix of a backend off again", async () => {
      const { server, call } = await arrange(connect, "/v1");
      const response = await call(to(302, `${server.url}/v1/after`));
      expect(response.url).toBe("http://orders/after");
      expect(await response.json()).toMatchObject({ url: "/v1/after" });
    });

    test("stays with the service where a backend's redirect names a host in its path", async () => {
      const { server, call } = await arrange(connect);
      const response = await call(to(302, `${server.url}//evil.test/x`));
      expect(response.url).toBe("http://orders//evil.test/x");
    });

    test("goes to other origins without the credentials of this one", async () => {
      const { balancer, call } = await arrange(connect);
      const elsewhere = await httpServer();
      const headers = { authorization: "secret", cookie: "secret", "proxy-authorization": "secret", "x-a": "1" };
      const response = await call(to(307, `${elsewhere.url}/there`), { method: "POST", body: "hello", headers });
      expect(response).toMatchObject({ url: `${elsewhere.url}/there`, redirected: true });
      const received = (await response.json()) as Received;
      expect(received).toMatchObject({ method: "POST", body: "hello", headers: { "x-a": "1" } });
      expect(JSON.stringify(received)).not.toContain("secret");
      await idle(balancer);
    });

    test("keeps credentials on the same origin", async () => {
      const { call } = await arrange(connect);
      const response = await call(to(302, "/after"), { headers: { authorization: "secret" } });
      expect(await response.json()).toMatchObject({ headers: { authorization: "secret" } });
    });

    test("hands a redirect over if told so", async () => {
      const { balancer, call } = await arrange(connect);
      const response = await call(to(302, "/after"), { redirect: "manual" });
      expect(response).toMatchObject({ status: 302, redirected: false });
      expect(response.headers.get("location")).toBe("/after");
      await response.text();
      await idle(balancer);
    });

    test("rejects with a TypeError where a redirect is an error, endless or to no HTTP", async () => {
      const { balancer, call } = await arrange(connect);
      await expect(call(to(302, "/after"), { redirect: "error" })).rejects.toBeInstanceOf(TypeError);
      await expect(call(to(302, "data:,x"))).rejects.toBeInstanceOf(TypeError);
      await expect(call(to(302, "http://user:word@elsewhere/"))).rejects.toBeInstanceOf(TypeError);
      const endless = await httpServer((_request, response) => response.writeHead(302, { location: "/again" }).end());
      const again = balancerOver([endless.url]);
      await expect(connect(again)("/again")).rejects.toBeInstanceOf(TypeError);
      // The first, and twenty redirects; no backend is to blame, and nothing is repeated.
      expect(endless.received).toHaveLength(21);
      for (const each of [balancer, again]) expect(counters(each, 0)).toMatchObject({ failures: 0, unreached: 0 });
      await idle(balancer);
      await idle(again);
    });

    test("rejects with a TypeError where a stream would have to be sent again", async () => {
      const { balancer, call } = await arrange(connect);
      const body = new Blob(["hello"]).stream();
      const init = { method: "POST", body, duplex: "half" } as RequestInit;
      await expect(call(to(307, "/after"), init)).rejects.toBeInstanceOf(TypeError);
      const seeOther = { method: "POST", body: new Blob(["hello"]).stream(), duplex: "half" } as RequestInit;
      expect(await (await call(to(303, "/after"), seeOther)).json()).toMatchObject({ method: "GET" });
      await idle(balancer);
    });
  });
}
