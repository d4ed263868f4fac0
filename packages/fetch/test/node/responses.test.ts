import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createHttps, get as getHttps } from "node:https";
import { text as textOf } from "node:stream/consumers";
import { expect, test, vi } from "vitest";
import type { ClientInfo } from "../../src/forward/contract.ts";
import { createNodeListener } from "../../src/node/index.ts";
import { certificate, privateKey } from "../support/certificate.ts";
import { fakeForward, type NodeServer, nodeServer, RawClient } from "../support/node-forward.ts";

/** Sends GET / for an answer, and reads all there is. */
async function answered(answer: () => Response | Promise<Response>, method = "GET") {
  const server = await nodeServer(fakeForward(answer));
  const client = new RawClient(server.port);
  client.write(`${method} / HTTP/1.1`, "Host: a", "Connection: close", "", "");
  await client.closed;
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
  return { text: client.text, errors: server.errors };
}

/** A body of `chunks`, then an end or an error. */
function bodyOf(chunks: readonly string[], error?: Error): ReadableStream<Uint8Array> {
  const left = chunks.map((chunk) => new TextEncoder().encode(chunk));
  return new ReadableStream({
    async pull(controller) {
      await new Promise(setImmediate);
      const next = left.shift();
      if (next !== undefined) controller.enqueue(next);
      else if (error === undefined) controller.close();
      else controller.error(error);
    },
  });
}

test("passes on status, reason, headers and every cookie", async () => {
  const { text, errors } = await answered(() => {
    const headers = new Headers({ "x-a": "1, 2", "x-latin": "\xe9" });
    headers.append("set-cookie", "a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT");
    headers.append("set-cookie", "b=2");
    return new Response("hello", { status: 299, statusText: "So So", headers });
  });
  expect(text).toMatch(/^HTTP\/1\.1 299 So So\r\n/);
  expect(text).toMatch(/\r\nx-a: 1, 2\r\nx-latin: \xe9\r\n/);
  expect(text).toMatch(/\r\nset-cookie: a=1; Expires=[^\r]*\r\nset-cookie: b=2\r\n/);
  expect(text).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
  expect(errors).toEqual([]);
});

test.each([
  ["HEAD", () => new Response("hello", { headers: { "content-length": "5" } }), /content-length: 5\r\n/],
  ["HEAD", () => new Response(null, { headers: { "content-length": "5" } }), /content-length: 5\r\n/],
  ["GET", () => new Response(null, { status: 304, headers: { etag: "x" } }), / 304 Not Modified\r\netag: x\r\n/],
  ["GET", () => new Response(null, { status: 204, headers: { "content-length": "5" } }), /^(?![^]*length)[^]* 204 /],
])("sends no body where there is none: %s", async (method, answer, head) => {
  const { text, errors } = await answered(answer, method);
  expect(text).toMatch(head);
  expect(text).toMatch(/^[^]*?\r\n\r\n$/);
  expect(errors).toEqual([]);
});

test.each([
  ["no status", () => Response.error()],
  ["a length that is none", () => new Response("hello", { headers: { "content-length": "5, 5" } })],
  ["a reason over two lines", () => smuggling({ statusText: "OK\r\nx: y" })],
  ["a header over two lines", () => smuggling({ headers: headersLike([["x", "1\r\nset-cookie: admin"]]) })],
  ["a header that has no name", () => smuggling({ headers: headersLike([["a b", "1"]]) })],
])("answers 502 for what is not HTTP: %s", async (_what, answer) => {
  const { text, errors } = await answered(answer);
  expect(text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n[^]*"status":502\}/);
  expect(text).not.toMatch(/admin|x: y/);
  expect(errors).toHaveLength(1);
});

/** A response that no platform would make, from a forward that has its own. */
function smuggling(own: object): Response {
  return Object.defineProperties(new Response(null), Object.getOwnPropertyDescriptors(own));
}

function headersLike(entries: readonly [string, string][]): Headers {
  const headers = new Headers();
  return Object.assign(headers, { [Symbol.iterator]: () => entries.values() });
}

test("lets go of the body of what it can't pass on", async () => {
  const cancelled = vi.fn();
  const body = new ReadableStream({ cancel: cancelled });
  await answered(() => new Response(body, { headers: { "content-length": "x" } }));
  expect(cancelled).toHaveBeenCalledOnce();
});

