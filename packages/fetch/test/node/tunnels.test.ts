import { once } from "node:events";
import type { Socket } from "node:net";
import type { Balancer, BalancerOptions } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { expect, test, vi } from "vitest";
import type { Forward } from "../../src/forward/contract.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { certificate, privateKey } from "../support/certificate.ts";
import { fakeForward, nodeServer, RawClient } from "../support/node-forward.ts";
import { deadPort, deafServer, httpServer, rawServer, type TestServer, upgradeServer } from "../support/servers.ts";
import { echoWebSocket } from "../support/web-socket-echo.ts";

const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n";
const ask = (...headers: readonly string[]): readonly string[] => [
  "GET /chat?x HTTP/1.1",
  "Host: a.example",
  "Connection: Upgrade",
  ...(headers.some((line) => /^upgrade/i.test(line)) ? [] : ["Upgrade: echo"]),
  ...headers,
  "",
  "",
];

/** A backend that switches and sends back what it gets; its end after that of the client. */
const echo = (): Promise<TestServer> =>
  upgradeServer((socket, head) => {
    socket.write(SWITCH);
    socket.write(head);
    socket.pipe(socket);
  });

/** A server over `backends`, and a client of it. */
async function tunnelTo(
  backends: BalancerOptions["backends"],
  options: Partial<BalancerOptions> = {},
  idleTimeoutMs?: number | false,
) {
  const balancer = balancerOver(backends, options);
  const server = await nodeServer(fakeForward(undefined, balancer, idleTimeoutMs));
  return { balancer, server, client: new RawClient(server.port) };
}

/** Waits until nothing is left of any tunnel. */
async function gone(balancer: Balancer, ...sides: readonly { readonly sockets: Set<Socket> }[]): Promise<void> {
  await idle(balancer);
  await vi.waitFor(() => expect(sides.map(({ sockets }) => sockets.size)).toEqual(sides.map(() => 0)));
}

