// What a gateway in workerd can do only between a real client and real backends.
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Backends, startBackends } from "./support/backends.ts";
import { bundle } from "./support/bundle.ts";
import { COMPATIBILITY_DATE, handleRuntimeStdio } from "./support/runtimes.ts";

let backends: Backends;
let miniflare: Miniflare;
let port: number;

beforeAll(async () => {
  backends = await startBackends();
  const script = await bundle("workerd", "entries/gateway.ts", {
    define: { BACKENDS: JSON.stringify(backends.addresses.good) },
  });
  miniflare = new Miniflare({
    modules: true,
    script,
    compatibilityDate: COMPATIBILITY_DATE,
    // For opossum alone.
    compatibilityFlags: ["nodejs_compat"],
    cf: false,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    handleRuntimeStdio,
  });
  await miniflare.ready;
  port = Number((await miniflare.unsafeGetDirectURL()).port);
}, 60_000);

afterAll(async () => {
  await miniflare.dispose();
  await backends[Symbol.asyncDispose]();
});

interface Answer {
  readonly backend: string;
  readonly cookies: string[];
}

/** The same cookie, for the next request. */
function pair(fields: readonly string[]): string {
  return fields[0]?.split(";")[0] ?? "";
}

async function ask(path: string, cookie?: string): Promise<Answer> {
  const response = await miniflare.dispatchFetch(`http://shop.test${path}`, cookie ? { headers: { cookie } } : {});
  expect(response.status).toBe(200);
  const { backend } = (await response.json()) as { backend: string };
  return { backend, cookies: response.headers.getSetCookie() };
}

async function held(): Promise<number> {
  return ((await (await miniflare.dispatchFetch("http://shop.test/state")).json()) as { held: number }).held;
}

describe("sessions by a cookie", () => {
  test("of requests at once, each with WebCrypto of its own", async () => {
    // The very first ones: the keys are not made yet.
    const answers = await Promise.all(["1", "2", "3"].map((path) => ask(`/${path}`)));
    expect(answers.map(({ backend }) => backend).sort()).toEqual(["a", "b", "c"]);
    for (const { cookies } of answers) expect(cookies).toEqual([expect.stringMatching(/^[\w-]+=[\w-]{80,}; Max-Age/)]);
    const again = await Promise.all(answers.map(({ cookies }) => ask("/again", pair(cookies))));
    expect(again).toEqual(answers.map(({ backend }) => ({ backend, cookies: [] })));
  });

  test("of requests that follow each other", async () => {
    const { backend, cookies } = await ask("/first");
    for (const path of ["/second", "/third", "/fourth"])
      expect(await ask(path, pair(cookies))).toEqual({ backend, cookies: [] });
    expect(await held()).toBe(0);
  });
});

describe("a WebSocket", () => {
  test("goes through, both ways, to the close", async () => {
    const response = await miniflare.dispatchFetch("http://shop.test/live", { headers: { upgrade: "websocket" } });
    expect(response.status).toBe(101);
    const { webSocket } = response;
    if (!webSocket) throw new Error("there is no WebSocket");
    const messages: unknown[] = [];
    webSocket.addEventListener("message", ({ data }) => messages.push(data));
    const closed = new Promise((resolve) => {
      webSocket.addEventListener("close", resolve);
    });
    webSocket.accept();
    for (const message of ["one", "two", "three"]) webSocket.send(message);
    await vi.waitFor(() => expect(messages).toEqual(["one", "two", "three"]), { timeout: 5_000 });
    webSocket.close(1000, "enough");
    await closed;
    await vi.waitFor(async () => expect(await held()).toBe(0), { timeout: 5_000, interval: 100 });
  });

  test("of a client in the network, who sees the handshake", async () => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version": "13",
    };
    const client = httpRequest({ host: "127.0.0.1", port, path: "/live", headers });
    client.end();
    const [response, socket] = (await once(client, "upgrade")) as [IncomingMessage, import("node:net").Socket];
    expect(response.statusCode).toBe(101);
    expect(response.headers["sec-websocket-accept"]).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    // "hi", masked with zeros.
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    const [frame] = (await once(socket, "data")) as [Buffer];
    expect([...frame]).toEqual([0x81, 2, 0x68, 0x69]);
    socket.destroy();
    await vi.waitFor(async () => expect(await held()).toBe(0), { timeout: 5_000, interval: 100 });
  });
});

test("what a backend has compressed unasked comes to the client as its headers say", async () => {
  const { headers, body } = await received("/gzip/x");
  const isEncoded = headers["content-encoding"] === "gzip";
  expect((isEncoded ? gunzipSync(body) : body).toString()).toBe("squeezed");
});

test("a body that a client breaks off is not whole to the backend", async () => {
  const client = connect(port, "127.0.0.1");
  client.write("POST /whole/1 HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await pause(200);
  client.destroy();
  const wholly = httpRequest({ host: "127.0.0.1", port, path: "/whole/2", method: "POST" });
  wholly.end("all of it");
  await once(wholly, "response");
  await pause(300);
  const seen = await Promise.all(
    ["1", "2"].map(async (path) => (await fetch(`${backends.addresses.good}/wholes/whole/${path}`)).text()),
  );
  expect(seen).toEqual(["no", "yes"]);
});

test("an answer keeps its length, so that one which a backend breaks off is not whole to the client", async () => {
  const whole = await received("/large/x?n=100000");
  expect(whole.headers["content-length"]).toBe("100000");
  expect([whole.complete, whole.body.length]).toEqual([true, 100_000]);
  const broken = await received("/broken/x");
  expect(broken.headers["content-length"]).toBe("1000");
  expect([broken.complete, broken.body.toString()]).toEqual([false, "first "]);
  await vi.waitFor(async () => expect(await held()).toBe(0), { timeout: 5_000, interval: 100 });
});

interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** Whether its end has come. */
  readonly complete: boolean;
}

async function received(path: string): Promise<Received> {
  const client = httpRequest({ host: "127.0.0.1", port, path, agent: false });
  client.end();
  const [response] = (await once(client, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  response.on("error", () => {});
  await new Promise((resolve) => {
    response.once("close", resolve);
  });
  return { headers: response.headers, body: Buffer.concat(chunks), complete: response.complete };
}
