import type { Socket } from "node:net";
import type { Attempt, Clock, Report, Timer } from "@fairlead/core";
import type { TunnelAnswer } from "../forward/contract.ts";
import { streamFailure } from "../response.ts";
import { switchingHead } from "./answer-headers.ts";
import { openTunnelsOf } from "./open-tunnels.ts";

/** A backend's consent to go on as something else than HTTP. */
export interface Switched {
  /** What the client is to be told. */
  readonly headers: Headers;
  readonly protocol: string;
  readonly socket: Socket;
  /** What the backend has said behind its headers. */
  readonly firstBytes: Uint8Array;
}

/**
 * A backend that has switched protocols, and then the bytes between it and a client. It holds its lease until the backend's
 * side is closed.
 */
export class Tunnel implements TunnelAnswer {
  readonly status = 101;
  readonly headers: Headers;
  readonly #protocol: string;
  readonly #backend: Socket;
  readonly #firstBytes: Uint8Array;
  readonly #clock: Clock;
  readonly #idleTimeoutMs: number | false;
  #client: Socket | undefined = undefined;
  #idleTimer: Timer | undefined = undefined;
  #late: Report | undefined = undefined;

  constructor({ headers, protocol, socket, firstBytes }: Switched, attempt: Attempt, idleTimeoutMs: number | false) {
    this.headers = headers;
    this.#protocol = protocol;
    this.#backend = socket;
    this.#firstBytes = firstBytes;
    this.#clock = attempt.balancer.clock;
    this.#idleTimeoutMs = idleTimeoutMs;
    const release = attempt.hold();
    const open = openTunnelsOf(attempt.balancer);
    open.add(this);
    socket.on("error", (error) => {
      // After its end, errors are about what the client went on sending.
      if (!socket.readableEnded) this.#late = streamFailure(error);
    });
    socket.once("close", () => {
      open.delete(this);
      release(this.#late);
      this.#endOther(this.#client);
    });
    attempt.onAbort(() => this.discard());
  }

  /** Tells the client of the switch and lets bytes flow, first those that both sides have sent already. */
  join(client: Socket, firstBytes: Uint8Array): void {
    const backend = this.#backend;
    this.#client = client;
    if (client.destroyed || backend.destroyed) {
      this.discard();
      return;
    }
    client.once("close", () => this.#endOther(backend));
    client.write(switchingHead(this.headers, this.#protocol), "latin1");
    if (this.#firstBytes.length > 0) client.write(this.#firstBytes);
    if (firstBytes.length > 0) backend.write(firstBytes);
    if (this.#idleTimeoutMs !== false) this.#limitIdleness(this.#idleTimeoutMs, client, backend);
    client.pipe(backend);
    backend.pipe(client);
  }

  /** The balancer closes: the backend hears that there is no more, and what it still says is delivered. */
  finish(): void {
    this.#client?.unpipe(this.#backend).resume();
    this.#backend.end();
  }

  /** Ends both sides at once. */
  discard(): void {
    this.#backend.destroy();
    this.#client?.destroy();
  }

  /** One side is closed: the other one still gets what has come for it. */
  #endOther(other: Socket | undefined): void {
    if (other === undefined || other.destroyed) this.#idleTimer?.cancel();
    else other.destroySoon();
  }

  #limitIdleness(limitMs: number, client: Socket, backend: Socket): void {
    const clock = this.#clock;
    let lastByteAtMs = clock.now();
    const touch = (): void => {
      lastByteAtMs = clock.now();
    };
    client.on("data", touch);
    backend.on("data", touch);
    // One timer at a time, looked at when it is over: to move it with each chunk would cost more.
    const check = (): void => {
      const leftMs = lastByteAtMs + limitMs - clock.now();
      if (leftMs <= 0) this.discard();
      else this.#idleTimer = clock.schedule(leftMs, check, { background: true });
    };
    check();
  }
}
