import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { type Balancer, createRouter, type Target } from "@fairlead/core";
import { FormData as UndiciFormData, request as undiciRequest } from "undici";
import { describe, expect, test, vi } from "vitest";
import { type BalancedInit, createFetch } from "../src/index.ts";
import { BalancedDispatcher, createRequest, undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { deadPort, httpServer, rawServer, type TestServer } from "./support/servers.ts";

type Fetch = (path: string, init: BalancedInit) => Promise<Response>;

const fetches: readonly { name: string; connect: (target: Target) => Fetch }[] = [
  { name: "createFetch", connect: (target) => createFetch(target) },
  {
    name: "createFetch(undiciTransport)",
    connect: (target) => createFetch(target, { fetch: undiciTransport() }),
  },
];

/** Closes the first request after it was read, and every other one as `echo` does. */
async function closing(): Promise<TestServer> {
  return rawServer((socket) => socket.destroy());
}

const form = (): FormData => {
  const data = new FormData();
  data.set("name", "value");
  return data;
};

const replayable: readonly { name: string; body: () => BodyInit; received: string | RegExp }[] = [
  { name: "text", body: () => "hello", received: "hello" },
  { name: "bytes", body: () => new TextEncoder().encode("hello"), received: "hello" },
  { name: "a buffer", body: () => new TextEncoder().encode("hello").buffer, received: "hello" },
  { name: "parameters", body: () => new URLSearchParams({ a: "1" }), received: "a=1" },
  { name: "a form", body: form, received: /name="name"\s+value/ },
  { name: "a blob", body: () => new Blob(["hello"]), received: "hello" },
];

const stream = (
  texts: readonly string[],
  cancel?: (reason: unknown) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> => {
  const left = [...texts];
  return new ReadableStream(
    {
      pull(controller) {
        const chunk = left.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(chunk));
      },
      ...(cancel === undefined ? {} : { cancel }),
    },
    { highWaterMark: 0 },
  );
};

async function* chunks() {
  yield Buffer.from("one ");
  yield Buffer.from("two");
}

const undiciForm = (): UndiciFormData => {
  const data = new UndiciFormData();
  data.set("name", "value");
  return data;
};

const send = async (balancer: Balancer, method: "PUT" | "POST", body: unknown): Promise<{ body: string }> => {
  const response = await createRequest(balancer)("/", { method, body: body as string });
  return JSON.parse(await text(response.body)) as { body: string };
};

const failing = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => error,
  );

