// Bodies that are too long: refused before anything is sent, or ended on their way; nobody is blamed, nothing repeated.
import { Readable } from "node:stream";
import { type Balancer, FairleadError } from "@fairlead/core";
import { Agent, FormData as UndiciFormData, request as undiciRequest } from "undici";
import { describe, expect, test, vi } from "vitest";
import { createFetch } from "../src/index.ts";
import { BalancedDispatcher, balance, createRequest, undiciTransport } from "../src/undici/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { httpServer, type TestServer } from "./support/servers.ts";

interface Init {
  readonly method: "POST" | "PUT";
  readonly body: unknown;
  readonly headers?: Record<string, string> | string[];
}

type Send = (init: Init) => Promise<unknown>;

interface Way {
  readonly name: string;
  readonly connect: (balancer: Balancer, max: number) => Send;
  /** The `FairleadError` of what it rejects with. */
  readonly reason: (error: unknown) => unknown;
}

const itself = (error: unknown): unknown => error;
const cause = (error: unknown): unknown => {
  expect(error).toBeInstanceOf(TypeError);
  return (error as Error).cause;
};
const streamed = (init: Init): RequestInit =>
  ({ ...init, ...(isStream(init.body) ? { duplex: "half" } : {}) }) as RequestInit;
const isStream = (body: unknown): boolean =>
  typeof body === "object" && body !== null && (body instanceof ReadableStream || Symbol.asyncIterator in body);

const ways: readonly Way[] = [
  {
    name: "createFetch",
    connect: (balancer, max) => {
      const fetch = createFetch(balancer, { maxRequestBytes: max });
      return (init) => fetch("/", streamed(init));
    },
    reason: cause,
  },
  {
    name: "createFetch for one call",
    connect: (balancer, max) => {
      const fetch = createFetch(balancer, { maxRequestBytes: max * 1_000 });
      return (init) => fetch("/", { ...streamed(init), fairlead: { maxRequestBytes: max } });
    },
    reason: cause,
  },
  {
    name: "createFetch(undiciTransport)",
    connect: (balancer, max) => {
      const fetch = createFetch(balancer, { fetch: undiciTransport(), maxRequestBytes: max });
      return (init) => fetch("/", streamed(init));
    },
    reason: cause,
  },
  {
    name: "createRequest",
    connect: (balancer, max) => {
      const send = createRequest(balancer, { maxRequestBytes: max });
      return async (init) => (await send("/", init as never)).body.dump();
    },
    reason: itself,
  },
  {
    name: "BalancedDispatcher",
    connect: (balancer, max) => {
      const dispatcher = new BalancedDispatcher(balancer, { maxRequestBytes: max });
      return async (init) =>
        (await undiciRequest(new URL("/", balancer.origin), { ...init, dispatcher } as never)).body.dump();
    },
    reason: itself,
  },
  {
    name: "fetch through BalancedDispatcher",
    connect: (balancer, max) => {
      const dispatcher = new BalancedDispatcher(balancer, { maxRequestBytes: max });
      return (init) => fetch(new URL("/", balancer.origin), { ...streamed(init), dispatcher } as RequestInit);
    },
    reason: cause,
  },
  {
    name: "balance()",
    connect: (balancer, max) => {
      const dispatcher = new Agent().compose(balance(balancer, { maxRequestBytes: max }));
      return async (init) =>
        (await undiciRequest(new URL("/", balancer.origin), { ...init, dispatcher } as never)).body.dump();
    },
    reason: itself,
  },
];

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(97);

