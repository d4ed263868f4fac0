import { type Balancer, createBalancer } from "@fairlead/core";
import { createFetch, createForward, type Transport } from "@fairlead/fetch";
import { forwardTransport, undiciTransport } from "@fairlead/fetch/undici";
import { request, fetch as undiciFetch } from "undici";
import { bodyOf, lengthOf } from "./bodies.ts";

/** Moves that many bytes; how many have arrived. */
export type Move = (bytes: number) => Promise<number>;

export interface Direction {
  readonly base: string;
  readonly moves: Readonly<Record<string, Move>>;
}

const CLIENT = { ip: "192.0.2.7", protocol: "https" } as const;
const HEADERS = { "user-agent": "bench", accept: "*/*", "accept-encoding": "gzip, br", cookie: "a=1; b=2" };

/** All that is compared, over one backend. */
export interface Compared {
  readonly download: Direction;
  readonly upload: Direction;
  /** One small GET, and its body. */
  readonly requests: Readonly<Record<string, () => Promise<unknown>>>;
  close(): Promise<void>;
}

export function compared(origin: string): Compared {
  const balancer = createBalancer({ name: "bench", backends: [origin] });
  const transports: Record<string, Transport | undefined> = {
    "forward, forwardTransport": forwardTransport(),
    "forward, undiciTransport": undiciTransport(),
    "forward, the platform's fetch": undefined,
  };
  const forwards = Object.entries(transports).map(([name, fetch]) => [name, throughForward(balancer, fetch)] as const);
  const moving = (direction: "download" | "upload"): Record<string, Move> =>
    Object.fromEntries(forwards.map(([name, through]) => [name, through[direction]]));
  const send = createFetch(balancer, { fetch: undiciTransport() });
  return {
    download: { base: "undici.fetch", moves: { ...bareDownloads(origin), ...moving("download") } },
    upload: { base: "undici.fetch", moves: { ...bareUploads(origin), ...moving("upload") } },
    requests: {
      "createFetch, undiciTransport": async () => (await send(newRequest("/1024"))).text(),
      ...Object.fromEntries(forwards.map(([name, { small }]) => [name, small])),
    },
    close: () => balancer.close({ drainMs: 0 }),
  };
}

function newRequest(path: string): Request {
  return new Request(`http://bench${path}`, { headers: HEADERS });
}

export function throughForward(
  balancer: Balancer,
  fetch: Transport | undefined,
): { download: Move; upload: Move; small: () => Promise<string> } {
  const forward = createForward(balancer, { fetch });
  return {
    download: async (bytes) => lengthOf((await forward(newRequest(`/${bytes}`), CLIENT)).body),
    upload: async (bytes) => {
      const init = { method: "POST", body: bodyOf(bytes), duplex: "half" as const };
      return Number(await (await forward(new Request("http://bench/", init), CLIENT)).text());
    },
    small: async () => (await forward(newRequest("/1024"), CLIENT)).text(),
  };
}

function bareDownloads(origin: string): Record<string, Move> {
  return {
    "undici.fetch": async (bytes) =>
      lengthOf((await undiciFetch(`${origin}/${bytes}`)).body as ReadableStream<Uint8Array> | null),
    "undici.request": async (bytes) => {
      const { body } = await request(`${origin}/${bytes}`);
      let length = 0;
      for await (const chunk of body as AsyncIterable<Uint8Array>) length += chunk.byteLength;
      return length;
    },
  };
}

function bareUploads(origin: string): Record<string, Move> {
  return {
    "undici.fetch": async (bytes) => {
      const init = { method: "POST", body: bodyOf(bytes), duplex: "half" } as Parameters<typeof undiciFetch>[1];
      return Number(await (await undiciFetch(`${origin}/`, init)).text());
    },
    "undici.request": async (bytes) => {
      const { body } = await request(`${origin}/`, { method: "POST", body: bodyOf(bytes) as never });
      return Number(await body.text());
    },
  };
}
