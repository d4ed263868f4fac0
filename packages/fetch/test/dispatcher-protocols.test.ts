import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { type Balancer, type BreakerProvider, hedging } from "@fairlead/core";
import { Agent, type Dispatcher, pipeline, request, stream, upgrade } from "undici";
import { describe, expect, test, vi } from "vitest";
import { BalancedDispatcher, balance } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { certificate } from "./support/certificate.ts";
import { Recorder } from "./support/recorder.ts";
import { deadPort, http2Server, httpServer, rawServer } from "./support/servers.ts";

const h2 = { allowH2: true, connect: { ca: certificate } };

const kinds: readonly (readonly [string, (balancer: Balancer) => Dispatcher])[] = [
  ["BalancedDispatcher", (balancer) => new BalancedDispatcher(balancer, { pool: h2 })],
  ["balance()", (balancer) => new Agent(h2).compose(balance(balancer))],
];

const GET = { origin: "http://orders", path: "/", method: "GET" } as const;

describe.each(kinds)("%s", (_kind, open) => {
  test("speaks HTTP/2 where a backend does, with bodies and trailers", async () => {
    const server = await http2Server((own) => {
      own.additionalHeaders({ ":status": 100 });
      own.respond({ ":status": 200, "x-h2": "1" }, { waitForTrailers: true });
      own.on("wantTrailers", () => own.sendTrailers({ "x-checksum": "42" }));
      own.pipe(own);
    });
    const balancer = balancerOver([await deadPort(), { url: server.url, tls: { ca: certificate } }]);
    const options = { method: "POST", body: Readable.from(["hel", "lo"]), expectContinue: true } as const;
    const dispatcher = open(balancer);
    const { headers, body, trailers } = await request("http://orders/a", { ...options, dispatcher });
    expect([headers["x-h2"], await body.text(), trailers]).toEqual(["1", "hello", { "x-checksum": "42" }]);
    expect(server.received).toEqual(["POST /a"]);
    await idle(balancer);
  });

  test("streams and pipes", async () => {
    const server = await httpServer();
    const balancer = balancerOver([await deadPort(), server.url]);
    const dispatcher = open(balancer);
    let streamed = "";
    await stream("http://orders/s", { method: "GET", dispatcher }, () => {
      return new Writable({
        write(chunk, _encoding, done) {
          streamed += chunk;
          done();
        },
      });
    });
    expect(JSON.parse(streamed)).toMatchObject({ url: "/s" });
    const piped = pipeline("http://orders/p", { method: "PUT", dispatcher }, ({ body }) => body);
    piped.end("through");
    expect(JSON.parse(await text(piped))).toMatchObject({ method: "PUT", body: "through" });
    await idle(balancer);
  });

  test("hands over an upgraded socket, and what is no upgrade as an error", async () => {
    const server = await rawServer((socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    const balancer = balancerOver([await deadPort(), server.url]);
    const { socket } = await open(balancer).upgrade({ ...GET, protocol: "echo" });
    socket.write("hello");
    expect(String((await once(socket, "data"))[0])).toBe("hello");
    expect(counters(balancer, 1)).toMatchObject({ connections: 1, requests: 0 });
    socket.destroy();
    await idle(balancer);
    const plain = balancerOver([(await httpServer()).url]);
    await expect(upgrade("http://orders/", { dispatcher: open(plain) })).rejects.toThrow("bad upgrade");
    await idle(plain);
  });

  test("reports an upgrade that reaches nobody", async () => {
    const balancer = balancerOver([await deadPort(), await deadPort()], { retry: false });
    await expect(upgrade("http://orders/", { dispatcher: open(balancer) })).rejects.toMatchObject({
      attempts: [{ outcome: "unreached" }, { outcome: "unreached" }],
    });
    await idle(balancer);
  });

  test("carries WebSockets", async () => {
    const server = await rawServer((socket, head) => {
      const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1];
      // RFC 6455 §4.2.2.
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.write("HTTP/1.1 101 Here\r\nconnection: upgrade\r\nupgrade: websocket\r\n");
      socket.write(`sec-websocket-accept: ${accept}\r\n\r\n`);
      // Whatever comes is answered with a close frame.
      socket.once("data", () => socket.end(Buffer.from([0x88, 0x00])));
    });
    const balancer = balancerOver([await deadPort(), server.url]);
    const socket = new WebSocket("ws://orders/", { dispatcher: open(balancer) } as never);
    await once(socket, "open");
    expect(counters(balancer, 1)).toMatchObject({ connections: 1, requests: 0 });
    socket.close();
    await once(socket, "close");
    await idle(balancer);
  });

  test("keeps a consumer's pause across a retry: the backend stops, and goes on when told", async () => {
    const total = 64 * 2 ** 20;
    const piece = Buffer.alloc(2 ** 16);
    let written = 0;
    const fill = (response: ServerResponse): void => {
      while (written < total) {
        written += piece.length;
        if (!response.write(piece)) {
          response.once("drain", () => fill(response));
          return;
        }
      }
      response.end();
    };
    const bad = await httpServer((_request, response) => response.writeHead(502).end("no"));
    const good = await httpServer((_request, response) => fill(response));
    const balancer = balancerOver([bad.url, good.url], { retry: { delayMs: 0 } });
    const recorder = new Recorder((event, controller) => {
      if (event === "headers 200") controller?.pause();
    });
    open(balancer).dispatch(GET, recorder);
    let before = -1;
    await vi.waitFor(
      () => {
        const now = written;
        const stands = now > 0 && now === before;
        before = now;
        expect(stands).toBe(true);
      },
      { timeout: 5_000, interval: 100 },
    );
    expect(written).toBeLessThan(total / 2);
    expect(recorder.controllers.size).toBe(1);
    const [controller] = recorder.controllers;
    expect(controller?.paused).toBe(true);
    controller?.resume();
    expect((await recorder.ended()).at(-1)).toBe("end {}");
    expect(recorder.bytes).toBe(total);
    await idle(balancer);
  });

  test("hears one attempt of a hedge alone, and pauses that one, though the other began later", async () => {
    const later = Promise.withResolvers<void>();
    const slow = await httpServer((_request, response) => {
      later.promise.then(() => response.end(Buffer.alloc(2 ** 20))).catch(() => {});
    });
    const silent = await httpServer(() => later.resolve());
    const balancer = balancerOver([slow.url, silent.url], { hedge: hedging({ delayMs: 5 }) });
    let bytesWhilePaused = -1;
    const recorder = new Recorder((event, controller) => {
      if (event !== "headers 200") return;
      expect(controller?.rawHeaders).toContainEqual(Buffer.from("1048576"));
      controller?.pause();
      setImmediate(() => {
        bytesWhilePaused = recorder.bytes;
        controller?.resume();
      });
    });
    open(balancer).dispatch(GET, recorder);
    const events = await recorder.ended();
    // Both requests were sent; of what comes back, one alone is heard.
    expect(events.filter((event) => event !== "request sent")).toEqual(["start", "headers 200", "data", "end {}"]);
    expect([bytesWhilePaused, recorder.bytes, recorder.controllers.size]).toEqual([0, 2 ** 20, 1]);
    await idle(balancer);
  });

  test("hears nothing of a rival that goes on to prove its backend after it has lost", async () => {
    const later = Promise.withResolvers<void>();
    const slow = await httpServer((_request, response) => {
      later.promise.then(() => response.end("slow")).catch(() => {});
    });
    const fast = await httpServer((_request, response) => response.end("quick"));
    const halfOpen: BreakerProvider = {
      name: "half-open",
      create: () => ({
        state: "half-open",
        admits: () => true,
        enter: () => 0,
        report: () => {},
        [Symbol.dispose]: () => {},
      }),
    };
    const balancer = balancerOver([slow.url, fast.url], { hedge: hedging({ delayMs: 1 }), breaker: halfOpen });
    const recorder = new Recorder();
    open(balancer).dispatch(GET, recorder);
    await recorder.ended();
    expect(counters(balancer, 0).requests).toBe(1);
    later.resolve();
    await idle(balancer);
    expect(counters(balancer, 0)).toMatchObject({ successes: 1 });
    expect(recorder.events.filter((event) => /^(start|headers|end)/.test(event))).toEqual([
      "start",
      "headers 200",
      "end {}",
    ]);
    expect(recorder.bytes).toBe("quick".length);
  });
});

describe("a handler", () => {
  const requests: readonly (readonly [string, () => Partial<Dispatcher.DispatchOptions>])[] = [
    ["GET", () => ({})],
    ["HEAD", () => ({ method: "HEAD" })],
    ["POST of bytes", () => ({ method: "POST", body: "hello" })],
    ["POST of a stream", () => ({ method: "POST", body: Readable.from(["hello"]) })],
    ["an answer with hints", () => ({ path: "/hints" })],
    ["an answer with trailers", () => ({ path: "/trailers" })],
    ["a wrong header", () => ({ headers: { "a b": "1" } })],
  ];
  const moments = ["none", "start", "body sent", "request sent", "response started", "headers 200", "data", "end {}"];

  test.each(requests)("hears of %s what undici tells, whatever it throws", async (_name, own) => {
    const server = await httpServer((asked, response) => {
      if (asked.url === "/hints") response.writeEarlyHints({ link: "</a>" });
      if (asked.url === "/trailers") response.writeHead(200, { trailer: "x-sum" }).addTrailers({ "x-sum": "1" });
      response.write("body");
      response.end();
    });
    const told = async (dispatcher: Dispatcher, origin: string, moment: string): Promise<readonly string[]> => {
      const recorder = new Recorder((event) => {
        if (event === moment) throw new Error(`thrown at ${moment}`);
      });
      dispatcher.dispatch({ ...GET, ...own(), origin }, recorder);
      return recorder.ended();
    };
    for (const moment of moments) {
      const expected = await told(new Agent(), server.url, moment);
      for (const [name, open] of kinds) {
        const balancer = balancerOver([server.url]);
        expect(await told(open(balancer), "http://orders", moment), `${name}, ${moment}`).toEqual(expected);
        await idle(balancer);
        expect(counters(balancer, 0)).toMatchObject({ failures: 0, streamFailures: 0 });
      }
    }
  });
});

test("tunnels go to the dispatcher for other origins", async () => {
  const proxy = createServer().on("connect", (_request, socket: Socket) => {
    socket.end("HTTP/1.1 200 Connected\r\n\r\nhello");
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  const balancer = balancerOver([await deadPort()]);
  const dispatcher = new BalancedDispatcher(balancer, { passThrough: new Agent() });
  const { statusCode, socket } = await dispatcher.connect({
    origin: `http://127.0.0.1:${port}`,
    path: "a.test:80",
  });
  expect([statusCode, await text(socket)]).toEqual([200, "hello"]);
  expect(balancer.snapshot().calls.calls).toBe(0);
  proxy.close();
});
