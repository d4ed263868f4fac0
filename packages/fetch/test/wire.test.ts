import { constants } from "node:http2";
import type { BackendSnapshot, BackendSpec, BalancerOptions } from "@fairlead/core";
import { expect, test } from "vitest";
import { balancerOver, counters, idle } from "./support/balancers.ts";
import { certificate } from "./support/certificate.ts";
import { clients } from "./support/clients.ts";
import {
  deadPort,
  deafServer,
  echo,
  http2Server,
  httpServer,
  httpsServer,
  rawServer,
  type TestServer,
} from "./support/servers.ts";

type Count = "failures" | "overloads" | "unreached" | "streamFailures" | "successes";

interface Fault {
  readonly name: string;
  /** The backend that is tried first. */
  start(): Promise<BackendSpec & { readonly server?: TestServer }>;
  readonly options?: Partial<BalancerOptions>;
  readonly http2?: boolean;
  /** What the backend is charged with; several where the kernel decides whether the request got out. */
  readonly charged: readonly Count[];
  /** What becomes of a GET: answered by the other backend, or cut off in the middle of its body. */
  readonly get: "answered" | "cut off";
  /** What becomes of a POST; `either` where the kernel decides; absent where a GET shows it all. */
  readonly post?: "answered" | "refused" | "cut off" | "either";
  /** What differs for a client that does not know what was sent. */
  readonly unlessKnown?: Partial<Pick<Fault, "charged" | "post">>;
  /** Requests that reach the backend are turned away unprocessed, and it says so. */
  readonly unprocessed?: boolean;
}

const head = (socket: { write(text: string): void }, length: number): void =>
  socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${length}\r\n\r\n`);

async function raw(server: Promise<TestServer>) {
  const running = await server;
  return { url: running.url, server: running };
}

async function secure(server: Promise<TestServer>) {
  const running = await server;
  return { url: running.url, server: running, tls: { ca: certificate } };
}

const faults: readonly Fault[] = [
  {
    name: "refuses connections",
    start: async () => ({ url: await deadPort() }),
    charged: ["unreached"],
    get: "answered",
    post: "answered",
  },
  {
    name: "resets connections it accepts",
    start: () => raw(deafServer((socket) => socket.resetAndDestroy())),
    charged: ["unreached", "failures"],
    get: "answered",
    post: "either",
  },
  {
    name: "closes connections before it reads",
    start: () => raw(deafServer((socket) => socket.destroy())),
    charged: ["unreached", "failures"],
    get: "answered",
    post: "either",
  },
  {
    name: "closes connections after it read the request",
    start: () => raw(rawServer((socket) => socket.destroy())),
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "resets connections after it read the request",
    start: () => raw(rawServer((socket) => socket.resetAndDestroy())),
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "answers garbage",
    start: () => raw(rawServer((socket) => socket.end("what do you want?\r\n\r\n"))),
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "sends no headers",
    start: () => raw(rawServer(() => {})),
    options: { attemptTimeoutMs: 100 },
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "cuts off the body",
    start: () =>
      raw(
        rawServer((socket) => {
          head(socket, 100);
          setImmediate(() => socket.end("ten bytes."));
        }),
      ),
    charged: ["streamFailures"],
    get: "cut off",
    post: "cut off",
  },
  {
    name: "stalls in the middle of the body",
    start: () =>
      raw(
        rawServer((socket) => {
          head(socket, 100);
          socket.write("ten bytes.");
        }),
      ),
    options: { bodyIdleTimeoutMs: 100 },
    charged: ["streamFailures"],
    get: "cut off",
    // undici looks at the time of bodies once a second.
  },
  {
    name: "has a certificate nobody trusts",
    start: () => raw(httpsServer()),
    charged: ["unreached"],
    get: "answered",
    post: "answered",
  },
  {
    name: "speaks an old version of TLS alone",
    start: () => raw(httpsServer(echo, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" })),
    charged: ["unreached"],
    get: "answered",
    post: "answered",
  },
  {
    name: "speaks no TLS where it should",
    start: async () => ({ url: (await httpServer()).url.replace("http:", "https:") }),
    charged: ["unreached"],
    get: "answered",
    post: "answered",
    unlessKnown: { charged: ["failures"], post: "refused" },
  },
  {
    name: "resets connections in the middle of the TLS handshake",
    start: async () => {
      const server = await deafServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
      return { url: server.url.replace("http:", "https:") };
    },
    charged: ["unreached"],
    get: "answered",
    post: "answered",
    unlessKnown: { charged: ["failures"], post: "refused" },
  },
  {
    name: "sends more headers than anybody reads",
    start: () => raw(rawServer((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\n\r\n`))),
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "sends two lengths",
    start: () => raw(rawServer((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\nx"))),
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "switches protocols unasked",
    start: () =>
      raw(
        rawServer((socket) => socket.write("HTTP/1.1 101 Here\r\nconnection: upgrade\r\nupgrade: something\r\n\r\n")),
      ),
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "refuses HTTP/2 streams",
    start: () => secure(http2Server((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM))),
    http2: true,
    charged: ["unreached"],
    get: "answered",
    post: "answered",
    unprocessed: true,
  },
  {
    name: "finds the load of HTTP/2 streams excessive",
    start: () => secure(http2Server((stream) => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM))),
    http2: true,
    charged: ["overloads"],
    get: "answered",
    post: "refused",
  },
  {
    name: "resets HTTP/2 streams it has read",
    start: () => secure(http2Server((stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR))),
    http2: true,
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "says GOAWAY to every HTTP/2 stream it has read",
    start: () =>
      secure(
        http2Server((stream) => {
          stream.session?.goaway(constants.NGHTTP2_INTERNAL_ERROR, stream.id);
          stream.session?.destroy();
        }),
      ),
    http2: true,
    charged: ["failures"],
    get: "answered",
    post: "refused",
  },
  {
    name: "says GOAWAY to every HTTP/2 stream before it processes it",
    start: () =>
      secure(
        http2Server((stream) => {
          stream.session?.goaway(constants.NGHTTP2_NO_ERROR, 0);
          stream.session?.destroy();
        }),
      ),
    http2: true,
    charged: ["failures"],
    get: "answered",
    post: "refused",
    unprocessed: true,
  },
];