test("carries a WebSocket: messages, subprotocol, close", async () => {
  const backend = await upgradeServer(echoWebSocket);
  const balancer = balancerOver([backend.url]);
  const server = await nodeServer(fakeForward(undefined, balancer));
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/chat?x`, ["b", "a"]);
  const events: unknown[] = [];
  socket.addEventListener("open", () => socket.send("hello"));
  socket.addEventListener("message", ({ data }) => {
    events.push(data);
    if (data === "hello") socket.send("again");
    else socket.close(1000, "done");
  });
  const [closed] = await once(socket, "close");
  expect(events).toEqual(["hello", "again"]);
  expect(socket.protocol).toBe("b");
  expect(closed).toMatchObject({ code: 1000, reason: "done", wasClean: true });
  expect(backend.received).toEqual(["GET /chat?x"]);
  await gone(balancer, server, backend);
  expect(counters(balancer, 0)).toMatchObject({ successes: 1, failures: 0, streamFailures: 0 });
  expect(server.errors).toEqual([]);
});

test("passes on what the backend says of the switch, and nothing of its connection", async () => {
  const backend = await upgradeServer(echoWebSocket);
  const { client } = await tunnelTo([backend.url]);
  client.write(...ask("Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="));
  const head = await client.until(/\r\n\r\n/);
  expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n/);
  expect(head).toMatch(/\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  expect(head).toMatch(/\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n/);
  expect(head).not.toMatch(/gone/);
});

test("delivers first what both sides have sent with their heads", async () => {
  const backend = await upgradeServer((socket, head) => {
    socket.write(`${SWITCH}welcome `);
    socket.write(head);
    socket.pipe(socket);
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask().slice(0, -1), "early ");
  client.socket.write("late");
  expect(await client.until(/late/)).toMatch(/\r\n\r\nwelcome early late$/);
  client.socket.end();
  expect(await client.closed).toBe("ended");
  await gone(balancer, server, backend);
});

test("holds the lease until the tunnel ends", async () => {
  const backend = await echo();
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  expect(balancer.backends[0]?.inFlight("connection")).toBe(1);
  client.socket.destroy();
  await gone(balancer, server, backend);
  expect(counters(balancer, 0)).toMatchObject({ successes: 1, streamFailures: 0 });
});

test("lets one side go on when the other has said all", async () => {
  const backend = await upgradeServer((socket) => {
    socket.write(SWITCH);
    let said = "";
    socket.on("data", (chunk) => {
      said += chunk;
    });
    socket.once("end", () => socket.end(`you said ${said}`));
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  client.socket.end("all of it");
  await client.until(/you said all of it/);
  expect(await client.closed).toBe("ended");
  await gone(balancer, server, backend);
});

test("delivers the last words of a backend that closes at once", async () => {
  const size = 4 * 1024 * 1024;
  const backend = await upgradeServer((socket) => {
    socket.write(SWITCH);
    socket.end(Buffer.alloc(size, "x"));
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  expect(await client.closed).toBe("ended");
  expect(client.text.length - client.text.indexOf("\r\n\r\n") - 4).toBe(size);
  await gone(balancer, server, backend);
});

test("takes no more from one side than the other takes", async () => {
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const backend = await upgradeServer((socket) => {
    socket.write(SWITCH);
    const feed = (): void => {
      if (socket.destroyed) return;
      sent += chunk.length;
      if (socket.write(chunk)) setImmediate(feed);
      else socket.once("drain", feed);
    };
    feed();
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.socket.pause();
  client.write(...ask());
  let last = -1;
  await vi.waitFor(
    () => {
      const before = last;
      last = sent;
      expect(last).toBeGreaterThan(0);
      expect(last).toBe(before);
    },
    { interval: 150, timeout: 4_000 },
  );
  expect(last).toBeLessThan(32 * 1024 * 1024);
  client.socket.destroy();
  await gone(balancer, server, backend);
});

test("ends both sides when the backend resets, and says so of it", async () => {
  const backend = await upgradeServer((socket) => {
    socket.write(SWITCH);
    socket.once("data", () => socket.resetAndDestroy());
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  client.socket.write("x");
  await client.closed;
  await gone(balancer, server, backend);
  expect(counters(balancer, 0)).toMatchObject({ successes: 1, streamFailures: 1 });
});

test("ends both sides when the client resets, and blames nobody", async () => {
  const backend = await echo();
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  client.socket.resetAndDestroy();
  await gone(balancer, server, backend);
  expect(counters(balancer, 0)).toMatchObject({ successes: 1, streamFailures: 0 });
});

test("closes a tunnel after its time without a byte, and not before", async () => {
  const clock = virtualClock();
  const backend = await echo();
  const { client, balancer, server } = await tunnelTo([backend.url], { clock }, 1_000);
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  await clock.advance(999);
  client.socket.write("still here");
  await client.until(/still here/);
  await clock.advance(999);
  expect(backend.sockets.size).toBe(1);
  await clock.advance(1);
  await client.closed;
  await gone(balancer, server, backend);
  expect(counters(balancer, 0)).toMatchObject({ successes: 1, streamFailures: 0 });
  expect(clock.pending).toBe(0);
});

test.each([1_000, false] as const)("leaves no timer behind (idle time: %j)", async (idleTimeoutMs) => {
  const clock = virtualClock();
  const backend = await echo();
  const { client, balancer, server } = await tunnelTo([backend.url], { clock }, idleTimeoutMs);
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  if (idleTimeoutMs === false) expect(clock.pending).toBe(0);
  client.socket.end();
  await client.closed;
  await gone(balancer, server, backend);
  await vi.waitFor(() => expect(clock.pending).toBe(0));
});

test("goes to another backend when one can't be reached", async () => {
  const backend = await echo();
  const { client, balancer } = await tunnelTo([await deadPort(), backend.url]);
  client.write(...ask());
  await client.until(/^HTTP\/1\.1 101 /);
  expect(counters(balancer, 0)).toMatchObject({ unreached: 1 });
});

test("goes to another backend when one does not connect in time, and sends nothing to it", async () => {
  const silent = await deafServer((socket) => socket.resume());
  const backend = await upgradeServer(
    (socket) => {
      socket.write(SWITCH);
    },
    { cert: certificate, key: privateKey },
  );
  const tls = { ca: certificate };
  // A server that takes TCP connections, and no TLS.
  const url = silent.url.replace("http:", "https:");
  const { client, balancer } = await tunnelTo([{ url }, { url: backend.url, tls }], { connectTimeoutMs: 50 });
  client.write(...ask());
  await client.until(/^HTTP\/1\.1 101 /);
  expect(counters(balancer, 0)).toMatchObject({ unreached: 1 });
  await vi.waitFor(() => expect(silent.sockets.size).toBe(0));
});

test("answers and hangs up when there is no backend", async () => {
  const { client, balancer, server } = await tunnelTo([await deadPort()]);
  client.write(...ask());
  expect(await client.closed).toBe("ended");
  expect(client.text).toMatch(
    /^HTTP\/1\.1 502 Bad Gateway\r\n[^]*\r\nConnection: close\r\n[^]*\r\n\r\n[^]*no backend\n/,
  );
  await gone(balancer, server);
});

test("trusts no backend behind a certificate that is not its own", async () => {
  const backend = await upgradeServer((socket) => socket.write(SWITCH), { cert: certificate, key: privateKey });
  const { client } = await tunnelTo([{ url: backend.url }]);
  client.write(...ask());
  await client.closed;
  expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  expect(backend.received).toEqual([]);
});

test("asks for the name that a backend's host gives it", async () => {
  const names: unknown[] = [];
  const backend = await upgradeServer(
    (socket) => {
      names.push((socket as Socket & { servername?: unknown }).servername);
      socket.write(SWITCH);
    },
    { cert: certificate, key: privateKey },
  );
  const { client } = await tunnelTo([{ url: backend.url, host: "orders.test", tls: { ca: certificate } }]);
  client.write(...ask());
  await client.until(/^HTTP\/1\.1 101 /);
  expect(names).toEqual(["orders.test"]);
});

test.each([
  ["with a length", "content-length: 9\r\n\r\nnot today", /not today$/],
  ["in chunks", "transfer-encoding: chunked\r\n\r\n9\r\nnot today\r\n0\r\n\r\n", /not today\r\n0\r\n\r\n$/],
  ["without a body", "content-length: 0\r\n\r\n", /\r\n\r\n$/],
])("passes on another answer than 101 as it is: %s", async (_how, answer, end) => {
  const backend = await rawServer((socket) => {
    socket.write(
      `HTTP/1.1 403 Not Today\r\nx-a: 1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nconnection: x-hop\r\nx-hop: gone\r\n${answer}`,
    );
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  expect(await client.closed).toBe("ended");
  expect(client.text).toMatch(/^HTTP\/1\.1 403 Not Today\r\n/);
  expect(client.text).toMatch(/\r\nx-a: 1\r\n[^]*set-cookie: a=1\r\nset-cookie: b=2\r\n/);
  expect(client.text).toMatch(end);
  expect(client.text).not.toMatch(/gone/);
  await gone(balancer, server, backend);
});

test("breaks off where another answer than 101 breaks off", async () => {
  const backend = await rawServer((socket) => {
    socket.end("HTTP/1.1 403 No\r\ncontent-length: 100\r\n\r\nnot");
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await client.closed;
  expect(client.text).toMatch(/content-length: 100\r\n[^]*\r\n\r\n(not)?$/);
  await gone(balancer, server, backend);
});

test("passes on a long answer no faster than the client takes it, and lets go when it leaves", async () => {
  const backend = await httpServer((_request, response) => {
    response.writeHead(500);
    const feed = (): void => {
      if (response.write(Buffer.alloc(64 * 1024))) setImmediate(feed);
      else response.once("drain", feed);
    };
    feed();
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await client.until(/^HTTP\/1\.1 500 /);
  // More than fits into any buffer: backpressure goes both ways and comes off again.
  await vi.waitFor(() => expect(client.text.length).toBeGreaterThan(20 * 1024 * 1024), { timeout: 4_000 });
  client.socket.destroy();
  await gone(balancer, server, backend);
});

test.each([
  ["a protocol that nobody asked for", "HTTP/1.1 101 X\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n"],
  ["no protocol", "HTTP/1.1 101 X\r\n\r\n"],
  ["no status that there is", "HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n"],
  ["no HTTP", "hello\r\n\r\n"],
  ["a header over two lines", "HTTP/1.1 101 X\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX: a\rSet-Cookie: b\r\n\r\n"],
])("answers 502 to a backend that switches to %s", async (_what, answer) => {
  const backend = await rawServer((socket) => {
    socket.write(answer);
  });
  const { client, balancer, server } = await tunnelTo([backend.url], { attemptTimeoutMs: 500 });
  client.write(...ask());
  expect(await client.closed).toBe("ended");
  expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  await gone(balancer, server, backend);
  expect(counters(balancer, 0)).toMatchObject({ failures: 1 });
});

test.each([
  [
    "with a body",
    501,
    ["POST / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: tcp", "Content-Length: 3", "", "abc"],
  ],
  ["with another method", 501, ["POST / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: tcp", "", ""]],
  ["for a host that is none", 400, ["GET / HTTP/1.1", "Host: a/b", "Connection: Upgrade", "Upgrade: echo", "", ""]],
  ["for two hosts", 400, ask("Host: b")],
  ["with a backslash", 400, ["GET /\\evil HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: echo", "", ""]],
])("refuses an upgrade %s with %i", async (_what, status, lines) => {
  const { client, server } = await tunnelTo([await deadPort()]);
  client.write(...lines);
  expect(await client.closed).toBe("ended");
  expect(client.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nconnection: close\r\n`));
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
});

