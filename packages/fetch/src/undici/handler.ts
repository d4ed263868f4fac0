import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";

export type Handler = Dispatcher.DispatchHandler;
export type Controller = Dispatcher.DispatchController;
export type DispatchOptions = Dispatcher.DispatchOptions;

type RawHeaders = Buffer[] | string[];

/** Handlers as undici up to 7 and the built-in `fetch` of Node 22 and 24 write them. */
export interface LegacyHandler {
  onConnect?(abort: (reason?: Error) => void, context?: unknown): void;
  onUpgrade?(statusCode: number, rawHeaders: RawHeaders, socket: Duplex): void;
  onResponseStarted?(): void;
  onHeaders?(statusCode: number, rawHeaders: RawHeaders, resume: () => void, statusText: string): unknown;
  onData?(chunk: Buffer): unknown;
  onComplete?(rawTrailers: RawHeaders): void;
  onError?(error: Error): void;
  onBodySent?(chunk: Buffer): void;
  onRequestSent?(): void;
}

/** A handler of either generation, as one of undici 8's. */
export function normalise(handler: Handler | LegacyHandler): Handler {
  return "onRequestStart" in handler && typeof handler.onRequestStart === "function"
    ? handler
    : new LegacyAdapter(handler);
}

/**
 * A legacy handler that speaks both languages: the new one to undici 7 and 8, its own to the undici 6 inside Node 22,
 * whose agent other origins may be passed on to.
 */
class LegacyAdapter implements Handler, LegacyHandler {
  readonly #handler: LegacyHandler;

  constructor(handler: LegacyHandler) {
    this.#handler = handler;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#handler.onConnect?.((reason) => controller.abort(reason as Error), context);
  }

  onRequestUpgrade(controller: Controller, statusCode: number, headers: IncomingHttpHeaders, socket: Duplex): void {
    this.#handler.onUpgrade?.(statusCode, toRaw(controller.rawHeaders ?? headers), socket);
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onResponseStart(controller: Controller, statusCode: number, headers: IncomingHttpHeaders, statusText = ""): void {
    const raw = toRaw(controller.rawHeaders ?? headers);
    // In that generation, `false` is what asks for a pause.
    if (this.#handler.onHeaders?.(statusCode, raw, () => controller.resume(), statusText) === false) controller.pause();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#handler.onData?.(chunk) === false) controller.pause();
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#handler.onComplete?.(toRaw(controller.rawTrailers ?? trailers));
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.#handler.onError === undefined) throw error;
    this.#handler.onError(error);
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }

  onConnect(abort: (reason?: Error) => void, context?: unknown): void {
    this.#handler.onConnect?.(abort, context);
  }

  onUpgrade(statusCode: number, rawHeaders: RawHeaders, socket: Duplex): void {
    this.#handler.onUpgrade?.(statusCode, rawHeaders, socket);
  }

  onHeaders(statusCode: number, rawHeaders: RawHeaders, resume: () => void, statusText: string): unknown {
    return this.#handler.onHeaders?.(statusCode, rawHeaders, resume, statusText);
  }

  onData(chunk: Buffer): unknown {
    return this.#handler.onData?.(chunk);
  }

  onComplete(rawTrailers: RawHeaders): void {
    this.#handler.onComplete?.(rawTrailers);
  }

  onError(error: Error): void {
    this.#handler.onError?.(error);
  }
}

/** Names and values in turn; HTTP/2 hands over an object. */
export function toRaw(headers: RawHeaders | IncomingHttpHeaders | null): RawHeaders {
  if (Array.isArray(headers)) return headers;
  const raw: Buffer[] = [];
  for (const [name, value] of Object.entries(headers ?? {}))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) raw.push(Buffer.from(name, "latin1"), Buffer.from(one, "latin1"));
  return raw;
}