for (const { name, connect } of fetches) {
  describe(name, () => {
    for (const { name: kind, body, received } of replayable) {
      test(`sends ${kind} again, whole, when a PUT is repeated`, async () => {
        const [bad, good] = [await closing(), await httpServer()];
        const balancer = balancerOver([bad.url, good.url]);
        const response = await connect(balancer)("/", { method: "PUT", body: body() });
        expect(((await response.json()) as { body: string }).body).toMatch(received);
        expect([bad.received, good.received]).toEqual([["PUT /"], ["PUT /"]]);
        await idle(balancer);
      });
    }

    const half = { duplex: "half" } as RequestInit;

    test("sends a stream as it comes", async () => {
      const good = await httpServer();
      const balancer = balancerOver([good.url]);
      const response = await connect(balancer)("/", { method: "POST", body: stream(["one ", "two"]), ...half });
      expect(await response.json()).toMatchObject({ body: "one two" });
      await idle(balancer);
    });

    test("sends what an async iterable yields", async () => {
      const good = await httpServer();
      const balancer = balancerOver([good.url]);
      const body = chunks() as unknown as BodyInit;
      const response = await connect(balancer)("/", { method: "POST", body, ...half });
      expect(await response.json()).toMatchObject({ body: "one two" });
      await idle(balancer);
    });

    test("takes an unread stream to another backend", async () => {
      const good = await httpServer();
      const balancer = balancerOver([await deadPort(), good.url]);
      const response = await connect(balancer)("/", { method: "POST", body: stream(["one ", "two"]), ...half });
      expect(await response.json()).toMatchObject({ body: "one two" });
      expect(counters(balancer, 0)).toMatchObject({ unreached: 1 });
      await idle(balancer);
    });

    test("takes the unread body of a Request to another backend", async () => {
      const good = await httpServer();
      const balancer = balancerOver([await deadPort(), good.url]);
      const request = new Request("http://orders/", { method: "POST", body: "hello", headers: { "x-a": "1" } });
      const response = await createFetchOf(connect, balancer)(request);
      expect(await response.json()).toMatchObject({ body: "hello", headers: { "x-a": "1" } });
      expect(request.bodyUsed).toBe(true);
      await idle(balancer);
    });

    test("never sends a stream again that was read, though its method is idempotent", async () => {
      const [bad, good] = [await closing(), await httpServer()];
      const balancer = balancerOver([bad.url, good.url]);
      const error = await failing(connect(balancer)("/", { method: "PUT", body: stream(["one ", "two"]), ...half }));
      expect(error).toBeInstanceOf(TypeError);
      expect(good.received).toEqual([]);
      await idle(balancer);
    });

    test("blames nobody when the stream fails", async () => {
      const good = await httpServer();
      const balancer = balancerOver([good.url]);
      const body = new ReadableStream({
        pull(controller) {
          controller.error(new Error("disk on fire"));
        },
      });
      expect(await failing(connect(balancer)("/", { method: "POST", body, ...half }))).toBeInstanceOf(Error);
      expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0, ignored: 1 });
      await idle(balancer);
    });

    test("cancels a stream nobody reads when the caller aborts", async () => {
      const good = await httpServer();
      const balancer = balancerOver([good.url]);
      const cancelled = vi.fn();
      const reason = new Error("enough");
      const init = { method: "POST", body: stream(["one"], cancelled), signal: AbortSignal.abort(reason), ...half };
      expect(await failing(connect(balancer)("/", init))).toBe(reason);
      await vi.waitFor(() => expect(cancelled).toHaveBeenCalledWith(reason));
    });

    test("cancels a stream that there is no route for, or that says that it is too long", async () => {
      const good = await httpServer();
      const balancer = balancerOver([good.url]);
      const router = createRouter({ name: "app", routes: [{ path: "/v1", to: balancer }] });
      const call = connect(router);
      const init = { method: "POST", headers: { "content-length": "3" }, ...half };
      const fairlead = { maxRequestBytes: 1 };
      for (const [path, code] of [
        ["/v2", "FAIRLEAD_ERR_NO_ROUTE"],
        ["/v1", "FAIRLEAD_ERR_LIMIT"],
      ] as const) {
        const cancelled = vi.fn();
        const error = await failing(call(path, { ...init, body: stream(["one"], cancelled), fairlead }));
        expect(error).toMatchObject({ cause: { code } });
        await vi.waitFor(() => expect(cancelled).toHaveBeenCalledTimes(1));
      }
      expect(good.received).toEqual([]);
    });

    test("refuses a stream that somebody else reads, and a Request that was used", async () => {
      const good = await httpServer();
      const balancer = balancerOver([good.url]);
      const locked = stream(["one"]);
      locked.getReader();
      expect(await failing(connect(balancer)("/", { method: "POST", body: locked, ...half }))).toBeInstanceOf(
        TypeError,
      );
      const used = new Request("http://orders/", { method: "POST", body: "hello" });
      await used.text();
      expect(await failing(createFetchOf(connect, balancer)(used))).toBeInstanceOf(TypeError);
      expect(good.received).toEqual([]);
      expect(counters(balancer, 0).attempts).toBe(0);
    });
  });
}

function createFetchOf(connect: (target: Target) => Fetch, balancer: Balancer): typeof fetch {
  return connect(balancer) as unknown as typeof fetch;
}

