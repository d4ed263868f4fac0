import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Server, type Socket } from "node:net";

/** A server on a free port of the loopback that ends with the test. */
export interface Served extends AsyncDisposable {
  readonly port: number;
  /** Connections that have been made. */
  readonly connections: number;
  /** Sockets that are still open. */
  readonly open: number;
}

async function listen(server: Server, event: "connection" | "secureConnection" = "connection"): Promise<Served> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  server.on(event === "connection" ? "error" : "tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

export function serveHttp(handle: RequestListener): Promise<Served> {
  return listen(createHttpServer(handle));
}

export function serveHttps(
  tls: { readonly cert: string; readonly key: string },
  handle: RequestListener,
): Promise<Served> {
  return listen(createHttpsServer(tls, handle), "secureConnection");
}

/** Whatever comes, as bytes. */
export function serveBytes(handle: (socket: Socket) => void): Promise<Served> {
  return listen(
    createServer((socket) => {
      // Who does not read does not see the end either.
      socket.resume();
      handle(socket);
    }),
  );
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  await using served = await serveBytes(() => {});
  return served.port;
}
