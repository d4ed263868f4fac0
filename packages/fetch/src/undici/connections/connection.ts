import type { Socket } from "node:net";
import type { Timer } from "@fairlead/core";
import { type buildConnector, Client } from "undici";
import type { DispatchOptions, Handler } from "../handler.ts";
import { plain } from "./addresses.ts";

/** What a pool wants to know of a connection. */
export interface ConnectionEvents {
  connected(socket: Socket): void;
  /** It can take a request again. */
  drained(): void;
  /** Its socket is gone, or takes no further requests. */
  disconnected(error: Error): void;
  /** It did not come about. */
  failed(error: Error): void;
}

/**
 * One connection: an undici client that is thrown away with its socket. What the client still has to do then (HTTP/2 streams
 * that a GOAWAY refused, say) it does over another socket, before it ends.
 */
export class Connection {
  /** In the pool's list of those that can take a request. */
  isFree = false;
  /** Monotonic milliseconds; since then it has been able to take a request. */
  freeSinceMs = 0;
  /** Nobody knows yet what it can carry: it is being made, or has not told its HTTP/2 settings. */
  isNew = true;
  /** It has come about. */
  isOpen = false;
  isHttp2 = false;
  /** It only ends what it has begun. */
  isLeaving = false;
  /** It ends when its request has. */
  isRetiring = false;
  /** Where it leads, once it is open. */
  address: string | undefined;
  /** What happens to it later, unless it is gone by then. */
  readonly timers: Timer[] = [];
  #hasTunnel = false;
  readonly #client: Client;
  readonly #sockets = new Set<Socket>();

  constructor(origin: string, options: Client.Options, connect: buildConnector.connector, events: ConnectionEvents) {
    this.#client = new Client(origin, {
      ...options,
      connect: (target, callback) => {
        connect(target, (...[error, socket]) => {
          if (error !== null) {
            callback(error, null);
            return;
          }
          this.#opened(socket);
          events.connected(socket);
          callback(null, socket);
        });
      },
    });
    this.#client
      .on("drain", () => events.drained())
      .on("disconnect", (_origin, _targets, error) => events.disconnected(error))
      .on("connectionError", (_origin, _targets, error) => events.failed(error));
  }

  /** Whether it lives on although undici is done with it, as after a GOAWAY that leaves streams to end. */
  get hasOpenSocket(): boolean {
    for (const socket of this.#sockets) if (!socket.destroyed) return true;
    return false;
  }

  /** What undici says of its requests. */
  get stats(): Client["stats"] {
    return this.#client.stats;
  }

  /** Whether it can take another request after this one. */
  send(options: DispatchOptions, handler: Handler): boolean {
    if (isTunnel(options)) this.#hasTunnel = true;
    // undici says no as well when it has refused the request itself, for what is wrong with it.
    return this.#client.dispatch(options, handler) || this.#client.stats.size === 0;
  }

  /** Takes no new request, and ends when those that it has are done. Resolves then. */
  async leave(): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    // undici does not count tunnels, and would end them.
    if (this.#hasTunnel && this.isHttp2) await Promise.all([...this.#sockets].map(closed));
    await this.#client.close().catch(() => {});
  }

  async destroy(error: Error): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    await this.#client.destroy(error);
    // After a GOAWAY undici knows the old session no more.
    for (const socket of this.#sockets) socket.destroy();
  }

  #opened(socket: Socket): void {
    this.isOpen = true;
    this.isHttp2 = "alpnProtocol" in socket && socket.alpnProtocol === "h2";
    this.address = socket.remoteAddress === undefined ? undefined : plain(socket.remoteAddress);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

/** What undici takes for done as soon as it has begun. */
function isTunnel({ method, upgrade }: DispatchOptions): boolean {
  return method === "CONNECT" || (upgrade !== undefined && upgrade !== null && upgrade !== false);
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}
