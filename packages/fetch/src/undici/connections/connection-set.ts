import type { Socket } from "node:net";
import { type Balancer, type Clock, createRandom, type Random } from "@fairlead/core";
import type { Client } from "undici";
import { neverProcessed } from "../../classify.ts";
import { IDEMPOTENT_METHODS } from "../../methods.ts";
import type { DispatchOptions, Handler } from "../handler.ts";
import type { Route } from "../route.ts";
import type { AddressListener } from "./addresses.ts";
import { Connection } from "./connection.ts";
import { type Connector, connectorTo, speaksH2c } from "./connector.ts";
import type { ConnectionStats } from "./pool.ts";
import type { PoolOptions } from "./pool-options.ts";

const MAX_AGE_MS = 300_000;
/** Ages are spread by this share, up and down: connections made at once don't end at once. */
const AGE_JITTER = 0.1;

/** A server may be about to close a connection idle for longer than this, in milliseconds. */
const LONG_IDLE_MS = 1_000;
/** Below this, in milliseconds, a connection costs less than a request that must not be repeated is worth. */
const CHEAP_CONNECT_MS = 50;

/** How long an HTTP/2 server has to tell its settings, at least, in milliseconds; they come with its first flight. */
const SETTINGS_WAIT_MS = 50;

/** What a pool wants to know of its connections. */
export interface ConnectionSetEvents {
  /** There may be one for the next in line. */
  changed(): void;
  /** The last one could not be made. */
  unreachable(error: Error): void;
}

/**
 * The connections to one backend: made when there is no free one, thrown away when they are old, lead elsewhere or break. The
 * one used last is used next, so that those too many fall idle and close.
 */
export class ConnectionSet implements AddressListener {
  readonly #route: Route;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #clientOptions: Client.Options;
  readonly #connector: Connector;
  readonly #limit: number;
  readonly #maxAgeMs: number | false;
  readonly #events: ConnectionSetEvents;
  /** Those that take requests, now or when they have ended one. */
  readonly #connections = new Set<Connection>();
  /** Of these: those that can take one now, the one used last at the end. */
  readonly #free: Connection[] = [];
  /** Those that only end what they have begun. */
  readonly #leaving = new Set<Connection>();
  /** Whether one connection may be enough for all: until the first one says otherwise, they are made one by one. */
  #mayMultiplex: boolean;
  /** How long the last connection took; infinite while none has come about since the last failure. */
  #connectMs = Number.POSITIVE_INFINITY;

  constructor(route: Route, balancer: Balancer, options: PoolOptions, events: ConnectionSetEvents) {
    const { connections, maxConnectionAgeMs = MAX_AGE_MS, names: _names, random = createRandom(), ...rest } = options;
    this.#route = route;
    this.#clock = balancer.clock;
    this.#random = random;
    this.#clientOptions = rest as Client.Options;
    this.#connector = connectorTo(route, balancer, options, this);
    this.#limit = connections ?? Number.POSITIVE_INFINITY;
    this.#maxAgeMs = maxConnectionAgeMs;
    this.#events = events;
    this.#mayMultiplex = speaksH2c(options) || (route.origin.startsWith("https:") && options.allowH2 !== false);
  }

  get stats(): Omit<ConnectionStats, "queued"> {
    let [connected, pending, running] = [0, 0, 0];
    for (const { stats, hasOpenSocket } of [...this.#connections, ...this.#leaving]) {
      if (hasOpenSocket) connected++;
      pending += stats.pending;
      running += stats.running;
    }
    return { connected, free: this.#free.length, pending, running };
  }

  get isEmpty(): boolean {
    return this.#connections.size + this.#leaving.size === 0;
  }

  // Which one

  /** One for this request, if there is one or may be made one. */
  forRequest(options: DispatchOptions): Connection | undefined {
    const newest = this.#free.at(-1);
    return newest !== undefined && this.#isRisky(newest, options) && this.#mayOpen ? this.#open() : this.next();
  }

  /** One for any request that comes at once. */
  next(): Connection | undefined {
    return this.#free.at(-1) ?? (this.#mayOpen ? this.#open() : undefined);
  }

  send(connection: Connection, options: DispatchOptions, handler: Handler): void {
    if (connection.send(options, handler)) this.#release(connection);
    else this.#occupy(connection);
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

  // What becomes of one

  #open(): Connection {
    const startedMs = this.#clock.now();
    const connection: Connection = new Connection(this.#route.origin, this.#clientOptions, this.#connector.connect, {
      connected: (socket) => this.#connected(connection, socket, this.#clock.now() - startedMs),
      drained: () => this.#drained(connection),
      disconnected: (error) => this.#disconnected(connection, error),
      failed: (error) => this.#failed(connection, error),
    });
    this.#connections.add(connection);
    return connection;
  }

  #connected(connection: Connection, socket: Socket, tookMs: number): void {
    this.#connector.addresses?.reached(socket);
    // One that is thrown away may have something left to do.
    if (connection.isLeaving) return;
    this.#connectMs = tookMs;
    this.#mayMultiplex = connection.isHttp2;
    if (this.#maxAgeMs !== false) {
      const ageMs = this.#maxAgeMs * (1 + AGE_JITTER * (2 * this.#random.next() - 1));
      this.#later(connection, ageMs, () => this.#retire(connection));
    }
    // What its settings say is not seen from here, only whether it takes more. One that is full from the start on says
    // nothing, for as long as its requests last.
    if (connection.isHttp2) this.#later(connection, Math.max(SETTINGS_WAIT_MS, tookMs), () => this.#known(connection));
    else this.#known(connection);
  }