describe("createRequest", () => {
  for (const [kind, body, received] of [
    ["text", () => "hello", /^hello$/],
    ["bytes", () => new TextEncoder().encode("hello"), /^hello$/],
    ["a Buffer", () => Buffer.from("hello"), /^hello$/],
    ["a form", undiciForm, /name="name"\s+value/],
    ["a blob", () => new Blob(["hello"]), /^hello$/],
  ] as const) {
    test(`sends ${kind} again, whole, when a PUT is repeated`, async () => {
      const [bad, good] = [await closing(), await httpServer()];
      const balancer = balancerOver([bad.url, good.url]);
      expect((await send(balancer, "PUT", body())).body).toMatch(received);
      expect([bad.received, good.received]).toEqual([["PUT /"], ["PUT /"]]);
      await idle(balancer);
    });
  }

  const streams: readonly [string, () => unknown][] = [
    ["a Readable", () => Readable.from(["one ", "two"].map((chunk) => Buffer.from(chunk)))],
    ["a ReadableStream", () => stream(["one ", "two"])],
    ["an async iterable", chunks],
    [
      "a generator",
      function* () {
        yield Buffer.from("one ");
        yield Buffer.from("two");
      },
    ],
  ];

  for (const [kind, make] of streams) {
    test(`sends ${kind} once, and takes it elsewhere unread`, async () => {
      const good = await httpServer();
      const balancer = balancerOver([await deadPort(), good.url]);
      expect((await send(balancer, "POST", make())).body).toBe("one two");
      await idle(balancer);
    });

    test(`never sends ${kind} again once it was read`, async () => {
      const [bad, good] = [await closing(), await httpServer()];
      const balancer = balancerOver([bad.url, good.url]);
      expect(await failing(send(balancer, "PUT", make()))).toBeInstanceOf(Error);
      expect(good.received).toEqual([]);
      await idle(balancer);
    });
  }

  test("blames nobody when a Readable fails, before or while it is sent", async () => {
    const good = await httpServer();
    const balancer = balancerOver([good.url]);
    for (const delayed of [false, true]) {
      const body = new Readable({
        read() {
          if (!delayed) this.destroy(new Error("disk on fire"));
          else if (this.readableFlowing === null) this.push("some");
          else setImmediate(() => this.destroy(new Error("disk on fire")));
        },
      });
      expect(await failing(send(balancer, "POST", body))).toBeInstanceOf(Error);
    }
    expect(counters(balancer, 0)).toMatchObject({ failures: 0, unreached: 0 });
    await idle(balancer);
  });

  test("destroys a Readable when the call fails", async () => {
    const balancer = balancerOver([await deadPort()]);
    const body = Readable.from([Buffer.from("one")]);
    expect(await failing(send(balancer, "POST", body))).toBeInstanceOf(Error);
    expect(body.destroyed).toBe(true);
  });
});

describe("a stream that was read", () => {
  const liar = { classify: ({ failed }: { failed: boolean }) => (failed ? ("unreached" as const) : undefined) };

  test.each(fetches)("is not sent again by $name, whatever a classifier says", async ({ connect }) => {
    const broken = await closing();
    const good = await httpServer();
    const balancer = balancerOver([broken.url, good.url], liar);
    const init = { method: "POST", body: stream(["one ", "two ", "three"]), duplex: "half" } as RequestInit;
    await expect(connect(balancer)("/", init)).rejects.toThrow();
    expect(good.received).toEqual([]);
    await idle(balancer);
  });

  test("is not sent again by createRequest, whatever a classifier says", async () => {
    const broken = await closing();
    const good = await httpServer();
    const balancer = balancerOver([broken.url, good.url], liar);
    const body = Readable.from([Buffer.from("one "), Buffer.from("two")]);
    await expect(createRequest(balancer)("/", { method: "POST", body })).rejects.toThrow();
    expect(good.received).toEqual([]);
    await idle(balancer);
  });

  test("is not sent again by a dispatcher, whatever a classifier says", async () => {
    const broken = await closing();
    const good = await httpServer();
    const balancer = balancerOver([broken.url, good.url], liar);
    const body = Readable.from([Buffer.from("one "), Buffer.from("two")]);
    const dispatcher = new BalancedDispatcher(balancer);
    await expect(undiciRequest("http://orders/", { dispatcher, method: "POST", body })).rejects.toThrow();
    expect(good.received).toEqual([]);
    await idle(balancer);
  });
});