test.each([
  ["HTTP/2 without TLS", ask("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")],
  ["HTTP/2 without TLS among others", ask("Upgrade: echo, H2C")],
  ["HTTP/1.0", ["GET /chat?x HTTP/1.0", "Host: a", "Connection: Upgrade", "Upgrade: echo", "", ""]],
])("serves a request that can't be upgraded as any other: %s", async (_what, lines) => {
  const { port } = await nodeServer(fakeForward(({ url }) => new Response(`plainly ${new URL(url).pathname}`)));
  const client = new RawClient(port);
  client.write(...lines);
  await client.closed;
  expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*plainly \/chat/);
});

test("tells the forward of a client that leaves before there is an answer", async () => {
  const backend = await upgradeServer((socket) => socket.resume().once("end", () => socket.destroy()));
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await vi.waitFor(() => expect(backend.received).toHaveLength(1));
  client.socket.destroy();
  await gone(balancer, server, backend);
  expect(server.errors).toEqual([]);
});

test("lets go of a backend that switches when the client has left", async () => {
  const backend = await echo();
  const balancer = balancerOver([backend.url]);
  const late = Promise.withResolvers<void>();
  const forward = fakeForward(undefined, balancer);
  const tunnel: Forward["tunnel"] = async (request, client, open, discard) => {
    const unaborted = new Request(request, { signal: new AbortController().signal });
    const answer = await forward.tunnel(unaborted, client, open, discard);
    await late.promise;
    return answer;
  };
  const server = await nodeServer(Object.assign(fakeForward(), { tunnel }));
  const client = new RawClient(server.port);
  client.write(...ask());
  await vi.waitFor(() => expect(backend.sockets.size).toBe(1));
  client.socket.destroy();
  await vi.waitFor(() => expect(server.sockets.size).toBe(0));
  late.resolve();
  await gone(balancer, server, backend);
});