  #later(connection: Connection, delayMs: number, callback: () => void): void {
    connection.timers.push(this.#clock.schedule(delayMs, callback, { background: true }));
  }

  /** Others may be made. */
  #known(connection: Connection): void {
    connection.isNew = false;
    this.#events.changed();
  }

  #drained(connection: Connection): void {
    if (connection.isLeaving) return;
    if (connection.isRetiring) {
      this.#leave(connection);
      return;
    }
    connection.freeSinceMs = this.#clock.now();
    this.#release(connection);
    this.#known(connection);
  }

  #disconnected(connection: Connection, error: Error): void {
    // From undici 8.3 on, a GOAWAY leaves the streams alone that may still end, and ends the others with this error.
    if (connection.hasOpenSocket && error.message.includes("GOAWAY")) neverProcessed(error);
    this.#leave(connection);
  }

  #failed(connection: Connection, error: Error): void {
    if (connection.isLeaving) return;
    this.#connectMs = Number.POSITIVE_INFINITY;
    this.#connector.addresses?.unreachable();
    if (this.#connections.size === 1) this.#events.unreachable(error);
    this.#leave(connection);
  }

  // The end

  get isConnected(): boolean {
    return !this.isEmpty;
  }

  addressesChanged(addresses: ReadonlySet<string>): void {
    for (const connection of this.#connections)
      if (connection.address !== undefined && !addresses.has(connection.address)) this.#retire(connection);
  }

  /** All take no new requests, and close when they have none. */
  close(): void {
    for (const connection of this.#connections) this.#leave(connection);
    if (this.isEmpty) this.#connector.addresses?.close();
  }

  async destroy(reason: Error): Promise<void> {
    const all = [...this.#connections, ...this.#leaving];
    for (const connection of all) connection.isLeaving = true;
    this.#connections.clear();
    this.#free.length = 0;
    this.#connector.addresses?.close();
    await Promise.all(all.map((connection) => connection.destroy(reason)));
  }

  /** It takes no new request, and closes when it is idle. */
  #retire(connection: Connection): void {
    // Over HTTP/1.1 it takes none before it is free anyway, and until then it counts.
    if (connection.isFree || connection.isHttp2) this.#leave(connection);
    else connection.isRetiring = true;
  }

  #leave(connection: Connection): void {
    if (connection.isLeaving) return;
    connection.isLeaving = true;
    this.#connections.delete(connection);
    this.#occupy(connection);
    this.#leaving.add(connection);
    const left = (): void => {
      this.#leaving.delete(connection);
      this.#events.changed();
    };
    connection.leave().then(left, left);
    // Not at once: this may be in the middle of handing out connections.
    queueMicrotask(() => this.#events.changed());
  }

  #release(connection: Connection): void {
    if (connection.isFree || connection.isLeaving) return;
    // A first request that undici has refused leaves a connection that nobody makes.
    if (!connection.isOpen) this.#leave(connection);
    else {
      connection.isFree = true;
      this.#free.push(connection);
    }
  }

  #occupy(connection: Connection): void {
    if (!connection.isFree) return;
    connection.isFree = false;
    // Nearly always the last one.
    if (this.#free.at(-1) === connection) this.#free.pop();
    else this.#free.splice(this.#free.lastIndexOf(connection), 1);
  }
}
