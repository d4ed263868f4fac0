import { EventEmitter, getEventListeners, once } from "node:events";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { Balancer } from "@fairlead/core";
import { Agent, type Dispatcher } from "undici";
import { describe, expect, test, vi } from "vitest";
import { BalancedDispatcher, balance, createRequest } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { Recorder } from "./support/recorder.ts";
import { deadPort, httpServer, rawServer } from "./support/servers.ts";
import { ways } from "./undici-conformance/ways.ts";

const GET = { origin: "http://orders", path: "/", method: "GET" } as const;

/** What a dispatcher says of itself while it is closed or destroyed, with one request under way. */
async function told(end: "close" | "destroy", open: (url: string) => { dispatcher: Dispatcher; origin: string }) {
  const asked = Promise.withResolvers<Socket>();
  const server = await rawServer((socket) => asked.resolve(socket));
  const { dispatcher, origin } = open(server.url);
  const states: unknown[] = [];
  const note = (when: string): void => {
    const { closed, destroyed } = dispatcher as unknown as BalancedDispatcher;
    states.push(`${when}: closed ${closed}, destroyed ${destroyed}`);
  };
  note("open");
  const first = new Recorder();
  dispatcher.dispatch({ ...GET, origin }, first);
  const socket = await asked.promise;
  const ends = [dispatcher[end](), new Promise<void>((resolve) => dispatcher[end](resolve))];
  note("ending");
  const refused = new Recorder();
  const isTaken = dispatcher.dispatch({ ...GET, origin }, refused);
  states.push(isTaken, await refused.ended());
  socket.end("HTTP/1.1 204 No Content\r\n\r\n");
  await Promise.all(ends);
  note("over");
  return [...states, await first.ended()];
}

describe("the end of a dispatcher", () => {
  test.each(["close", "destroy"] as const)("is undici's own: %s", async (end) => {
    const expected = await told(end, (url) => ({ dispatcher: new Agent(), origin: url }));
    let balancer: Balancer | undefined;
    const seen = await told(end, (url) => {
      balancer = balancerOver([url]);
      return { dispatcher: new BalancedDispatcher(balancer), origin: "http://orders" };
    });
    expect(seen).toEqual(expected);
    if (balancer !== undefined) await idle(balancer);
    expect(balancer?.snapshot().state).toBe("open");
  });

  test("may be asked for again and again", async () => {
    const dispatcher = new BalancedDispatcher(balancerOver([await deadPort()]));
    await dispatcher.close();
    await dispatcher.close();
    await dispatcher.destroy();
    await new Promise<void>((resolve) => dispatcher.destroy(null, resolve));
    expect([dispatcher.closed, dispatcher.destroyed]).toEqual([true, true]);
  });
});

describe("stats", () => {
  test("count the connections to each backend that was called, whoever calls", async () => {
    const asked = Promise.withResolvers<Socket>();
    const server = await rawServer((socket) => asked.resolve(socket));
    const other = await httpServer();
    const balancer = balancerOver([server.url, other.url]);
    const dispatcher = new BalancedDispatcher(balancer);
    expect(dispatcher.stats).toEqual([]);
    const answer = createRequest(balancer)("/");
    const socket = await asked.promise;
    const backend = new URL(server.url).host;
    expect(dispatcher.stats).toMatchObject([
      { upstream: "orders", backend, connected: 1, free: 0, pending: 0, running: 1, queued: 0 },
    ]);
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    await (await answer).body.text();
    await vi.waitFor(() => expect(dispatcher.stats).toMatchObject([{ connected: 1, running: 0, queued: 0 }]));
    expect(JSON.parse(JSON.stringify(dispatcher.stats))).toMatchObject([{ upstream: "orders", backend }]);
  });
});

