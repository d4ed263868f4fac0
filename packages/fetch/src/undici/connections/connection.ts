import type { Socket } from "node:net";
import type { Timer } from "@fairlead/core";
import { type buildConnector, Client } from "undici";
import { plain } from "./addresses.ts";

/** What a pool wants to know of its connections. */
export interface ConnectionEvents {
  connected(connection: Connection, socket: Socket): void;
  /** It can take a request again. */
  drained(connection: Connection): void;
  /** Its socket is gone, or takes no further requests. */
  disconnected(connection: Connection, error: Error): void;
  /** It did not come about. */
  failed(connection: Connection, error: Error): void;
}

/**
 * One connection: an undici client that is thrown away with its socket. What the client still has to do then (HTTP/2 streams
 * that a GOAWAY refused, say) it does over another socket, before it ends.
 */
export class Connection {
  readonly client: Client;
  /** In the pool's list of those that can take a request. */
  isFree = false;
  /** Monotonic milliseconds; since then it has been able to take a request. */
  freeSinceMs = 0;
  /** Nobody knows yet what it can carry: it is being made, or has not told its HTTP/2 settings. */
  isNew = true;
  isHttp2 = false;
  /** It ends when its request has. */
  isRetiring = false;
  /** It carries a tunnel that undici does not count. */
  hasTunnel = false;
  /** Where it leads, once it is open. */
  address: string | undefined;
  /** Runs until it is old, or until it is taken for known. */
  readonly timers: Timer[] = [];
  readonly #sockets = new Set<Socket>();

  constructor(origin: string, options: Client.Options, connect: buildConnector.connector, events: ConnectionEvents) {
    this.client = new Client(origin, {
      ...options,
      connect: (target, callback) => {
        connect(target, (...[error, socket]) => {
          if (error !== null) {
            callback(error, null);
            return;
          }
          this.#opened(socket);
          events.connected(this, socket);
          callback(null, socket);
        });
      },
    });
    this.client
      .on("drain", () => events.drained(this))
      .on("disconnect", (_origin, _targets, error) => events.disconnected(this, error))
      .on("connectionError", (_origin, _targets, error) => events.failed(this, error));
  }

  /** Whether it lives on although undici is done with it, as after a GOAWAY that leaves streams to end. */
  get hasOpenSocket(): boolean {
    for (const socket of this.#sockets) if (!socket.destroyed) return true;
    return false;
  }

  /** Takes no new request, and ends when those that it has are done. Resolves then. */
  async leave(): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    // undici does not count tunnels, and would end them.
    if (this.hasTunnel) await Promise.all([...this.#sockets].map(closed));
    await this.client.close().catch(() => {});
  }

  async destroy(error: Error): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    await this.client.destroy(error);
    for (const socket of this.#sockets) socket.destroy();
  }

  #opened(socket: Socket): void {
    this.isHttp2 = "alpnProtocol" in socket && socket.alpnProtocol === "h2";
    this.address = socket.remoteAddress === undefined ? undefined : plain(socket.remoteAddress);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}