async function* chunks(count: number, length: number) {
  for (let index = 0; index < count; index++) {
    yield Buffer.from(bytes(length));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const failing = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "no error", itself);

async function two(): Promise<{ balancer: Balancer; servers: TestServer[] }> {
  const servers = [await httpServer(), await httpServer()];
  return { balancer: balancerOver(servers.map(({ url }) => url)), servers };
}

function expectBlameless(balancer: Balancer): void {
  for (const index of [0, 1])
    expect(counters(balancer, index)).toMatchObject({ failures: 0, unreached: 0, overloads: 0 });
  expect(balancer.snapshot().calls).toMatchObject({ retries: 0, requeues: 0 });
  expect(balancer.snapshot().limits.shed["request-bytes"]).toBe(1);
}

describe.each(ways)("with maxRequestBytes, $name", ({ connect, reason }) => {
  test("refuses a text that is too long, and sends nothing", async () => {
    const { balancer, servers } = await two();
    const events: unknown[] = [];
    balancer.on("callShed", (event) => events.push(event));
    const error = reason(await failing(connect(balancer, 10)({ method: "PUT", body: "ääääää" })));
    expect(error).toBeInstanceOf(FairleadError);
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "request-bytes" });
    expect(servers.map(({ received }) => received.length)).toEqual([0, 0]);
    expect(events).toEqual([{ upstream: "orders", limit: "request-bytes" }]);
    expectBlameless(balancer);
  });

  test("lets a text of exactly that length through", async () => {
    const { balancer, servers } = await two();
    await connect(balancer, 12)({ method: "PUT", body: "ääääää" });
    expect(servers[0]?.received).toEqual(["PUT /"]);
    expect(balancer.snapshot().limits.shed["request-bytes"]).toBe(0);
  });

  test("ends a stream that becomes too long, repeats nothing and blames nobody", async () => {
    const { balancer, servers } = await two();
    const body = Readable.from(chunks(50, 1_000));
    const error = reason(await failing(connect(balancer, 20_000)({ method: "PUT", body })));
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "request-bytes" });
    await idle(balancer);
    expectBlameless(balancer);
    expect(servers[1]?.received).toEqual([]);
    await vi.waitFor(() => expect(body.destroyed).toBe(true), { timeout: 1_000, interval: 5 });
  });

  test("lets a stream of exactly that length through", async () => {
    const { balancer } = await two();
    await connect(balancer, 20_000)({ method: "PUT", body: Readable.from(chunks(20, 1_000)) });
    expect(balancer.snapshot().limits.shed["request-bytes"]).toBe(0);
  });
});

const form = (make: FormData | UndiciFormData): unknown => {
  make.set("file", "x".repeat(200));
  return make;
};

describe("what is known to be too long", () => {
  const known: readonly { name: string; body: () => unknown; headers?: Record<string, string> }[] = [
    { name: "bytes", body: () => bytes(101) },
    { name: "a buffer", body: () => bytes(101).buffer },
    { name: "a blob", body: () => new Blob([bytes(101) as BlobPart]) },
    { name: "parameters", body: () => new URLSearchParams({ a: "ä".repeat(17) }) },
    { name: "a form", body: () => form(new FormData()) },
    { name: "a stream that says so", body: () => Readable.from(chunks(1, 101)), headers: { "Content-Length": "101" } },
  ];

  test.each(known)("$name, is refused by createFetch before anything is sent", async ({ body, headers }) => {
    const { balancer, servers } = await two();
    const fetch = createFetch(balancer, { fetch: undiciTransport(), maxRequestBytes: 100 });
    const init = { method: "PUT", body: body(), ...(headers === undefined ? {} : { headers }) } as never;
    const error = await failing(fetch("/", streamed(init)));
    expect((error as Error).cause).toMatchObject({ limit: "request-bytes" });
    expect(servers[0]?.received).toEqual([]);
    expect(balancer.snapshot().calls.calls).toBe(0);
  });

  test.each([
    { name: "pairs in turn", headers: ["content-type", "text/plain", "Content-Length", "101"] },
    { name: "a record", headers: { "Content-Length": "101" } },
  ])("by headers as $name, is refused by a dispatcher", async ({ headers }) => {
    const { balancer, servers } = await two();
    const dispatcher = new BalancedDispatcher(balancer, { maxRequestBytes: 100 });
    const body = Readable.from(chunks(1, 101));
    const sent = undiciRequest(balancer.origin, { method: "PUT", body, headers: headers as never, dispatcher });
    expect(await failing(sent)).toMatchObject({ limit: "request-bytes" });
    expect(servers[0]?.received).toEqual([]);
  });
});

test.each([-1, 1.5, "10", Number.NaN])("a maxRequestBytes of %s is a mistake", async (max) => {
  const { balancer } = await two();
  for (const make of [
    () => createFetch(balancer, { maxRequestBytes: max as number }),
    () => createRequest(balancer, { maxRequestBytes: max as number }),
    () => new BalancedDispatcher(balancer, { maxRequestBytes: max as number }),
    () => balance(balancer, { maxRequestBytes: max as number }),
  ])
    expect(make).toThrow(expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG" }));
});
