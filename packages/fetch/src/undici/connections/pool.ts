import type { Balancer } from "@fairlead/core";
import { errors } from "undici";
import type { DispatchOptions, Handler } from "../handler.ts";
import type { Route } from "../route.ts";
import { ConnectionSet } from "./connection-set.ts";
import type { PoolOptions } from "./pool-options.ts";
import { type WaitingHandler, WaitingLine } from "./waiting-line.ts";

/** The connections to one backend, and what they do now. */
export interface ConnectionStats {
  /** Open connections, those that only end what they have begun included. */
  readonly connected: number;
  /** Of these: can take a request. */
  readonly free: number;
  /** Requests that have a connection but were not written yet: it is being made, say. */
  readonly pending: number;
  /** Requests sent, or being sent, whose response has not ended. */
  readonly running: number;
  /** Requests in line for a connection. */
  readonly queued: number;
}

/** Sends requests to one backend: over a connection that is free, over a new one, or when their turn comes. */
export class ConnectionPool {
  readonly #connections: ConnectionSet;
  readonly #line = new WaitingLine();
  #isClosed = false;
  #whenEnded: (() => void) | undefined;

  constructor(route: Route, balancer: Balancer, options: PoolOptions) {
    this.#connections = new ConnectionSet(route, balancer, options, {
      changed: () => this.#advance(),
      // Those in line would meet with nothing else, one by one.
      unreachable: (error) => this.#line.fail(error),
    });
  }

  get stats(): ConnectionStats {
    return { ...this.#connections.stats, queued: this.#line.length };
  }

  /** Whether the request is on its way; if not, it stands in line. */
  dispatch(options: DispatchOptions, handler: Handler | WaitingHandler): boolean {
    if (this.#isClosed) {
      handler.onResponseError?.(null as never, new errors.ClientClosedError());
      return false;
    }
    const connection = this.#line.length > 0 ? undefined : this.#connections.forRequest(options);
    if (connection === undefined) this.#line.join(options, handler);
    else this.#connections.send(connection, options, handler);
    return connection !== undefined;
  }

  /** Takes no new requests; connections close when all requests are done, those in line included. Resolves then. */
  close(): Promise<void> {
    this.#isClosed = true;
    return new Promise((resolve) => {
      this.#whenEnded = resolve;
      this.#advance();
    });
  }

  /** Ends everything. Resolves when the sockets are gone. */
  async destroy(): Promise<void> {
    this.#isClosed = true;
    const error = new errors.ClientDestroyedError();
    this.#line.fail(error);
    await this.#connections.destroy(error);
    this.#whenEnded?.();
  }

  /** The first in line go on, as far as there are connections for them. */
  #advance(): void {
    while (this.#line.length > 0) {
      const connection = this.#connections.next();
      if (connection === undefined) return;
      const place = this.#line.take();
      place?.runInAsyncScope(() => this.#connections.send(connection, place.options, place.handler));
    }
    if (!this.#isClosed) return;
    this.#connections.close();
    if (this.#connections.isEmpty) this.#whenEnded?.();
  }
}