test("gives up a backend that does not answer in its time", async () => {
  const clock = virtualClock();
  const backend = await upgradeServer((socket) => socket.resume().once("end", () => socket.destroy()));
  const { client, balancer, server } = await tunnelTo([backend.url], { clock, attemptTimeoutMs: 1_000 });
  client.write(...ask());
  await vi.waitFor(() => expect(backend.received).toHaveLength(1));
  await clock.advance(1_000);
  await client.closed;
  expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  await gone(balancer, server, backend);
  expect(clock.pending).toBe(0);
});

test("asks tunnels to end when the balancer closes, and delivers what the backend still says", async () => {
  const backend = await upgradeServer((socket) => {
    socket.write(SWITCH);
    socket.resume().once("end", () => socket.end("goodbye"));
  });
  const { client, balancer, server } = await tunnelTo([backend.url]);
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  await balancer.close();
  await client.until(/goodbye/);
  expect(await client.closed).toBe("ended");
  await gone(balancer, server, backend);
});

test("cuts tunnels off that do not end when the balancer closes", async () => {
  const clock = virtualClock();
  const backend = await upgradeServer((socket) => {
    socket.write(SWITCH);
    socket.resume();
  });
  const { client, balancer, server } = await tunnelTo([backend.url], { clock });
  client.write(...ask());
  await client.until(/\r\n\r\n/);
  const closed = balancer.close({ drainMs: 1_000 });
  await clock.advance(999);
  expect(backend.sockets.size).toBe(1);
  await clock.advance(1);
  await closed;
  await client.closed;
  await gone(balancer, server);
});
