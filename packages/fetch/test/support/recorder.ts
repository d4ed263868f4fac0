import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";

type Controller = Dispatcher.DispatchController;

/** Notes what a handler is told, in its order; `act` may do something with it, such as throw. */
export class Recorder implements Dispatcher.DispatchHandler {
  readonly events: string[] = [];
  readonly controllers: Set<Controller> = new Set();
  readonly #ended = Promise.withResolvers<void>();
  readonly #act: (event: string, controller: Controller | undefined) => void;
  bytes = 0;

  constructor(act: (event: string, controller: Controller | undefined) => void = () => {}) {
    this.#act = act;
  }

  /** Resolves with all events when the last one has come. */
  async ended(): Promise<readonly string[]> {
    await this.#ended.promise;
    return this.events;
  }

  onRequestStart(controller: Controller): void {
    this.#note("start", controller);
  }

  onBodySent(): void {
    this.#note("body sent");
  }

  onRequestSent(): void {
    this.#note("request sent");
  }

  onResponseStarted(): void {
    this.#note("response started");
  }

  onResponseStart(controller: Controller, statusCode: number): void {
    this.#note(`headers ${statusCode}`, controller);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.bytes += chunk.length;
    // How many chunks there are is up to the network.
    if (this.events.at(-1) !== "data") this.#note("data", controller);
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#ended.resolve();
    this.#note(`end ${JSON.stringify(trailers)}`, controller);
  }

  onResponseError(controller: Controller | null, error: Error): void {
    this.#ended.resolve();
    this.#note(`error ${error.message}`, controller ?? undefined);
  }

  #note(event: string, controller?: Controller): void {
    this.events.push(event);
    if (controller !== undefined) this.controllers.add(controller);
    this.#act(event, controller);
  }
}
