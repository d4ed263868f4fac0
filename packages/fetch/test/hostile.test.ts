// Backends that answer in bad faith: a clear error or an answer in time, nothing lost, every place given back.
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type BalancerOptions, createBalancer } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { createFetch } from "../src/index.ts";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { clients } from "./support/clients.ts";
import { httpServer, rawServer } from "./support/servers.ts";

/** Says the same again and again, until the other side hangs up. */
function endlessly(socket: Socket, text: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(text), everyMs);
  socket.on("close", () => clearInterval(timer));
}

interface Hostile {
  readonly name: string;
  readonly speak: (socket: Socket) => void;
  readonly options?: Partial<BalancerOptions>;
  /** Another backend answers; or the headers were good, and the body is whole or ends with an error. */
  readonly get: "answered elsewhere" | "whole" | "cut off";
}

const IMPATIENT = { attemptTimeoutMs: 150 };
const OK = "HTTP/1.1 200 OK\r\n";

const hostiles: readonly Hostile[] = [
  {
    name: "never stops sending headers",
    speak: (socket) => {
      socket.write(OK);
      endlessly(socket, `x-more: ${"a".repeat(4_000)}\r\n`, 1);
    },
    get: "answered elsewhere",
  },
  {
    name: "sends its headers one byte at a time",
    speak: (socket) => {
      socket.write(`${OK}x-slow: `);
      endlessly(socket, "a", 10);
    },
    options: IMPATIENT,
    get: "answered elsewhere",
  },
  {
    name: "sends 103 after 103",
    speak: (socket) => endlessly(socket, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(50), 1),
    options: IMPATIENT,
    get: "answered elsewhere",
  },
  {
    name: "sends 100 to who did not ask",
    speak: (socket) => endlessly(socket, "HTTP/1.1 100 Continue\r\n\r\n", 1),
    options: IMPATIENT,
    get: "answered elsewhere",
  },
  {
    name: "changes to a protocol that nobody asked for",
    speak: (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n"),
    options: IMPATIENT,
    get: "answered elsewhere",
  },
  {
    name: "sends a header that is none",
    speak: (socket) => socket.write(`${OK}no colon here\r\n\r\n`),
    get: "answered elsewhere",
  },
  {
    name: "names two lengths",
    speak: (socket) => socket.write(`${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`),
    get: "answered elsewhere",
  },
  {
    name: "sends a chunk whose size is no number",
    speak: (socket) => {
      socket.write(`${OK}transfer-encoding: chunked\r\n\r\n`);
      setImmediate(() => socket.write("5\r\nhello\r\nwhat\r\n"));
    },
    get: "cut off",
  },
  {
    name: "sends its body one byte at a time",
    speak: (socket) => {
      const body = "hello, slowly";
      socket.write(`${OK}content-length: ${body.length}\r\n\r\n`);
      let sent = 0;
      const timer = setInterval(() => {
        socket.write(body[sent++] ?? "");
        if (sent === body.length) clearInterval(timer);
      }, 20);
      socket.on("close", () => clearInterval(timer));
    },
    // The headers were in time, and a byte comes often enough.
    options: { attemptTimeoutMs: 150, bodyIdleTimeoutMs: 150 },
    get: "whole",
  },
];

for (const hostile of hostiles) {
  for (const client of clients) {
    test(`GET by ${client.name}, where a backend ${hostile.name}, is ${hostile.get}`, async () => {
      const bad = await rawServer(hostile.speak);
      const good = await httpServer((_request, response) => response.end("good"));
      const balancer = balancerOver([bad.url, good.url], hostile.options);
      const response = await client.connect(balancer)("/");
      if (hostile.get === "cut off") await expect(response.text()).rejects.toThrow();
      else expect(await response.text()).toBe(hostile.get === "whole" ? "hello, slowly" : "good");
      await idle(balancer);
      expect(bad.received).toEqual(["GET /"]);
      const { successes, failures, streamFailures } = counters(balancer, 0);
      expect({ successes, failures, streamFailures }).toEqual({
        successes: hostile.get === "answered elsewhere" ? 0 : 1,
        failures: hostile.get === "answered elsewhere" ? 1 : 0,
        streamFailures: hostile.get === "cut off" ? 1 : 0,
      });
    });
  }
}

describe("a Retry-After that every backend sends", () => {
  test.each([
    ["of ten years", "315360000"],
    ["of more digits than a number has", "9".repeat(400)],
    ["of a date in ten years", new Date(Date.now() + 315_360_000_000).toUTCString()],
    ["of a date that has passed", "Fri, 20 Nov 2020 00:00:00 GMT"],
    ["below zero", "-120"],
    ["of nonsense", "when the sun is up; ☀"],
  ])("%s: the answer comes at once, and nobody is paused for more than a minute", async (_name, value) => {
    const text = `HTTP/1.1 503 Busy\r\nretry-after: ${value}\r\ncontent-length: 4\r\n\r\nbusy`;
    const busy = await Promise.all([1, 2].map(() => rawServer((socket) => socket.write(text, "utf8"))));
    for (const client of clients) {
      const balancer = balancerOver(busy.map(({ url }) => url));
      const startMs = performance.now();
      const response = await client.connect(balancer)("/");
      expect([response.status, await response.text()]).toEqual([503, "busy"]);
      expect(performance.now() - startMs).toBeLessThan(1_000);
      await idle(balancer);
      for (const { attempts, pausedUntilAt } of balancer.snapshot().backends) {
        expect(attempts).toBeGreaterThan(0);
        expect((pausedUntilAt ?? 0) - Date.now()).toBeLessThanOrEqual(60_000);
      }
    }
  });
});

test("a wall clock that is set back moves no pause, no timeout and no deadline", async () => {
  const clock = virtualClock();
  const retryAt = new Date(clock.wallNow() + 30_000).toUTCString();
  const limited = async () => new Response("", { status: 429, headers: { "retry-after": retryAt } });
  let answer: () => Promise<Response> = limited;
  const balancer = createBalancer({
    name: "orders",
    backends: ["http://a.test", "http://b.test"],
    clock,
    retry: false,
  });
  const send = createFetch(balancer, { fetch: () => answer() });
  for (let call = 0; call < 2; call++) expect((await send("/")).status).toBe(429);
  clock.setWall(0);
  // Both are paused, for 30 s of the clock that only goes forward.
  await clock.advance(29_500);
  answer = async () => new Response("back");
  const waiting = send("/");
  await clock.advance(525);
  expect(await (await waiting).text()).toBe("back");
  // A date that is now decades away is cut down like any other.
  answer = limited;
  await send("/");
  expect(Math.max(...balancer.snapshot().backends.map(({ pausedUntilAt }) => pausedUntilAt ?? 0))).toBe(
    clock.wallNow() + 60_000,
  );
  answer = () => new Promise(() => {});
  const late = send("/").catch((error: unknown) => error);
  await clock.advance(5_000);
  clock.setWall(-1e12);
  await clock.advance(5_300);
  expect(await late).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
  await balancer.close({ drainMs: 0 });
  expect(clock.pending).toBe(0);
});

const never = (): Promise<never> => new Promise(() => {});

async function* endlessBody(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array([65]);
  await never();
}

describe("functions of the user that never settle", () => {
  test("a classifier or a listener that returns such a promise holds nothing up", async () => {
    const bad = await httpServer((_request, response) => response.writeHead(502).end());
    const good = await httpServer((_request, response) => response.end("good"));
    const balancer = balancerOver([bad.url, good.url], { classify: never as never });
    const listener: () => unknown = never;
    for (const event of ["attemptRetried", "callbackFailed"] as const) balancer.on(event, listener);
    for (const client of clients) expect(await (await client.connect(balancer)("/")).text()).toBe("good");
    await idle(balancer);
    await nextTurn();
  });

  test.each(clients.slice(0, 4).map((client) => [client.name, client] as const))(
    "a body of %s that never comes ends at the attempt's timeout, and its place comes back",
    async (_name, client) => {
      const server = await httpServer();
      const balancer = balancerOver([server.url], IMPATIENT);
      const init = { method: "POST", body: endlessBody() as never, duplex: "half" };
      await expect(client.connect(balancer)("/", init)).rejects.toMatchObject({ name: "TimeoutError" });
      await idle(balancer);
      expect(counters(balancer, 0)).toMatchObject({ failures: 1 });
    },
  );
});
