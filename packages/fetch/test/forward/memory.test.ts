// Bodies of any length take no memory, and one that is forgotten gives its place back.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, test, vi } from "vitest";
import { balancerOver, idle } from "../support/balancers.ts";
import { forwarding, transports } from "../support/forwarding.ts";
import { httpServer } from "../support/servers.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const MB = 2 ** 20;
const BODY = 256 * MB;
const WARM_UP = 64 * MB;
const CHUNK = new Uint8Array(64 * 1024);

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function* chunks(bytes: number): Generator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += CHUNK.byteLength) yield CHUNK;
}

/** Sends as many bytes as its path says to who GETs, and counts those of who POSTs. */
async function giant(): Promise<string> {
  const server = createServer((request, response) => {
    if (request.method === "POST") {
      let bytes = 0;
      request.on("data", (chunk: Uint8Array) => {
        bytes += chunk.byteLength;
      });
      request.on("end", () => response.end(String(bytes)));
    } else {
      const bytes = Number(request.url?.slice(1));
      response.writeHead(200, { "content-length": bytes });
      void pipeline(Readable.from(chunks(bytes)), response).catch(() => {});
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function count(body: ReadableStream<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.byteLength;
  return bytes;
}

function upload(bytes: number): ReadableStream<Uint8Array> {
  return Readable.toWeb(Readable.from(chunks(bytes))) as ReadableStream<Uint8Array>;
}

/** How much more memory the process has, at its peak, than before. */
async function growthMb(run: () => Promise<void>): Promise<number> {
  collectGarbage();
  const before = process.memoryUsage.rss();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  return (Math.max(peak, process.memoryUsage.rss()) - before) / MB;
}

test.each(transports)("256 MB each way by %s take no memory", { timeout: 60_000 }, async (_name, make) => {
  const balancer = balancerOver([await giant()]);
  const send = forwarding(balancer, { fetch: make() });
  const both = async (bytes: number): Promise<void> => {
    const response = await send(`/${bytes}`);
    expect(await count(response.body as ReadableStream<Uint8Array>)).toBe(bytes);
    const answer = await send("/", { method: "POST", body: upload(bytes), duplex: "half" });
    expect(await answer.text()).toBe(String(bytes));
  };
  // What is compiled and pooled the first time is no growth.
  await both(WARM_UP);
  expect(await growthMb(() => both(BODY))).toBeLessThan(64);
  await idle(balancer);
});

test("a client that does not read holds the backend up, not our memory", { timeout: 20_000 }, async () => {
  let sent = 0;
  const counted = function* (): Generator<Uint8Array> {
    for (const chunk of chunks(64 * MB)) {
      sent += chunk.byteLength;
      yield chunk;
    }
  };
  const server = await httpServer(
    (_request, response) => void pipeline(Readable.from(counted()), response).catch(() => {}),
  );
  for (const [, make] of transports) {
    sent = 0;
    const balancer = balancerOver([server.url]);
    const response = await forwarding(balancer, { fetch: make() })("/");
    let before = -1;
    while (before !== sent) {
      before = sent;
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(sent).toBeLessThan(32 * MB);
    await response.body?.cancel();
    await idle(balancer);
  }
});

test.each(transports)(
  "a body by %s that is forgotten gives its place back",
  { timeout: 20_000 },
  async (_name, make) => {
    const server = await httpServer((_request, response) => response.end(new Uint8Array(8 * MB)));
    const balancer = balancerOver([server.url]);
    const send = forwarding(balancer, { fetch: make(), maxConnectionsPerClient: 1, accessLog: () => {} });
    for (let time = 0; time < 2; time++) {
      expect((await send("/")).status).toBe(200);
      await vi.waitFor(
        async () => {
          await nextTurn();
          collectGarbage();
          expect(balancer.backends[0]?.inFlight("request")).toBe(0);
        },
        { timeout: 8_000, interval: 20 },
      );
    }
  },
);

test("a slow reader of a long body gets all of it, whatever becomes garbage meanwhile", {
  timeout: 20_000,
}, async () => {
  const server = await httpServer((_request, response) => response.end(new Uint8Array(4 * MB)));
  for (const [, make] of transports) {
    const balancer = balancerOver([server.url]);
    const body = (await forwarding(balancer, { fetch: make() })("/")).body;
    let bytes = 0;
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      await nextTurn();
      if (bytes % (8 * CHUNK.byteLength) === 0) collectGarbage();
    }
    expect(bytes).toBe(4 * MB);
    await idle(balancer);
  }
});