test.each([
  ["too long", bodyOf(["hello", "HTTP/1.1 200 OK\r\n"]), "5"],
  ["too short", bodyOf(["hello"]), "6"],
])("ends a connection whose answer is %s", async (_what, body, length) => {
  const server = await nodeServer(fakeForward(() => new Response(body, { headers: { "content-length": length } })));
  const client = new RawClient(server.port);
  client.write("GET / HTTP/1.1", "Host: a", "", "");
  await client.closed;
  expect(client.text).toMatch(/\r\n\r\nhello$/);
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
});

test.each([
  ["with a length", { "content-length": "10" }],
  ["in chunks", {}],
])("breaks off where a body %s breaks off", async (_how, headers) => {
  const body = bodyOf(["hello"], new Error("broken"));
  const { text, errors } = await answered(() => new Response(body, { headers }));
  expect(text).toMatch(/hello(\r\n)?$/);
  // Whoever made the body knows.
  expect(errors).toEqual([]);
});

test("resets a connection whose end would be taken for that of the body", async () => {
  const { readable, writable } = new TransformStream();
  const { port } = await nodeServer(fakeForward(() => new Response(readable)));
  const client = new RawClient(port);
  client.write("GET / HTTP/1.0", "", "");
  const writer = writable.getWriter();
  await writer.write(new TextEncoder().encode("hello"));
  await client.until(/hello/);
  await writer.abort(new Error("broken"));
  expect(await client.closed).toBe("reset");
});

test("breaks off where a chunk is not of bytes", async () => {
  const body = new ReadableStream({ start: (controller) => controller.enqueue(7) });
  const { text } = await answered(() => new Response(body));
  expect(text).not.toMatch(/0\r\n\r\n$/);
});

test("answers 502 when the forward rejects, and says why to whoever runs it", async () => {
  const failure = new Error("secret");
  const { text, errors } = await answered(() => Promise.reject(failure));
  expect(text).toMatch(/^HTTP\/1\.1 502 [^]*"status":502\}/);
  expect(text).not.toMatch(/secret/);
  expect(errors).toEqual([failure]);
});

test("warns of it where nobody asked to be told", async () => {
  const warned = once(process, "warning");
  const listener = createNodeListener(fakeForward(() => Promise.reject(new Error("broken forward"))));
  const { url } = await nodeServer(fakeForward(), () => createServer(listener));
  expect((await fetch(url)).status).toBe(502);
  expect((await warned)[0]).toMatchObject({ message: "broken forward" });
});

test.each<[string, () => unknown]>([
  [
    "throws",
    () => {
      throw new Error("from a reporter");
    },
  ],
  ["rejects", () => Promise.reject(new Error("from a reporter"))],
])("is not brought down by a reporter that %s", async (_how, onUnexpected) => {
  const warned = once(process, "warning");
  const listener = createNodeListener(
    fakeForward(() => Promise.reject(new Error("broken forward"))),
    { onUnexpected },
  );
  const { url } = await nodeServer(fakeForward(), () => createServer(listener));
  expect((await fetch(url)).status).toBe(502);
  expect((await warned)[0]).toMatchObject({ message: "from a reporter" });
});

test("refuses options that are none", () => {
  expect(() => createNodeListener(fakeForward(), { onUnexpeted: () => {} } as object)).toThrow(
    /did you mean `onUnexpected`/,
  );
  expect(() => createNodeListener(fakeForward(), { onUnexpected: 1 } as object)).toThrow(
    /onUnexpected: got 1, expected a function/,
  );
});

test("keeps the connection for the next request, and leaves nothing behind on it", async () => {
  let answers = 0;
  const { port, sockets } = await nodeServer(
    fakeForward(() => new Response(`answer ${++answers}.`, { headers: { "x-answer": String(answers) } })),
  );
  const client = new RawClient(port);
  for (let sent = 1; sent <= 20; sent++) {
    client.write("GET / HTTP/1.1", "Host: a", "", "");
    await client.until(new RegExp(`answer ${sent}\\.`));
  }
  const [socket] = sockets;
  expect(sockets.size).toBe(1);
  expect(socket?.listenerCount("close")).toBeLessThan(6);
});

test("sends headers before the body begins", async () => {
  const { port } = await nodeServer(
    fakeForward(() => new Response(new ReadableStream(), { headers: { "x-early": "1" } })),
  );
  const client = new RawClient(port);
  client.write("GET / HTTP/1.1", "Host: a", "", "");
  await client.until(/x-early: 1\r\n/);
});