describe("mistakes in a dispatch", () => {
  const mistakes: readonly (readonly [string, object | null])[] = [
    ["no options", null],
    ["no path", { ...GET, path: undefined }],
    ["a path that is no text", { ...GET, path: 5 }],
    ["a path without a slash", { ...GET, path: "a" }],
    ["no method", { ...GET, method: undefined }],
    ["an empty method", { ...GET, method: "" }],
  ];

  test.each(mistakes)("%s: the handler hears of it, and no backend is blamed", async (_name, options) => {
    const server = await httpServer();
    const balancer = balancerOver([server.url]);
    for (const dispatcher of [new BalancedDispatcher(balancer), new Agent().compose(balance(balancer))]) {
      let code: unknown;
      const ended = Promise.withResolvers<void>();
      const onResponseError = (_controller: unknown, error: Error): void => {
        code = (error as { code?: unknown }).code;
        ended.resolve();
      };
      dispatcher.dispatch(options as never, { onRequestStart: () => {}, onResponseError });
      await ended.promise;
      expect(code).toBe("UND_ERR_INVALID_ARG");
    }
    expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0 });
    expect(server.received).toEqual([]);
    await idle(balancer);
  });

  test("no handler is thrown at the caller", async () => {
    const dispatcher = new BalancedDispatcher(balancerOver([await deadPort()]));
    for (const handler of [null, undefined, "x"])
      expect(() => dispatcher.dispatch(GET, handler as never)).toThrow("handler must be an object");
    expect(() => dispatcher.dispatch({ ...GET, path: "a" }, { onRequestStart: () => {} })).toThrow(
      "start with a slash",
    );
  });

  test("a path with line breaks is one path, as a URL has it", async () => {
    const server = await httpServer();
    const balancer = balancerOver([server.url]);
    for (const dispatcher of [new BalancedDispatcher(balancer), new Agent().compose(balance(balancer))]) {
      const recorder = new Recorder();
      dispatcher.dispatch({ ...GET, path: "/a HTTP/1.1\r\nx-evil: 1\r\n\r\nGET /b" }, recorder);
      expect(await recorder.ended()).toContain("headers 200");
    }
    expect(new Set(server.received)).toEqual(new Set(["GET /a%20HTTP/1.1x-evil:%201GET%20/b"]));
  });
});

describe("backends that misbehave", () => {
  const LONG = 8 * 2 ** 20;

  test.each(ways)("an answer before the body was read comes through: $name", async (way) => {
    const server = await rawServer((socket) => {
      socket.pause();
      socket.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nless");
      setImmediate(() => socket.resume());
    });
    const balancer = balancerOver([server.url]);
    const body = new Readable({ read: () => body.push(Buffer.alloc(2 ** 16)) });
    const answer = await way.open(balancer, server.url)("/", { method: "POST", body });
    expect([answer.statusCode, await answer.body.text()]).toEqual([413, "less"]);
    // Nobody wants the rest.
    body.push(null);
    await idle(balancer);
    await vi.waitFor(() => expect(body.destroyed).toBe(true));
  });

  test.each(ways)("an early refusal of a long body that closes the connection ends the call: $name", async (way) => {
    const server = await rawServer((socket) => {
      socket.end("HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 4\r\n\r\nless");
    });
    const balancer = balancerOver([server.url], { retry: false });
    const send = way.open(balancer, server.url);
    // Whether the answer or the end of the connection is seen first is up to the kernel.
    const seen = await send("/", { method: "POST", body: Buffer.alloc(LONG) }).then(
      async ({ statusCode, body }) => `${statusCode} ${await body.text().catch(() => "less")}`,
      (error: { code?: string }) => error.code,
    );
    expect(["413 less", "EPIPE", "ECONNRESET", "UND_ERR_SOCKET"]).toContain(seen);
    await idle(balancer);
  });

  test.each(ways)("a flood of hints ends with the attempt's time: $name", async (way) => {
    const server = await rawServer((socket) => {
      const hint = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(100);
      const pour = (): void => {
        if (!socket.destroyed) socket.write(hint, () => setImmediate(pour));
      };
      pour();
    });
    const balancer = balancerOver([server.url], { attemptTimeoutMs: 100, retry: false });
    let hints = 0;
    const options = { onInfo: () => hints++ };
    await expect(way.open(balancer, server.url)("/", options)).rejects.toMatchObject({ name: "TimeoutError" });
    expect(hints).toBeGreaterThan(100);
    expect(counters(balancer, 0)).toMatchObject({ failures: 1 });
    await idle(balancer);
    await vi.waitFor(() => expect(server.sockets.size).toBe(0));
  });
});

describe("listeners", () => {
  test.each(ways)("are gone when a call has ended: $name", async (way) => {
    const server = await httpServer();
    const balancer = balancerOver([await deadPort(), server.url]);
    const send = way.open(balancer, server.url);
    const { signal } = new AbortController();
    const emitter = new EventEmitter();
    const body = Readable.from(["hello"]);
    const before = body.listenerCount("error");
    for (const options of [{ signal }, { signal: emitter }, { method: "POST", body }]) {
      const answer = await send("/", options);
      const closed = once(answer.body, "close");
      await answer.body.text();
      await closed;
    }
    await expect(send("/", { signal: emitter, headers: { "a b": "1" } })).rejects.toThrow();
    await idle(balancer);
    await vi.waitFor(() => expect(getEventListeners(signal, "abort")).toHaveLength(0));
    expect(emitter.listenerCount("abort")).toBe(0);
    // A stream is for one request: undici leaves a listener on it, and createRequest another.
    expect(body.listenerCount("error") - before).toBeLessThanOrEqual(way.name === "createRequest" ? 2 : 1);
    await balancer.close();
    await vi.waitFor(() => expect(server.sockets.size).toBe(way.name === "balance()" ? 1 : 0));
  });
});
