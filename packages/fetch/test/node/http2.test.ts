import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test, vi } from "vitest";
import { createNodeListener } from "../../src/node/index.ts";
import { certificate, privateKey } from "../support/certificate.ts";
import { fakeForward } from "../support/node-forward.ts";

const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
});

type Answer = Parameters<typeof fakeForward>[0];

async function session(answer: Answer, secure = false): Promise<ClientHttp2Session> {
  const listener = createNodeListener(fakeForward(answer));
  const tls = { cert: certificate, key: privateKey, allowHTTP1: true };
  const server = secure ? createSecureServer(tls, listener) : createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(`${secure ? "https" : "http"}://127.0.0.1:${port}`, { ca: certificate });
  client.on("error", () => {});
  open.push(() => {
    client.destroy();
    server.close();
  });
  return client;
}

async function ask(client: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string) {
  const stream = client.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
  return { head, body: await text(stream) };
}

const show: Answer = async ({ url, method, headers, body }, client) =>
  Response.json({
    url,
    method,
    headers: Object.fromEntries(headers),
    body: body === null ? null : await new Response(body).text(),
    ...client,
  });

test("reads a request of HTTP/2, cookies that came in crumbs as well", async () => {
  const client = await session(show, true);
  const { body } = await ask(
    client,
    { ":path": "/a?b", ":method": "POST", ":authority": "a.example", cookie: ["a=1", "b=2"] },
    "abc",
  );
  expect(JSON.parse(body)).toEqual({
    url: "https://a.example/a?b",
    method: "POST",
    headers: { cookie: "a=1; b=2", host: "a.example" },
    body: "abc",
    ip: "127.0.0.1",
    protocol: "https",
  });
});

test.each([
  [{ ":authority": "a", host: "b" }, 400],
  [{ ":authority": "u@a" }, "PROTOCOL_ERROR"],
  [{ ":method": "TRACE" }, 405],
  [{ ":method": "NO GOOD" }, "PROTOCOL_ERROR"],
  [{ ":path": "/\\evil" }, 400],
])("refuses %j: %s", async (headers, status) => {
  const client = await session(show);
  const stream = client.request(headers);
  // Node refuses some of it itself, and resets the stream.
  const answered = once(stream, "response").then(([head]) => (head as IncomingHttpHeaders)[":status"]);
  const outcome = await answered.catch((error: Error) => /PROTOCOL_ERROR/.exec(error.message)?.[0]);
  expect(outcome).toBe(status);
});

test("sends headers and every cookie, and no reason: HTTP/2 has none", async () => {
  const warned = vi.spyOn(process, "emitWarning");
  const client = await session(() => {
    const headers = new Headers({ "x-a": "1" });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    return new Response("hello", { status: 201, statusText: "Made", headers });
  });
  const { head, body } = await ask(client, { ":path": "/" });
  expect(body).toBe("hello");
  expect(head).toMatchObject({ ":status": 201, "x-a": "1", "set-cookie": ["a=1", "b=2"] });
  expect(warned).not.toHaveBeenCalled();
});

test("sends no body to a HEAD", async () => {
  const client = await session(() => new Response("hello", { headers: { "content-length": "5" } }));
  const { head, body } = await ask(client, { ":path": "/", ":method": "HEAD" });
  expect(head["content-length"]).toBe("5");
  expect(body).toBe("");
});

test("resets the stream of a body that breaks off, and no other", async () => {
  const client = await session(({ url }) =>
    url.endsWith("/whole")
      ? new Response("whole")
      : new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new Uint8Array(3)),
            pull: (controller) => controller.error(new Error("broken")),
          }),
        ),
  );
  const stream = client.request({ ":path": "/broken" });
  stream.resume();
  const [error] = await once(stream, "error");
  expect(error).toMatchObject({ code: "ERR_HTTP2_STREAM_ERROR" });
  expect((await ask(client, { ":path": "/whole" })).body).toBe("whole");
});

test("hears of a client that resets its stream", async () => {
  const cancelled = Promise.withResolvers<unknown>();
  const aborted = Promise.withResolvers<unknown>();
  const client = await session(({ signal }) => {
    signal.addEventListener("abort", () => aborted.resolve(signal.reason));
    return new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(3)),
        cancel: (reason) => cancelled.resolve(reason),
      }),
    );
  });
  const stream = client.request({ ":path": "/" });
  await once(stream, "response");
  stream.close(8);
  expect(await cancelled.promise).toMatchObject({ name: "AbortError" });
  expect(await aborted.promise).toMatchObject({ name: "AbortError" });
});

test("answers before it has read everything, and lets go of the rest", async () => {
  const client = await session(() => new Response("enough", { status: 413 }));
  const stream = client.request({ ":path": "/", ":method": "POST" });
  stream.on("error", () => {});
  stream.write(Buffer.alloc(1024));
  const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
  expect(head[":status"]).toBe(413);
  expect(await text(stream)).toBe("enough");
  const feed = (): void => void (stream.writable && stream.write(Buffer.alloc(64 * 1024), feed));
  feed();
  await once(stream, "close");
});