const total = (backend: BackendSnapshot, counts: readonly Count[]): number =>
  counts.reduce((sum, count) => sum + backend[count], 0);

for (const known of faults) {
  for (const client of clients) {
    const fault = client.knowsSent ? known : { ...known, ...known.unlessKnown };
    // Node's fetch speaks HTTP/1.1 unless it is given another dispatcher.
    if (fault.http2 === true && !client.knowsSent) continue;
    const arrange = async () => {
      const { server, ...spec } = await fault.start();
      const good = await httpServer();
      const balancer = balancerOver([spec, good.url], fault.options);
      // Of a backend's `tls`, the interceptor can use the server name alone.
      const pool = fault.http2 === true ? { allowH2: true, connect: { ca: certificate } } : {};
      return { balancer, bad: server, good, call: client.connect(balancer, pool) };
    };

    test(`GET by ${client.name}, where a backend ${fault.name}, is ${fault.get}`, async () => {
      const { balancer, good, call } = await arrange();
      const response = await call("/things");
      expect(response.status).toBe(200);
      if (fault.get === "answered") {
        expect(JSON.parse(await response.text())).toMatchObject({ method: "GET", url: "/things" });
        expect(good.received).toEqual(["GET /things"]);
        expect(counters(balancer, 1)).toMatchObject({ successes: 1, failures: 0, unreached: 0 });
      } else {
        await expect(response.text()).rejects.toThrow();
        expect(good.received).toEqual([]);
      }
      await idle(balancer);
      expect(total(counters(balancer, 0), fault.charged)).toBe(1);
    });

    if (fault.post === undefined) continue;
    // `fetch` hands a dispatcher a body that can be read once: a stream that was refused took it along.
    const consumed = fault.name === "refuses HTTP/2 streams" && client.name.startsWith("fetch");
    const expected = consumed ? "refused" : fault.post;
    const charged: readonly Count[] = consumed ? ["failures"] : fault.charged;

    test(`POST by ${client.name}, where a backend ${fault.name}, is ${expected}, and processed once at most`, async () => {
      const { balancer, bad, good, call } = await arrange();
      const outcome = await call("/things", { method: "POST", body: "one" }).then(
        (response) =>
          response.text().then(
            () => "answered",
            () => "cut off",
          ),
        () => "refused",
      );
      if (expected === "either") expect(["answered", "refused"]).toContain(outcome);
      else expect(outcome).toBe(expected);
      const processed = [...good.received, ...(fault.unprocessed === true ? [] : (bad?.received ?? []))];
      expect(processed).toEqual(outcome === "refused" ? processed.slice(0, 1) : ["POST /things"]);
      await idle(balancer);
      expect(total(counters(balancer, 0), charged)).toBe(1);
    });
  }
}
