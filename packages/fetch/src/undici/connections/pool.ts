import type { Socket } from "node:net";
import { type Balancer, type Clock, createRandom, type Random } from "@fairlead/core";
import { type Client, errors } from "undici";
import { neverProcessed } from "../../classify.ts";
import { IDEMPOTENT_METHODS } from "../../methods.ts";
import type { DispatchOptions, Handler } from "../handler.ts";
import type { Route } from "../route.ts";
import { type AddressListener, plain } from "./addresses.ts";
import { Connection } from "./connection.ts";
import { type Connector, connectorTo, speaksH2c } from "./connector.ts";
import type { PoolOptions } from "./pool-options.ts";
import { type WaitingHandler, WaitingLine } from "./waiting-line.ts";

/** The connections to one backend, and what they do now. */
export interface ConnectionStats {
  /** Open connections, those that only end what they have begun included. */
  readonly connected: number;
  /** Of these: can take a request. */
  readonly free: number;
  /** Requests that have a connection, which is being made. */
  readonly pending: number;
  /** Requests sent, or being sent, whose response has not ended. */
  readonly running: number;
  /** Requests in line for a connection. */
  readonly queued: number;
}

const MAX_AGE_MS = 300_000;
/** Ages are spread by this share, up and down: connections made at once don't end at once. */
const AGE_JITTER = 0.1;

/** A server may be about to close a connection idle for longer than this, in milliseconds. */
const LONG_IDLE_MS = 1_000;
/** Below this, in milliseconds, a connection costs less than a request that must not be repeated is worth. */
const CHEAP_CONNECT_MS = 50;

/** How long an HTTP/2 server has to tell its settings, at least, in milliseconds; they come with its first flight. */
const SETTINGS_WAIT_MS = 50;

/**
 * The connections to one backend. The one used last is used next, so that those too many fall idle and close. Closing waits
 * for requests, those in line included.
 */
export class ConnectionPool implements AddressListener {
  readonly #route: Route;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #clientOptions: Client.Options;
  readonly #connector: Connector;
  readonly #limit: number;
  readonly #maxAgeMs: number | false;
  /** Those that take requests, now or when they have ended one. */
  readonly #connections = new Set<Connection>();
  /** Of these: those that can take one now, the one used last at the end. */
  readonly #free: Connection[] = [];
  /** Those that only end what they have begun. */
  readonly #leaving = new Set<Connection>();
  readonly #line = new WaitingLine();
  /** Whether one connection may be enough for all: until the first one says otherwise, they are made one by one. */
  #mayMultiplex: boolean;
  /** How long the last connection took; infinite while none has come about since the last failure. */
  #connectMs = Number.POSITIVE_INFINITY;
  #isClosed = false;
  #whenEnded: (() => void) | undefined;

  constructor(route: Route, balancer: Balancer, options: PoolOptions) {
    const { connections, maxConnectionAgeMs = MAX_AGE_MS, names: _names, random = createRandom(), ...rest } = options;
    this.#route = route;
    this.#clock = balancer.clock;
    this.#random = random;
    this.#clientOptions = rest as Client.Options;
    this.#connector = connectorTo(route, balancer, options, this);
    this.#limit = connections ?? Number.POSITIVE_INFINITY;
    this.#maxAgeMs = maxConnectionAgeMs;
    this.#mayMultiplex = speaksH2c(options) || (route.origin.startsWith("https:") && options.allowH2 !== false);
  }

  get stats(): ConnectionStats {
    let [connected, pending, running] = [0, 0, 0];
    for (const { client, hasOpenSocket } of [...this.#connections, ...this.#leaving]) {
      const stats = client.stats;
      if (hasOpenSocket) connected++;
      pending += stats.pending;
      running += stats.running;
    }
    return { connected, free: this.#free.length, pending, running, queued: this.#line.length };
  }

  /** Whether the request is on its way; if not, it stands in line. */
  dispatch(options: DispatchOptions, handler: Handler | WaitingHandler): boolean {
    if (this.#isClosed) {
      handler.onResponseError?.(null as never, new errors.ClientClosedError());
      return false;
    }
    const connection = this.#line.length > 0 ? undefined : this.#choose(options);
    if (connection === undefined) this.#line.join(options, handler);
    else this.#send(connection, options, handler);
    return connection !== undefined;
  }

  /** Takes no new requests; connections close as they fall idle. Resolves when all are closed. */
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
    const all = [...this.#connections, ...this.#leaving];
    this.#connections.clear();
    this.#free.length = 0;
    this.#connector.addresses?.close();
    this.#line.fail(error);
    await Promise.all(all.map((connection) => connection.destroy(error)));
    this.#whenEnded?.();
  }

  // Which connection

  #choose(options: DispatchOptions): Connection | undefined {
    const newest = this.#free.at(-1);
    if (newest === undefined) return this.#mayOpen ? this.#open() : undefined;
    return this.#isRisky(newest, options) && this.#mayOpen ? this.#open() : newest;
  }

  /** Whether the server may close the connection as the request comes, which could then not be repeated. */
  #isRisky({ isHttp2, freeSinceMs }: Connection, { method, idempotent }: DispatchOptions): boolean {
    // HTTP/2 says which streams it did not process.
    if (isHttp2 || (idempotent ?? IDEMPOTENT_METHODS.has(method))) return false;
    return this.#connectMs < CHEAP_CONNECT_MS && this.#clock.now() - freeSinceMs > LONG_IDLE_MS;
  }

