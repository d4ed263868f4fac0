import type { AccessRecord } from "@fairlead/fetch";
import { fairlead } from "fairlead";
import { type Check, equal, ok, pause, rejection, until } from "../check.ts";
import type { Echo } from "../scene.ts";

const ONLY_HTTP2 = "Chromium streams over HTTP/2 alone, and the body of a Request is a stream";
const CLIENT = { ip: "192.0.2.7", protocol: "https" } as const;

async function headersOf(response: Response): Promise<Echo["headers"]> {
  return ((await response.json()) as Echo).headers;
}

/** Chunks with a pause between them. */
function paced(...words: readonly string[]): ReadableStream<Uint8Array> {
  const left = [...words];
  return new ReadableStream({
    pull: async (controller) => {
      await pause(40);
      const word = left.shift();
      if (word === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(word));
    },
  });
}

export const forward: readonly Check[] = [
  {
    name: "forwards method, path, query and headers",
    run: async (scene) => {
      const { ask } = scene.gateway(["a"]);
      const response = await ask("/x%20y?a=1", {
        method: "DELETE",
        headers: { "x-own": "1", authorization: "Bearer x" },
      });
      const { method, path, headers } = (await response.json()) as Echo;
      equal([method, path], ["DELETE", `${scene.root}/x%20y?a=1`]);
      equal([headers["x-own"], headers["authorization"]], ["1", "Bearer x"]);
    },
  },
  {
    name: "forwards by `fairlead(…).forward`",
    run: async (scene) => {
      const orders = scene.keep(
        fairlead({ name: "orders", backends: [scene.backend("a")], forward: { requestIdHeader: "x-trace" } }),
      );
      const response = await scene.asking(orders.forward)("/x");
      const { backend, headers } = (await response.json()) as Echo;
      const id = response.headers.get("x-trace");
      ok(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id ?? ""), `the id is a UUID: ${id}`);
      equal([backend, headers["x-trace"]], ["a", id]);
    },
  },
  {
    name: "forwards bodies of every length",
    notInBrowsers: ONLY_HTTP2,
    run: async (scene) => {
      const { ask } = scene.gateway(["a"]);
      for (const body of ["", "one", "x".repeat(200_000)]) {
        const seen = (await (await ask("/x", { method: "POST", body })).json()) as Echo;
        equal([seen.method, seen.body.length], ["POST", body.length]);
      }
    },
  },
  {
    name: "forwards what a client sends as it comes",
    notInBrowsers: ONLY_HTTP2,
    run: async (scene) => {
      const { ask } = scene.gateway(["pace"]);
      const init = { method: "POST", body: paced("one ", "two ", "three"), duplex: "half" } as RequestInit;
      const { text, ms } = (await (await ask("/x", init)).json()) as { text: string; ms: number };
      equal(text, "one two three");
      ok(ms > 50, `the backend sees it come: ${ms} ms`);
    },
  },
  {
    name: "forwards what a backend answers as it comes",
    run: async (scene) => {
      const { ask } = scene.gateway(["drip"]);
      const reader = (await ask("/x?n=5")).body?.getReader();
      const text = new TextDecoder();
      let all = text.decode((await reader?.read())?.value);
      ok(all.startsWith("chunk 0;") && !all.includes("chunk 4;"), `the first chunk comes alone: ${all}`);
      for (let read = await reader?.read(); read?.done === false; read = await reader?.read())
        all += text.decode(read.value);
      equal(all, "chunk 0;chunk 1;chunk 2;chunk 3;chunk 4;");
    },
  },
  {
    name: "tells backends of the client, and believes nobody",
    run: async (scene) => {
      const { ask } = scene.gateway(["a"]);
      const claims = { "x-forwarded-for": "6.6.6.6", "x-real-ip": "6.6.6.6", forwarded: "for=6.6.6.6" };
      const headers = await headersOf(await ask("/", { headers: claims }, CLIENT));
      equal(
        [headers["x-forwarded-for"], headers["x-forwarded-proto"], headers["x-forwarded-host"]],
        ["192.0.2.7", "https", "shop.test"],
      );
      equal([headers["x-real-ip"], headers["forwarded"]], [undefined, undefined]);
    },
  },
  {
    name: "believes the proxies that it is to trust",
    run: async (scene) => {
      const trust = { proxies: ["10.0.0.0/8", "fd00::/8"] };
      const { ask } = scene.gateway(["a"], {}, { trust, forwardedHeaders: "both" });
      const said = { "x-forwarded-for": "6.6.6.6, 2001:db8::1, 10.1.1.1", "x-forwarded-proto": "https" };
      const headers = await headersOf(await ask("/", { headers: said }, { ip: "fd00::7", protocol: "http" }));
      equal([headers["x-forwarded-for"], headers["x-forwarded-proto"]], ["2001:db8::1, 10.1.1.1, fd00::7", "https"]);
      ok(headers["forwarded"]?.startsWith('for="[2001:db8::1]"'), `as RFC 7239 has it: ${headers["forwarded"]}`);
    },
  },
  {
    name: "forwards nothing that is about a connection",
    run: async (scene) => {
      const { ask } = scene.gateway(["hops"]);
      const own = {
        "keep-alive": "timeout=5",
        "proxy-connection": "keep-alive",
        connection: "x-private",
        "x-private": "1",
      };
      const response = await ask("/", { headers: own });
      const headers = await headersOf(response);
      // Browsers drop what they forbid before anybody sees it, `connection` among that.
      const dropsItself = !new Headers(new Request("http://shop.test", { headers: own }).headers).has("connection");
      equal([headers["proxy-connection"], headers["x-private"]], [undefined, dropsItself ? "1" : undefined]);
      const names = ["connection", "keep-alive", "x-hop", "proxy-authenticate", "transfer-encoding"];
      equal(
        names.filter((name) => response.headers.has(name)),
        [],
        "headers of the answer",
      );
      equal(response.headers.get("x-kept"), "1");
    },
  },
  {
    name: "forwards all cookies, both ways",
    notInBrowsers: "browsers let scripts neither set Cookie nor see Set-Cookie",
    run: async (scene) => {
      const { ask } = scene.gateway(["cookies"]);
      const response = await ask("/", { headers: { cookie: "a=1; b=2" } });
      equal((await headersOf(response))["cookie"], "a=1; b=2");
      equal(response.headers.getSetCookie(), ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]);
    },
  },
  {
    name: "leaves redirects to the client, in its own terms",
    notInBrowsers: "browsers hide redirects from scripts",
    run: async (scene) => {
      const { ask } = scene.gateway(["a"]);
      const own = `${scene.addresses.good}/a/there?x=1`;
      const ways = [
        [own, "https://shop.test/there?x=1"],
        ["https://elsewhere.test/x", "https://elsewhere.test/x"],
        ["there", "there"],
      ];
      for (const [to = "", shown = ""] of ways) {
        const response = await ask(`/redirect?to=${encodeURIComponent(to)}`, { redirect: "follow" }, CLIENT);
        equal([response.status, response.headers.get("location")], [302, shown]);
        await response.text();
      }
      equal((await scene.received()).length, 3);
    },
  },
  {
    name: "answers with a body and headers that belong together when the backend compresses unasked",
    run: async (scene) => {
      const response = await scene.gateway(["gzip"]).ask("/");
      // workerd decodes for who reads here, and encodes again for the client.
      const isEncoded = response.headers.has("content-encoding") && !("WebSocketPair" in globalThis);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (isEncoded) equal([bytes[0], bytes[1]], [0x1f, 0x8b], "the first bytes of gzip");
      else equal(new TextDecoder().decode(bytes), "squeezed");
    },
  },
  {
    name: "says by status why there is no answer, and nothing of what is behind",
    run: async (scene) => {
      const quick = { attemptTimeoutMs: 60, deadlineMs: 60, retry: false } as const;
      const empty = scene.gateway(["a"]);
      empty.orders.disable("a");
      const ways = [
        ["nobody listens", scene.gateway(["dead"], quick), "/", 502],
        ["the backend hangs up", scene.gateway(["drop"], quick), "/", 502],
        ["no answer in time", scene.gateway(["silent"], quick), "/", 504],
        ["no backend takes calls", empty, "/", 503],
        ["an ambiguous path", scene.gateway(["a"]), "/x/..%2f..%2fy", 400],
      ] as const;
      for (const [what, { ask }, path, status] of ways) {
        const response = await ask(path);
        const text = await response.text();
        equal([response.status, response.headers.get("content-type")], [status, "application/problem+json"], what);
        ok(!/127\.0\.0\.1|orders|fairlead/i.test(text), `it tells nothing: ${text}`);
      }
    },
  },
  {
    name: "lets no backend take the beginning of a body for all of it",
    notInBrowsers: ONLY_HTTP2,
    run: async (scene) => {
      const { ask } = scene.gateway(["whole"]);
      let sent = 0;
      const breaking = new ReadableStream({
        pull: async (controller) => {
          await pause(20);
          if (sent++ > 0) throw new RangeError("the client has left");
          controller.enqueue(new TextEncoder().encode("one "));
        },
      });
      const init = { method: "POST", body: breaking, duplex: "half" } as RequestInit;
      equal((await ask("/x", init)).status, 400);
      await pause(50);
      const seen = await (await fetch(`${scene.addresses.good}/wholes${scene.root}/x`)).text();
      equal(seen, "no", "the backend has seen a whole request");
    },
  },
  {
    name: "refuses a body that is too long with 413",
    notInBrowsers: ONLY_HTTP2,
    run: async (scene) => {
      const { ask } = scene.gateway(["a"], {}, { maxRequestBytes: 3 });
      equal((await ask("/x", { method: "POST", body: "abcd" })).status, 413);
      equal((await ask("/x", { method: "POST", body: "abc" })).status, 200);
    },
  },
  {
    name: "refuses a client that has too much open",
    run: async (scene) => {
      const { ask } = scene.gateway(["stall"], {}, { maxConnectionsPerClient: 1 });
      const first = await ask("/", undefined, CLIENT);
      equal((await ask("/", undefined, CLIENT)).status, 429);
      const other = await ask("/", undefined, { ip: "192.0.2.8" });
      equal(other.status, 200);
      for (const { body } of [first, other]) await body?.cancel();
    },
  },
  {
    name: "ends the backend's work when the client leaves",
    run: async (scene) => {
      const { orders, ask } = scene.gateway(["silent"]);
      const controller = new AbortController();
      const call = rejection(ask("/", { signal: controller.signal }));
      await until(() => orders.backends[0]?.inFlight("request") === 1, "it is on its way");
      controller.abort();
      equal((await call).name, "AbortError");
      await until(() => orders.backends[0]?.inFlight("request") === 0, "the place is given back");
    },
  },
  {
    name: "logs each request when its response has ended",
    run: async (scene) => {
      const records: AccessRecord[] = [];
      const { ask } = scene.gateway(["drip"], {}, { accessLog: (record) => records.push(record) });
      const response = await ask("/x?n=4", undefined, CLIENT);
      equal(records.length, 0);
      await response.text();
      await until(() => records.length === 1, "it is logged");
      const [{ method, path, host, clientIp, backend, status, attempts, totalMs, headersMs } = {} as AccessRecord] =
        records;
      equal(
        [method, path, host, clientIp, backend, status, attempts],
        ["GET", `${scene.root}/x`, "shop.test", "192.0.2.7", "drip", 200, 1],
      );
      ok(totalMs > headersMs + 50, "the body takes its time");
    },
  },
];
