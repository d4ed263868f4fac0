import { once } from "node:events";
import { constants, type Http2Session, type ServerHttp2Stream } from "node:http2";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { virtualClock } from "@fairlead/core/testing";
import { expect, test, vi } from "vitest";
import { createFetch } from "../../src/index.ts";
import { BalancedDispatcher, createRequest, type PoolOptions, undiciTransport } from "../../src/undici/index.ts";
import { balancerOver, counters, idle } from "../support/balancers.ts";
import { certificate } from "../support/certificate.ts";
import { http2Server, httpServer } from "../support/servers.ts";
import { refusingServer } from "./frames.ts";
import { statsOf, untilStats } from "./support.ts";

const tls = { ca: certificate };

/** A server that counts how many streams are open at once, and on which sessions. */
async function countingServer(maxConcurrentStreams: number) {
  const open = new Map<Http2Session | undefined, number>();
  const counts = { most: 0, sessions: 0 };
  const serve = async (stream: ServerHttp2Stream): Promise<void> => {
    const { session } = stream;
    const now = (open.get(session) ?? 0) + 1;
    open.set(session, now);
    counts.most = Math.max(counts.most, now);
    counts.sessions = open.size;
    stream.once("close", () => open.set(session, (open.get(session) ?? 0) - 1));
    const body = await text(stream);
    await setTimeout(2);
    stream.respond({ ":status": 200 });
    stream.end(body);
  };
  const server = await http2Server((stream) => void serve(stream).catch(() => {}), {
    settings: { maxConcurrentStreams },
  });
  return { server, counts };
}

for (const streams of [1, 2, 3]) {
  for (const [title, pool, sessions] of [
    ["one connection", { connections: 1 }, [1, 1]],
    ["two connections", { connections: 2 }, [2, 2]],
    ["any number of connections", {}, [2, 50]],
  ] as const) {
    test(`${streams} streams at once over ${title}: 50 requests are answered, none is refused`, async () => {
      const { server, counts } = await countingServer(streams);
      const balancer = balancerOver([{ url: server.url, tls }], { retry: false });
      const request = createRequest(balancer, { pool: { ...pool, allowH2: true } });
      const bodies = Array.from({ length: 50 }, (_, index) => `body ${index}`);
      const answers = bodies.map(async (body, index) => {
        const method = index % 2 === 0 ? "POST" : "PUT";
        return (await request("/", { method, body })).body.text();
      });
      expect(await Promise.all(answers)).toEqual(bodies);
      expect(counts.most).toBeLessThanOrEqual(streams);
      expect(counts.sessions).toBeGreaterThanOrEqual(sessions[0]);
      expect(counts.sessions).toBeLessThanOrEqual(sessions[1]);
      expect(counters(balancer, 0)).toMatchObject({ successes: 50, failures: 0, unreached: 0 });
      await idle(balancer);
      await untilStats(balancer, { pending: 0, running: 0, queued: 0 });
    });
  }
}

test("many requests at once begin with one connection, and stay on it while it has room", async () => {
  const { server, counts } = await countingServer(100);
  const balancer = balancerOver([{ url: server.url, tls }]);
  const request = createRequest(balancer, { pool: { allowH2: true } });
  await Promise.all(Array.from({ length: 60 }, async () => (await request("/")).body.text()));
  expect(counts.sessions).toBe(1);
  expect(statsOf(balancer).connected).toBe(1);
});

test("a connection that is full for long, from its first stream on, keeps nobody waiting", async () => {
  const server = await http2Server(
    (stream, path) => {
      stream.respond({ ":status": 200 });
      if (path === "/events") stream.write("first");
      else stream.end("short");
    },
    { settings: { maxConcurrentStreams: 1 } },
  );
  const balancer = balancerOver([{ url: server.url, tls }]);
  const request = createRequest(balancer, { pool: { allowH2: true } });
  const [events, short] = await Promise.all([request("/events"), request("/short")]);
  expect(await short.body.text()).toBe("short");
  expect(server.sockets.size).toBe(2);
  events.body.destroy();
});

/** A server that, at a stream for `/late`, says GOAWAY with the one before as the last, and then answers that one. */
async function leavingServer(errorCode: number) {
  let first: ServerHttp2Stream | undefined;
  const server = await http2Server((stream, path) => {
    if (path === "/early") first = stream;
    else if (first?.id !== undefined && stream.session === first.session) {
      stream.session?.goaway(errorCode, first.id);
      first.respond({ ":status": 200 });
      first.end("early");
    } else {
      stream.respond({ ":status": 200 });
      stream.end("late, elsewhere");
    }
  });
  return server;
}

