import { Readable } from "node:stream";
import { createRouter, type Target } from "@fairlead/core";
import { describe, expect, test, vi } from "vitest";
import { type BodyFactory, createFetch, type FetchInit } from "../src/index.ts";
import { undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { deadPort, echo, httpServer, type Received, rawServer } from "./support/servers.ts";

const transports: readonly { name: string; connect: (target: Target) => ReturnType<typeof createFetch> }[] = [
  { name: "createFetch", connect: (target) => createFetch(target) },
  {
    name: "createFetch(undiciTransport)",
    connect: (target) => createFetch(target, { fetch: undiciTransport() }),
  },
];

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => error,
  );

async function* chunks(): AsyncGenerator<Uint8Array> {
  for (const text of ["one ", "two ", "three"]) yield new TextEncoder().encode(text);
}

const put = (body: BodyFactory, more: FetchInit = {}) => ({ method: "PUT", fairlead: { body, ...more } });

const stream = (): ReadableStream => Readable.toWeb(Readable.from(chunks())) as ReadableStream;

const brokenByText = (): ReadableStream => new ReadableStream({ pull: (controller) => controller.error("a text") });

const KINDS: Record<string, BodyFactory> = {
  "a stream": stream,
  "a generator": chunks,
  "a Readable": () => Readable.from(chunks()),
  "a text": () => "one two three",
  "a promise of a stream": async () => stream(),
};

