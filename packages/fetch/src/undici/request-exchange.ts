import type { Buffer } from "node:buffer";
import type { Attempt } from "@fairlead/core";
import { Dispatcher } from "undici";
import type { BodyMeter } from "../request-bytes.ts";
import type { ConnectionPool } from "./connections/pool.ts";
import { Exchange } from "./exchange.ts";
import { type Controller, type Handler, type LegacyHandler, normalise } from "./handler.ts";
import type { OneShotReadable } from "./one-shot-readable.ts";

const NO_HANDLER: Handler = {};

/**
 * One attempt of `createRequest`. It stands in for the dispatcher of undici's own `request`, so that body, headers and
 * trailers are undici's, and is its own handler on the way to the pool: one object per attempt.
 */
export class RequestExchange extends Exchange {
  readonly #pool: ConnectionPool;
  readonly #options: Dispatcher.RequestOptions<unknown>;
  readonly #stream: OneShotReadable | undefined;
  readonly #meter: BodyMeter | undefined;

  constructor(
    attempt: Attempt,
    pool: ConnectionPool,
    options: Dispatcher.RequestOptions<unknown>,
    stream: OneShotReadable | undefined,
    meter: BodyMeter | undefined,
  ) {
    super(attempt, NO_HANDLER);
    this.#pool = pool;
    this.#options = options;
    this.#stream = stream;
    this.#meter = meter;
    attempt.markSent(false);
    attempt.onAbort(this);
  }

  send(): Promise<Dispatcher.ResponseData<unknown>> {
    // undici's handler destroys a stream with any failed attempt: it is not shown one that may be needed again.
    const shown = this.#stream === undefined ? this.#options : { ...this.#options, body: null };
    return Dispatcher.prototype.request.call(this as never, shown as Dispatcher.RequestOptions);
  }

  dispatch(_shown: unknown, handler: Handler | LegacyHandler): boolean {
    this.handler = normalise(handler);
    return this.#pool.dispatch(this.#options, this);
  }

  override onRequestStart(controller: Controller, context: unknown): void {
    if (this.#stream !== undefined) this.#stream.consumed = true;
    super.onRequestStart(controller, context);
  }

  override onBodySent(chunk: Buffer): void {
    const tooLong = this.#meter?.count(chunk);
    if (tooLong === undefined) super.onBodySent(chunk);
    else this.abort(tooLong);
  }

  override onResponseError(controller: Controller, error: Error): void {
    if (this.#stream !== undefined) this.#stream.over = this.started;
    super.onResponseError(controller, error);
  }
}
