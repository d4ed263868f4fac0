import { Readable } from "node:stream";
import type { Balancer } from "@fairlead/core";
import { Agent, type Dispatcher, FormData as UndiciFormData, request as undiciRequest } from "undici";
import { createFetch } from "../../src/index.ts";
import { BalancedDispatcher, balance, createRequest, undiciTransport } from "../../src/undici/index.ts";

export const BODIES = [
  "none",
  "text",
  "bytes",
  "Blob",
  "FormData",
  "URLSearchParams",
  "ReadableStream",
  "async iterator",
  "Readable",
] as const;

export type Body = (typeof BODIES)[number];

/** One way of making calls, and what is written down of it. */
export interface RepeatingClient {
  readonly name: string;
  /** Speaks `fetch`, which forbids some requests. */
  readonly isFetch: boolean;
  /** Bodies that it can send again. */
  readonly replayable: readonly Body[];
  /** Knows for sure what was never sent, not by the errors that prove it alone. */
  readonly knowsSent: boolean;
  connect(balancer: Balancer): (method: string, path: string, body: Body) => Promise<void>;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;
type Request = (url: string, options: object) => Promise<Dispatcher.ResponseData>;

const KEPT = BODIES.slice(0, 6);

export const clients: readonly RepeatingClient[] = [
  fetching("createFetch", KEPT, false, (balancer) => createFetch(balancer)),
  fetching("createFetch, undiciTransport", KEPT, true, (balancer) =>
    createFetch(balancer, { fetch: undiciTransport() }),
  ),
  requesting("createRequest", (balancer) => createRequest(balancer)),
  requesting("request, BalancedDispatcher", (balancer) => through(new BalancedDispatcher(balancer))),
  requesting("request, balance()", (balancer) => through(new Agent().compose(balance(balancer)))),
  fetching("fetch, BalancedDispatcher", ["none"], true, (balancer) => {
    const dispatcher = new BalancedDispatcher(balancer);
    return (url, init) => fetch(url, { ...init, dispatcher } as RequestInit);
  }),
];

function fetching(
  name: string,
  replayable: readonly Body[],
  knowsSent: boolean,
  open: (balancer: Balancer) => Fetch,
): RepeatingClient {
  const connect: RepeatingClient["connect"] = (balancer) => {
    const send = open(balancer);
    return async (method, path, kind) => {
      const init = { method, body: bodyOf(kind, new FormData()), duplex: "half" };
      await (await send(`http://orders${path}`, init as RequestInit)).text();
    };
  };
  return { name, isFetch: true, replayable, knowsSent, connect };
}

function requesting(name: string, open: (balancer: Balancer) => Request): RepeatingClient {
  const connect: RepeatingClient["connect"] = (balancer) => {
    const send = open(balancer);
    return async (method, path, kind) => {
      const { body } = await send(`http://orders${path}`, { method, body: bodyOf(kind, new UndiciFormData()) });
      await body.text();
    };
  };
  return { name, isFetch: false, replayable: KEPT.slice(0, 5), knowsSent: true, connect };
}

function through(dispatcher: Dispatcher): Request {
  return (url, options) => undiciRequest(url, { ...options, dispatcher });
}

function bodyOf(kind: Body, form: { append(name: string, value: string): void }): unknown {
  form.append("a", "1");
  const bodies: Readonly<Record<Body, () => unknown>> = {
    none: () => null,
    text: () => "hello",
    bytes: () => new Uint8Array([104, 105]),
    Blob: () => new Blob(["hello"]),
    FormData: () => form,
    URLSearchParams: () => new URLSearchParams({ a: "1" }),
    ReadableStream: () => Readable.toWeb(Readable.from(chunks())),
    "async iterator": chunks,
    Readable: () => Readable.from(chunks()),
  };
  return bodies[kind]();
}

async function* chunks(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array([104, 101]);
  yield new Uint8Array([108, 108, 111]);
}
