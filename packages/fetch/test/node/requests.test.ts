import { createServer } from "node:http";
import { expect, test, vi } from "vitest";
import { fakeForward, nodeServer, RawClient } from "../support/node-forward.ts";

interface Seen {
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string | null;
  readonly ip: string | undefined;
  readonly protocol: string | undefined;
}

const show = fakeForward(async ({ url, method, headers, body }, client) =>
  Response.json({
    url,
    method,
    headers: Object.fromEntries(headers),
    body: body === null ? null : await new Response(body).text(),
    ...client,
  }),
);

/** Sends `lines` as they are; the status of the answer, and what the forward saw of the request. */
async function send(
  ...lines: readonly string[]
): Promise<{ readonly status: number; readonly seen: Seen | undefined }> {
  const { port, errors, sockets } = await nodeServer(show);
  const client = new RawClient(port);
  client.write(...lines);
  const text = await client.until(/^HTTP\/1\.1 \d{3}[^]*?\r\n\r\n(?:$|[^]*(?:\}|\n)$|[^]*\r\n0\r\n\r\n$)/);
  expect(errors).toEqual([]);
  const status = Number(text.slice(9, 12));
  // Whoever can't be trusted is not heard again.
  if (status !== 200) expect(await client.closed).toBe("ended");
  else client.socket.destroy();
  await vi.waitFor(() => expect(sockets.size).toBe(0));
  return { status, seen: status === 200 ? JSON.parse(jsonOf(text)) : undefined };
}

function jsonOf(answer: string): string {
  return Buffer.from(/\{.*\}/.exec(answer)?.[0] ?? "", "latin1").toString();
}

const get = (target: string, ...headers: readonly string[]): readonly string[] => [
  `GET ${target} HTTP/1.1`,
  ...(headers.some((line) => /^host:/i.test(line)) ? [] : ["Host: a.example"]),
  ...headers,
  "",
  "",
];
const post = (headers: readonly string[], body: string): readonly string[] => [
  "POST /x HTTP/1.1",
  "Host: a.example",
  ...headers,
  "",
  body,
];

const targets: readonly [target: string, url: string | 400][] = [
  ["/a%2fb?q=1&q=2", "http://a.example/a%2fb?q=1&q=2"],
  ["/a/../../b/%2e%2e/c", "http://a.example/c"],
  ["//evil/x", "http://a.example//evil/x"],
  ["/a?b=\\c", "http://a.example/a?b=\\c"],
  ["http://Other.example:81/p?x", "http://other.example:81/p?x"],
  ["http://other?x", "http://other/?x"],
  // The connection is not encrypted, whatever the client says.
  ["https://other/p", "http://other/p"],
  ["http://user:pass@other/p", 400],
  ["http://other\\@evil/p", 400],
  ["ftp://other/p", 400],
  ["/\\evil", 400],
  ["/a#b", 400],
  ["*", 400],
  ["/a\tb", 400],
  ["/\xe9", 400],
  ["/a\rX: y", 400],
];

test.each(targets)("reads the target %j as %j", async (target, url) => {
  const { status, seen } = await send(...get(target));
  expect(seen?.url ?? status).toBe(url);
  if (seen !== undefined) expect(seen.headers["host"]).toBe(new URL(seen.url).host);
});

const hosts: readonly [host: string, shown: string | 400][] = [
  ["Shop.Example:8080", "shop.example:8080"],
  ["[::1]:80", "[::1]"],
  ["a/b", 400],
  ["user@b", 400],
  ["a:99999", 400],
  ["a b", 400],
  ["a?b", 400],
  ["", 400],
];

test.each(hosts)("reads the host %j as %j", async (host, shown) => {
  const { status, seen } = await send(...get("/", `Host: ${host}`));
  expect(seen?.headers["host"] ?? status).toBe(shown);
});

test("asks HTTP/1.1 for a host, and HTTP/1.0 for none", async () => {
  expect((await send("GET / HTTP/1.1", "", "")).status).toBe(400);
  const { seen } = await send("GET /health HTTP/1.0", "", "");
  expect(seen?.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/health$/);
});

