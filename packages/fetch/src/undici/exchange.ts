import type { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Attempt, Report } from "@fairlead/core";
import { blameNobody } from "../classify.ts";
import { streamFailure } from "../response.ts";
import type { Place, WaitingHandler } from "./connections/waiting-line.ts";
import type { Controller, Handler } from "./handler.ts";

/**
 * One request on its way to the backend of an attempt: hands every event on, says when the request is sent, and holds the
 * attempt from the headers to the end of the body. Nothing is wrapped, so a body costs nothing.
 */
export class Exchange implements WaitingHandler {
  readonly #attempt: Attempt;
  protected handler: Handler;
  #controller: Controller | undefined = undefined;
  #place: Place | undefined = undefined;
  #release: ((late?: Report) => void) | undefined = undefined;
  #aborted = false;
  #reason: unknown = undefined;

  constructor(attempt: Attempt, handler: Handler) {
    this.#attempt = attempt;
    this.handler = handler;
  }

  /** Whether anything may have been written. */
  get started(): boolean {
    return this.#controller !== undefined;
  }

  /** Ends it, now or as soon as it would begin. */
  abort(reason: unknown): void {
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason as Error);
    this.#place?.leave(reason);
  }

  onWaiting(place: Place): void {
    if (this.#aborted) place.leave(this.#reason);
    else this.#place = place;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    if (this.#aborted) {
      controller.abort(this.#reason as Error);
      return;
    }
    this.#controller = controller;
    // undici calls this when it is about to write the first byte.
    this.#attempt.markSent();
    this.handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(controller: Controller, statusCode: number, headers: IncomingHttpHeaders, socket: Duplex): void {
    const release = this.#attempt.hold();
    socket.once("close", () => release());
    this.handler.onRequestUpgrade?.(controller, statusCode, headers, socket);
  }

  onResponseStarted(): void {
    this.handler.onResponseStarted?.();
  }

  onResponseStart(controller: Controller, statusCode: number, headers: IncomingHttpHeaders, statusText?: string): void {
    if (statusCode >= 200) this.#release = this.#attempt.hold();
    try {
      this.handler.onResponseStart?.(controller, statusCode, headers, statusText);
    } catch (error) {
      blameNobody(error);
      throw error;
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#release?.();
    this.handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    // An abort is the caller's doing.
    this.#release?.(this.#controller?.aborted === true ? undefined : streamFailure(error));
    this.handler.onResponseError?.(controller, error);
  }

  onBodySent(chunk: Buffer): void {
    this.handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.handler.onRequestSent?.();
  }
}