for (const method of ["GET", "POST"]) {
  test(`GOAWAY: the stream below ends, the ${method} above goes over a new connection`, async () => {
    const server = await leavingServer(constants.NGHTTP2_NO_ERROR);
    const balancer = balancerOver([{ url: server.url, tls }], { retry: false });
    const request = createRequest(balancer, { pool: { allowH2: true } });
    const early = request("/early");
    await vi.waitFor(() => expect(server.received).toHaveLength(1));
    await untilStats(balancer, { free: 1 });
    const late = await request("/late", { method });
    expect(await (await early).body.text()).toBe("early");
    expect(await late.body.text()).toBe("late, elsewhere");
    expect(counters(balancer, 0)).toMatchObject({ successes: 2, failures: 0 });
    await idle(balancer);
    // The connection that said goodbye is gone; the next request finds one that has not.
    expect(await (await request("/late")).body.text()).toBe("late, elsewhere");
    await untilStats(balancer, { connected: 1, free: 1, pending: 0, running: 0 });
  });
}

for (const [title, errorCode, below] of [
  ["in peace", constants.NGHTTP2_NO_ERROR, { text: "early", successes: 1, failures: 0 }],
  // Node then destroys the session, and with it the streams that could have ended.
  ["with an error", constants.NGHTTP2_ENHANCE_YOUR_CALM, { text: "good: ", successes: 0, failures: 1 }],
] as const) {
  test(`GOAWAY ${title} above which a POST is that undici can't repeat: it is unreached, and goes elsewhere`, async () => {
    const server = await leavingServer(errorCode);
    const good = await httpServer((_request, response, body) => void response.end(`good: ${body}`));
    const balancer = balancerOver([{ url: server.url, tls }, good.url], { ejection: false });
    const pool: PoolOptions = { allowH2: true };
    const early = createRequest(balancer, { pool })("/early");
    await vi.waitFor(() => expect(server.received).toHaveLength(1));
    await untilStats(balancer, { free: 1 });
    // `fetch` hands a stream to its dispatcher, whatever it was given.
    const late = await createFetch(balancer, { fetch: undiciTransport() })("/late", { method: "POST", body: "hello" });
    expect(await late.text()).toBe("good: hello");
    const { text: earlyText, ...counted } = below;
    expect(await (await early).body.text()).toBe(earlyText);
    expect(counters(balancer, 0)).toMatchObject({ ...counted, unreached: 1 });
    await idle(balancer);
  });

  test(`a server that says GOAWAY ${title} to everything: a POST is unreached, and goes elsewhere`, async () => {
    const server = await refusingServer(errorCode);
    const good = await httpServer((_request, response, body) => void response.end(`good: ${body}`));
    const balancer = balancerOver([{ url: server.url, tls }, good.url]);
    const request = createRequest(balancer, { pool: { allowH2: true } });
    const { body } = await request("/", { method: "POST", body: "hello" });
    expect(await body.text()).toBe("good: hello");
    expect(counters(balancer, 0)).toMatchObject({ unreached: 1, failures: 0 });
    // undici tries once more by itself, over another connection.
    expect(server.received).toHaveLength(2);
    await idle(balancer);
    await vi.waitFor(() => expect(server.sockets.size).toBe(0));
  });
}

test("a tunnel over a connection that comes of age lives on", async () => {
  const server = await http2Server(
    (stream, path) => {
      stream.respond({ ":status": 200 });
      if (path === "/socket") stream.pipe(stream);
      else stream.end("short");
    },
    { settings: { enableConnectProtocol: true } },
  );
  const clock = virtualClock();
  const balancer = balancerOver([{ url: server.url, tls }], { clock });
  const pool: PoolOptions = { allowH2: true, maxConnectionAgeMs: 1_000 };
  const request = createRequest(balancer, { pool });
  await (await request("/")).body.text();
  const upgrade = { origin: balancer.origin, path: "/socket", method: "GET", upgrade: "websocket" } as const;
  const { socket } = await new BalancedDispatcher(balancer).upgrade({ ...upgrade, protocol: "websocket" });
  await clock.advance(2_000);
  expect(await (await request("/")).body.text()).toBe("short");
  await vi.waitFor(() => expect(server.sockets.size).toBe(2));
  socket.write("hello");
  expect(String((await once(socket, "data"))[0])).toBe("hello");
  socket.destroy();
  await idle(balancer);
});