const refused: readonly [what: string, status: number, lines: readonly string[]][] = [
  ["two hosts", 400, get("/", "Host: a", "Host: a")],
  ["two lengths", 400, post(["Content-Length: 3", "Content-Length: 4"], "abcd")],
  ["the same length twice", 400, post(["Content-Length: 3", "Content-Length: 3"], "abc")],
  ["a length and a coding", 400, post(["Content-Length: 3", "Transfer-Encoding: chunked"], "0\r\n\r\n")],
  ["a coding twice", 400, post(["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n")],
  ["a coding that looks like one", 400, post(["Transfer-Encoding: xchunked"], "abc")],
  ["a coding that is not undone", 501, post(["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n")],
  ["a negative length", 400, post(["Content-Length: -1"], "")],
  ["a length with a sign", 400, post(["Content-Length: +3"], "abc")],
  ["a chunk without a size", 400, post(["Transfer-Encoding: chunked"], "zz\r\nabc")],
  ["a folded header", 400, get("/", "X: a", " b")],
  ["lines that end with LF alone", 400, ["GET / HTTP/1.1\nHost: a\n\n"]],
  ["a space before the colon", 400, get("/", "X : a")],
  ["a NUL", 400, get("/", "X: a\0b")],
  ["a CR in a value", 400, get("/", "X: a\rB: c")],
  ["headers beyond 16 KB", 431, get("/", `X: ${"a".repeat(17_000)}`)],
  ["a GET with a body", 400, get("/", "Content-Length: 3", "", "abc")],
  ["a HEAD with a body", 400, ["HEAD / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "", "0\r\n\r\n"]],
  ["TRACE", 405, ["TRACE / HTTP/1.1", "Host: a", "", ""]],
];

test.each(refused)("refuses %s with %i", async (_what, status, lines) => {
  expect(await send(...lines)).toEqual({ status, seen: undefined });
});

test("refuses what a lenient parser lets through", async () => {
  const { port } = await nodeServer(show, (listener) => createServer({ insecureHTTPParser: true }, listener));
  const client = new RawClient(port);
  client.write(...post(["Content-Length: 3", "Transfer-Encoding: chunked"], "0\r\n\r\n"));
  await client.until(/^HTTP\/1\.1 400 [^]*there is a length and a transfer coding/);
  expect(await client.closed).toBe("ended");
});

test("ends a connection that asks for CONNECT", async () => {
  const { port } = await nodeServer(show);
  const client = new RawClient(port);
  client.write("CONNECT a:1 HTTP/1.1", "Host: a:1", "", "");
  expect(await client.closed).toBe("ended");
  expect(client.text).toBe("");
});

test("joins what may be joined, and of the rest takes the first", async () => {
  const { seen } = await send(
    ...get(
      "/",
      "Cookie: a=1",
      "Accept: x",
      "Cookie: b=2",
      "Accept: y",
      "Authorization: first",
      "Authorization: second",
      "X-Latin: \xe9",
      `X-Long: ${"a".repeat(8_192)}`,
    ),
  );
  expect(seen?.headers).toEqual({
    accept: "x, y",
    authorization: "first",
    cookie: "a=1; b=2",
    host: "a.example",
    "x-latin": "\xe9",
    "x-long": "a".repeat(8_192),
  });
  expect(seen).toMatchObject({ ip: "127.0.0.1", protocol: "http", body: null });
});

test.each([
  ["a length", post(["Content-Length: 3"], "abc")],
  ["chunks and trailers", post(["Transfer-Encoding: chunked"], "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")],
])("streams a body with %s", async (_how, lines) => {
  expect((await send(...lines)).seen).toMatchObject({ method: "POST", body: "abc" });
});

test("has met an expectation itself", async () => {
  const { port } = await nodeServer(show);
  const client = new RawClient(port);
  client.write(...post(["Content-Length: 3", "Expect: 100-continue"], ""));
  await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  client.write("abc");
  await client.until(/"body":"abc"/);
});

test("answers for itself when it is asked whether it is there", async () => {
  const { port } = await nodeServer(show);
  const client = new RawClient(port);
  client.write("OPTIONS * HTTP/1.1", "Host: a", "", "");
  await client.until(/^HTTP\/1\.1 204 No Content\r\n/);
});

test("answers pipelined requests in their order, each with its own", async () => {
  const waits: ((response: Response) => void)[] = [];
  const forward = fakeForward(() => new Promise((resolve) => waits.push(resolve)));
  const { port } = await nodeServer(forward);
  const client = new RawClient(port);
  client.write(...get("/1"), ...get("/2"));
  await vi.waitFor(() => expect(waits).toHaveLength(2));
  waits[1]?.(new Response("second"));
  waits[0]?.(new Response("first"));
  expect(await client.until(/second/)).toMatch(/first[^]*second/);
});

test("aborts every request of a client that leaves, queued ones as well", async () => {
  const signals: AbortSignal[] = [];
  const forward = fakeForward(({ signal }) => {
    signals.push(signal);
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const { port, errors } = await nodeServer(forward);
  const client = new RawClient(port);
  client.write(...get("/1"), ...get("/2"));
  await vi.waitFor(() => expect(signals).toHaveLength(2));
  client.socket.destroy();
  await vi.waitFor(() => expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]));
  expect(signals[0]?.reason).toMatchObject({ name: "AbortError", message: "The client has closed the connection" });
  expect(errors).toEqual([]);
});

test("breaks off the body of a client that leaves in the middle of it", async () => {
  const asked = Promise.withResolvers<void>();
  const reading = Promise.withResolvers<unknown>();
  const forward = fakeForward(async (request) => {
    asked.resolve();
    try {
      await new Response(request.body).text();
    } catch (error) {
      reading.resolve(error);
    }
    return new Response("too late");
  });
  const { port, sockets, errors } = await nodeServer(forward);
  const client = new RawClient(port);
  client.write(...post(["Content-Length: 100"], "abc"));
  await asked.promise;
  client.socket.destroy();
  expect(await reading.promise).toMatchObject({ name: "AbortError" });
  await vi.waitFor(() => expect(sockets.size).toBe(0));
  expect(errors).toEqual([]);
});

test("reads a body no faster than it is taken", async () => {
  let taken = 0;
  const go = Promise.withResolvers<void>();
  const forward = fakeForward(async ({ body }) => {
    const reader = body!.getReader();
    taken += (await reader.read()).value!.byteLength;
    await go.promise;
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) taken += chunk.value.byteLength;
    return new Response(String(taken));
  });
  const { port, sockets } = await nodeServer(forward);
  const client = new RawClient(port);
  const size = 32 * 1024 * 1024;
  client.write(...post([`Content-Length: ${size}`], ""));
  client.socket.write(Buffer.alloc(size));
  await vi.waitFor(() => expect(taken).toBeGreaterThan(0));
  // What the kernel takes on both sides is less than half of it.
  await vi.waitFor(() => expect(client.socket.bytesWritten).toBeGreaterThan(0));
  const [socket] = sockets;
  const before = await settled(() => socket?.bytesRead ?? 0);
  expect(before).toBeLessThan(1024 * 1024);
  go.resolve();
  await client.until(new RegExp(`\r\n${size}\r\n`));
});

/** A number once it no longer grows. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1; ; ) {
    const now = read();
    if (now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("answers before it has read everything, and then hears the rest or hangs up", async () => {
  const forward = fakeForward(() => new Response("enough", { status: 413 }));
  const { port, sockets } = await nodeServer(forward);
  const client = new RawClient(port);
  client.write(...post(["Content-Length: 3"], "abc"), ...post(["Content-Length: 104857600"], ""));
  await client.until(/413[^]*enough[^]*413[^]*enough/);
  client.socket.write(Buffer.alloc(1024 * 1024));
  await client.closed;
  await vi.waitFor(() => expect(sockets.size).toBe(0));
});

test("survives a client that sends its head byte by byte", async () => {
  const { port } = await nodeServer(show);
  const client = new RawClient(port);
  client.socket.setNoDelay();
  for (const byte of post(["Content-Length: 3"], "abc").join("\r\n")) {
    client.socket.write(byte);
    await new Promise(setImmediate);
  }
  await client.until(/"body":"abc"/);
});