for (const { name, connect } of transports) {
  describe(name, () => {
    test.each(Object.entries(KINDS))("sends %s again, whole, after a failure", async (_name, make) => {
      // Ends the connection when it has read the whole body.
      const bad = await httpServer((request) => request.socket.destroy());
      const good = await httpServer();
      const balancer = balancerOver([bad.url, good.url], { retry: { delayMs: 0 } });
      const made = vi.fn(make);
      const response = await connect(balancer)("/", put(made));
      expect(await response.json()).toMatchObject({ method: "PUT", body: "one two three" });
      expect([bad.received, made.mock.calls.length]).toEqual([["PUT /"], 2]);
      await idle(balancer);
    });

    test("a POST is repeated no more than any other", async () => {
      const bad = await httpServer((request) => request.socket.destroy());
      const good = await httpServer();
      const balancer = balancerOver([bad.url, good.url]);
      await expect(connect(balancer)("/", { method: "POST", fairlead: { body: chunks } })).rejects.toThrow();
      expect(good.received).toEqual([]);
    });

    test("makes the body again for a redirect, and for another origin", async () => {
      const elsewhere = await httpServer();
      const server = await httpServer((request, response, body) => {
        if (request.url === "/to") echo(request, response, body);
        else response.writeHead(307, { location: request.url === "/out" ? `${elsewhere.url}/x` : "/to" }).end();
      });
      const balancer = balancerOver([server.url]);
      for (const path of ["/from", "/out", `${elsewhere.url}/x`]) {
        const received = (await (await connect(balancer)(path, put(chunks))).json()) as Received;
        expect(received.body).toBe("one two three");
      }
      await idle(balancer);
    });

    test("goes before any other body", async () => {
      const call = connect(balancerOver([(await httpServer()).url]));
      const init = { ...put(() => "made"), body: "given" };
      expect(await (await call("/", init)).json()).toMatchObject({ body: "made" });
      const request = new Request("http://orders/", { method: "POST", body: "given" });
      expect(await (await call(request, { fairlead: { body: () => "made" } })).json()).toMatchObject({
        method: "POST",
        body: "made",
      });
      expect(request.bodyUsed).toBe(false);
    });

    test("what it throws ends the call, and blames nobody", async () => {
      const server = await httpServer();
      const balancer = balancerOver([server.url, server.url.replace("127.0.0.1", "localhost")]);
      const mine = new RangeError("mine");
      const call = connect(balancer);
      expect(
        await caught(
          call(
            "/",
            put(() => Promise.reject(mine)),
          ),
        ),
      ).toBe(mine);
      const thrown = put(() => Promise.reject("a text"));
      expect(await caught(call("/", thrown))).toBe("a text");
      await idle(balancer);
      expect(server.received).toEqual([]);
      for (const index of [0, 1]) expect(counters(balancer, index)).toMatchObject({ failures: 0, unreached: 0 });
    });

    test("a body that fails midway ends the call, and blames nobody", async () => {
      const server = await httpServer();
      const balancer = balancerOver([server.url], { retry: { delayMs: 0 } });
      const mine = new RangeError("mine");
      const make = vi.fn(async function* () {
        yield new Uint8Array([65]);
        throw mine;
      });
      await expect(connect(balancer)("/", put(make))).rejects.toThrow();
      await idle(balancer);
      expect(make).toHaveBeenCalledTimes(1);
      await caught(connect(balancer)("/", put(brokenByText)));
      await idle(balancer);
      expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0, ignored: 2 });
    });

    test("a body that is longer than it may be is refused, whole or stream", async () => {
      const server = await httpServer();
      const balancer = balancerOver([server.url]);
      for (const make of [() => "one two three", chunks]) {
        const call = connect(balancer)("/", put(make, { maxRequestBytes: 5 }));
        await expect(call).rejects.toMatchObject({ name: "TypeError", cause: { code: "FAIRLEAD_ERR_LIMIT" } });
      }
      await idle(balancer);
      expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0 });
    });

    test("streams are cancelled when the call fails or the caller aborts", async () => {
      const hanging = await rawServer(() => {});
      const balancer = balancerOver([hanging.url], { attemptTimeoutMs: 100, retry: false });
      const cancelled = vi.fn<(reason: unknown) => void>();
      const endless = () => {
        let left = 3;
        return new ReadableStream<Uint8Array<ArrayBuffer>>({
          pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(10)) : new Promise(() => {})),
          cancel: cancelled,
        });
      };
      await expect(connect(balancer)("/", put(endless))).rejects.toMatchObject({ name: "TimeoutError" });
      expect(cancelled).toHaveBeenCalledTimes(1);
      const controller = new AbortController();
      const call = connect(balancer)("/", { ...put(endless), signal: controller.signal });
      await vi.waitFor(() => expect(hanging.received).toHaveLength(2));
      controller.abort("gone");
      expect(await caught(call)).toBe("gone");
      expect(cancelled).toHaveBeenCalledTimes(2);
      await idle(balancer);
    });

    test("a stream that was not sent is cancelled, though another attempt succeeds", async () => {
      const balancer = balancerOver([await deadPort(), (await httpServer()).url], { retry: { delayMs: 0 } });
      const cancelled = vi.fn<(reason: unknown) => void>();
      const make = () => {
        let left = 3;
        return new ReadableStream<Uint8Array<ArrayBuffer>>(
          {
            pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(10)) : controller.close()),
            cancel: cancelled,
          },
          { highWaterMark: 0 },
        );
      };
      await (await connect(balancer)("/", put(make))).text();
      await vi.waitFor(() => expect(cancelled).toHaveBeenCalledTimes(1));
      await idle(balancer);
    });

    test("who aborts waits for no body, and one that comes too late is cancelled", async () => {
      const server = await httpServer();
      const balancer = balancerOver([server.url]);
      const asked = Promise.withResolvers<void>();
      const late = Promise.withResolvers<ReadableStream>();
      const cancelled = vi.fn<(reason: unknown) => void>();
      const make = () => {
        asked.resolve();
        return late.promise;
      };
      const controller = new AbortController();
      const call = caught(connect(balancer)("/", { ...put(make), signal: controller.signal }));
      await asked.promise;
      controller.abort("gone");
      expect(await call).toBe("gone");
      await idle(balancer);
      late.resolve(new ReadableStream({ cancel: cancelled }));
      await vi.waitFor(() => expect(cancelled).toHaveBeenCalledExactlyOnceWith("gone"));
      expect(server.received).toEqual([]);
    });

    test("a mirrored copy has a body of its own: neither ends that of the other, nor is blamed for it", async () => {
      const failing = await rawServer((socket) => void socket.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"));
      const bodies: string[] = [];
      const copied = await httpServer((_request, response, body) => void response.end(`${bodies.push(body)}`));
      const main = balancerOver([failing.url], { retry: false });
      const copies = balancerOver([copied.url], { name: "copies" });
      const router = createRouter({ name: "app", routes: [{ to: main, mirror: { to: copies, percent: 100 } }] });
      const over = Promise.withResolvers<void>();
      const call = connect(router);
      const bodyOf = (fails: number) => {
        let made = 0;
        return async function* () {
          const number = ++made;
          yield new Uint8Array([65]);
          yield new Uint8Array([66]);
          if (number === fails) throw new RangeError("mine");
          if (number === 2) await over.promise;
          yield new Uint8Array([67]);
        };
      };
      await expect(call("/", put(bodyOf(1)))).rejects.toThrow();
      over.resolve();
      await vi.waitFor(() => expect(bodies).toEqual(["ABC"]));
      expect((await call("/", put(bodyOf(2)))).status).toBe(500);
      for (const balancer of [main, copies]) await idle(balancer);
      expect(counters(main, 0)).toMatchObject({ ignored: 1, failures: 1 });
      expect(counters(copies, 0)).toMatchObject({ successes: 1, failures: 0, ignored: 1 });
    });

    test("only a function is one", async () => {
      const call = connect(balancerOver([(await httpServer()).url]));
      const init = { method: "PUT", fairlead: { body: "text" } } as never;
      await expect(call("/", init)).rejects.toThrow(/body: got "text", expected a function/);
    });
  });
}