  get #mayOpen(): boolean {
    // Those that leave count as well, but must not keep everybody waiting.
    if (this.#connections.size > 0 && this.#connections.size + this.#leaving.size >= this.#limit) return false;
    if (!this.#mayMultiplex) return true;
    for (const { isNew } of this.#connections) if (isNew) return false;
    return true;
  }

  #open(): Connection {
    const startedMs = this.#clock.now();
    const connection: Connection = new Connection(this.#route.origin, this.#clientOptions, this.#connector.connect, {
      connected: (_connection, socket) => this.#connected(connection, socket, this.#clock.now() - startedMs),
      drained: () => this.#drained(connection),
      disconnected: (_connection, error) => this.#disconnected(connection, error),
      failed: (_connection, error) => this.#failed(connection, error),
    });
    this.#connections.add(connection);
    return connection;
  }

  #send(connection: Connection, options: DispatchOptions, handler: Handler): void {
    if (connection.isHttp2 && isTunnel(options)) connection.hasTunnel = true;
    const { client } = connection;
    // undici says that it takes no more as well when it has refused the request itself, for what is wrong with it.
    if (client.dispatch(options, handler) || client.stats.size === 0) this.#release(connection);
    else this.#occupy(connection);
  }

  /** The first in line go on, as far as there are connections for them. */
  #advance(): void {
    while (this.#line.length > 0) {
      const connection = this.#free.at(-1) ?? (this.#mayOpen ? this.#open() : undefined);
      if (connection === undefined) return;
      const place = this.#line.next();
      place?.runInAsyncScope(() => this.#send(connection, place.options, place.handler));
    }
    if (this.#isClosed) this.#end();
  }

  #end(): void {
    for (const connection of this.#connections) this.#leave(connection);
    if (this.isConnected) return;
    this.#connector.addresses?.close();
    this.#whenEnded?.();
  }

  // What becomes of a connection

  #connected(connection: Connection, socket: Socket, tookMs: number): void {
    this.#connector.addresses?.silent(unanswered(socket));
    // A client that is thrown away has something left to do.
    if (!this.#connections.has(connection)) return;
    const { isHttp2 } = connection;
    this.#connectMs = tookMs;
    this.#mayMultiplex = isHttp2;
    if (this.#maxAgeMs !== false) {
      const ageMs = this.#maxAgeMs * (1 + AGE_JITTER * (2 * this.#random.next() - 1));
      this.#later(connection, ageMs, () => this.#retire(connection));
    }
    // Whatever the settings say is not seen from here: full at once, it would be taken for new as long as its requests last.
    if (isHttp2) this.#later(connection, Math.max(SETTINGS_WAIT_MS, tookMs), () => this.#known(connection));
    else this.#known(connection);
  }

  #later(connection: Connection, delayMs: number, callback: () => void): void {
    connection.timers.push(this.#clock.schedule(delayMs, callback, { background: true }));
  }

  /** Others may be made. */
  #known(connection: Connection): void {
    connection.isNew = false;
    this.#advance();
  }

  #drained(connection: Connection): void {
    if (!this.#connections.has(connection)) return;
    if (connection.isRetiring) {
      this.#leave(connection);
      return;
    }
    connection.isNew = false;
    connection.freeSinceMs = this.#clock.now();
    this.#release(connection);
    this.#advance();
  }

  #disconnected(connection: Connection, error: Error): void {
    // From undici 8.3 on, a GOAWAY leaves the streams that it lets end alone, and fails the others with this error.
    if (connection.hasOpenSocket && error.message.includes("GOAWAY")) neverProcessed(error);
    this.#leave(connection);
  }

  #failed(connection: Connection, error: Error): void {
    if (!this.#connections.has(connection)) return;
    this.#connectMs = Number.POSITIVE_INFINITY;
    this.#connector.addresses?.unreachable();
    // Those in line would meet with nothing else, one by one.
    if (this.#connections.size === 1) this.#line.fail(error);
    this.#leave(connection);
  }

  get isConnected(): boolean {
    return this.#connections.size + this.#leaving.size > 0;
  }

  addressesChanged(addresses: ReadonlySet<string>): void {
    for (const connection of this.#connections)
      if (connection.address !== undefined && !addresses.has(connection.address)) this.#retire(connection);
  }

  /** It takes no new request, and closes when it is idle. */
  #retire(connection: Connection): void {
    // Over HTTP/1.1 it takes none before it is free anyway, and until then it counts.
    if (connection.isFree || connection.isHttp2) this.#leave(connection);
    else connection.isRetiring = true;
  }

  #leave(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#occupy(connection);
    this.#leaving.add(connection);
    const left = (): void => {
      this.#leaving.delete(connection);
      this.#advance();
    };
    connection.leave().then(left, left);
    this.#advance();
  }

  #release(connection: Connection): void {
    if (connection.isFree || !this.#connections.has(connection)) return;
    // A first request that undici has refused leaves a client without a socket.
    if (!connection.hasOpenSocket) this.#leave(connection);
    else {
      connection.isFree = true;
      this.#free.push(connection);
    }
  }

  #occupy(connection: Connection): void {
    if (!connection.isFree) return;
    connection.isFree = false;
    // Mostly the last one.
    this.#free.splice(this.#free.lastIndexOf(connection), 1);
  }
}

/** What undici takes for done as soon as it has begun. */
function isTunnel({ method, upgrade }: DispatchOptions): boolean {
  return method === "CONNECT" || (upgrade !== undefined && upgrade !== null && upgrade !== false);
}

/** The addresses that were tried before the one that answered. */
function unanswered({ autoSelectFamilyAttemptedAddresses: tried, remoteAddress }: Socket): readonly string[] {
  const answered = remoteAddress === undefined ? undefined : plain(remoteAddress);
  // Such as "::1:8080".
  return (tried ?? []).map((pair) => plain(pair.replace(/:\d+$/, ""))).filter((address) => address !== answered);
}