/** A body without end, and what became of it. */
function endless() {
  const seen = { pulled: 0, cancelled: undefined as unknown };
  const chunk = new Uint8Array(64 * 1024);
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        seen.pulled += chunk.byteLength;
        controller.enqueue(chunk);
      },
      cancel(reason) {
        seen.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}

test("reads a body no faster than the client takes it, and no further when it leaves", async () => {
  const { body, seen } = endless();
  let signal: AbortSignal | undefined;
  const forward = fakeForward((request) => {
    signal = request.signal;
    return new Response(body);
  });
  const { port, sockets, errors } = await nodeServer(forward);
  const client = new RawClient(port);
  client.socket.pause();
  client.write("GET / HTTP/1.1", "Host: a", "", "");
  await vi.waitFor(() => expect(seen.pulled).toBeGreaterThan(0));
  let pulled = -1;
  await vi.waitFor(
    () => {
      const last = pulled;
      pulled = seen.pulled;
      expect(pulled).toBe(last);
    },
    { interval: 100, timeout: 4_000 },
  );
  // What both kernels have room for.
  expect(pulled).toBeLessThan(16 * 1024 * 1024);
  client.socket.destroy();
  await vi.waitFor(() => expect(seen.cancelled).toMatchObject({ name: "AbortError" }));
  expect(signal?.reason).toMatchObject({ message: "The client has closed the connection" });
  await vi.waitFor(() => expect(sockets.size).toBe(0));
  expect(errors).toEqual([]);
});

test.each(["at once", "behind another request"])(
  "lets go of an answer that comes %s when the client has left",
  async (when) => {
    const { body, seen } = endless();
    const late = Promise.withResolvers<Response>();
    const forward = fakeForward(({ url }) => (url.endsWith("/late") ? late.promise : new Promise(() => {})));
    const { port, sockets } = await nodeServer(forward);
    const client = new RawClient(port);
    if (when !== "at once") client.write("GET / HTTP/1.1", "Host: a", "", "");
    client.write("GET /late HTTP/1.1", "Host: a", "", "");
    await vi.waitFor(() => expect(sockets.size).toBe(1));
    client.socket.destroy();
    await vi.waitFor(() => expect(sockets.size).toBe(0));
    late.resolve(new Response(body));
    await vi.waitFor(() => expect(seen.cancelled).toMatchObject({ name: "AbortError" }));
  },
);

const secure = (listener: RequestListener) => createHttps({ cert: certificate, key: privateKey }, listener);

test("serves https, and says so", async () => {
  const seen: (ClientInfo | undefined)[] = [];
  const forward = fakeForward((request, client) => {
    seen.push(client);
    return new Response(request.url);
  });
  const { port } = await nodeServer(forward, secure);
  const [response] = await once(getHttps({ port, host: "127.0.0.1", path: "/x", ca: certificate }), "response");
  expect(await textOf(response)).toBe(`https://127.0.0.1:${port}/x`);
  expect(seen).toEqual([{ ip: "127.0.0.1", protocol: "https" }]);
});

test("serves a path of an application that has others", async () => {
  const listener = createNodeListener(fakeForward((request) => new Response(request.url)));
  const app: RequestListener = (request, response) => {
    response.setHeader("x-powered-by", "app");
    // As `app.use("/api", listener)` does.
    request.url = request.url?.replace(/^\/api/, "") ?? "/";
    listener(request, response);
  };
  const { url, port } = await serverOf(app);
  const response = await fetch(`${url}/api/x?y`);
  expect(response.headers.get("x-powered-by")).toBe("app");
  expect(await response.text()).toBe(`http://127.0.0.1:${port}/x?y`);
});

test("says so when somebody else has read the body", async () => {
  const errors: unknown[] = [];
  const listener = createNodeListener(fakeForward(), { onUnexpected: (error) => errors.push(error) });
  const { url } = await serverOf((request, response) => {
    request.resume().once("end", () => listener(request, response));
  });
  expect((await fetch(url, { method: "POST", body: "abc" })).status).toBe(500);
  expect(errors).toMatchObject([{ message: expect.stringMatching(/must come before whatever parses bodies/) }]);
});

function serverOf(handler: RequestListener): Promise<NodeServer> {
  return nodeServer(fakeForward(), () => createServer(handler));
}
