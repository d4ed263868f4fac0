import { once } from "node:events";
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Attempt, Balancer } from "@fairlead/core";
import { afterEach } from "vitest";
import type { ClientInfo, Forward, TunnelAnswer, TunnelDestination } from "../../src/forward/contract.ts";
import { createNodeListener, type NodeListener } from "../../src/node/index.ts";

const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
});

type Answer = (request: Request, client: ClientInfo | undefined) => Response | Promise<Response>;

const refuse: Answer = () => new Response("not expected here", { status: 500 });

/** A forward that answers by itself; what it has for a tunnel is a call of `balancer`. */
export function fakeForward(
  answer: Answer = refuse,
  balancer?: Balancer,
  idleTimeoutMs: number | false = 60_000,
): Forward {
  const tunnel = async <T extends TunnelAnswer>(
    request: Request,
    _client: ClientInfo,
    openTunnel: (attempt: Attempt, destination: TunnelDestination) => Promise<T>,
    discard: (answer: T) => void,
  ): Promise<T | Response> => {
    if (balancer === undefined) return new Response("no tunnels", { status: 404 });
    const { pathname, search } = new URL(request.url);
    const run = (attempt: Attempt): Promise<T> => {
      const url = attempt.backend.url + pathname + search;
      return openTunnel(attempt, { url, headers: new Headers(request.headers), idleTimeoutMs });
    };
    try {
      return await balancer.call(run, { kind: "connection", signal: request.signal, discard });
    } catch (error) {
      if (request.signal.aborted) throw error;
      return new Response("no backend\n", { status: 502, headers: { "content-type": "text/plain" } });
    }
  };
  return Object.assign(async (request: Request, client?: ClientInfo) => answer(request, client), { tunnel });
}

/** A server of Node's on a free port of the loopback, with a listener for a forward, gone after the test. */
export interface NodeServer {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  /** What was told to `onUnexpected`. */
  readonly errors: unknown[];
}

export async function nodeServer(
  forward: Forward,
  make: (listener: NodeListener, options: ServerOptions) => Server = plain,
): Promise<NodeServer> {
  const errors: unknown[] = [];
  const listener = createNodeListener(forward, { onUnexpected: (error) => errors.push(error) });
  const server = make(listener, {});
  server.on("upgrade", listener.upgrade);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  open.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${port}`, port, server, sockets, errors };
}

function plain(listener: RequestListener, options: ServerOptions): Server {
  return createServer(options, listener);
}

/** A connection on which a test says exactly what it wants, and reads all that comes. */
export class RawClient {
  readonly socket: Socket;
  text = "";
  /** How the connection ended, once it has. */
  readonly closed: Promise<"ended" | "reset">;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => {
      this.text += chunk;
    });
    this.closed = new Promise((resolve) => {
      this.socket.once("end", () => {
        resolve("ended");
        this.socket.end();
      });
      this.socket.once("error", () => resolve("reset"));
    });
    open.push(() => this.socket.destroy());
  }

  write(...lines: readonly string[]): void {
    this.socket.write(lines.join("\r\n"), "latin1");
  }

  /** Waits until what came matches. */
  async until(wanted: RegExp): Promise<string> {
    const signal = AbortSignal.timeout(3_000);
    while (!wanted.test(this.text)) {
      if (this.socket.readableEnded) throw new Error(`the connection ended: ${JSON.stringify(this.text)}`);
      await once(this.socket, "data", { signal }).catch(() => {
        throw new Error(`no ${wanted} in ${JSON.stringify(this.text)}`);
      });
    }
    return this.text;
  }
}
