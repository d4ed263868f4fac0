import type { EventEmitter } from "node:events";
import { type Dispatcher, errors } from "undici";

export type GivenSignal = Dispatcher.RequestOptions["signal"];

/** undici takes event emitters for signals as well; calls take `AbortSignal`s. */
export class EmitterSignal {
  readonly #emitter: EventEmitter;
  readonly #controller = new AbortController();
  readonly #abort = (): void => {
    const { reason } = this.#emitter as Partial<AbortSignal>;
    this.#controller.abort(reason ?? new errors.RequestAbortedError());
  };

  constructor(emitter: EventEmitter) {
    this.#emitter = emitter;
    if ("aborted" in emitter && emitter.aborted === true) this.#abort();
    else emitter.once("abort", this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Listens no longer than the answer's body streams. */
  stopAfter(answer: Promise<Dispatcher.ResponseData<unknown>>): void {
    const stop = (): unknown => this.#emitter.off("abort", this.#abort);
    answer.then(({ body }) => body.once("close", stop), stop);
  }
}

/** @throws InvalidArgumentError (undici's) if it is no signal at all */
export function isEmitter(signal: GivenSignal): signal is EventEmitter {
  if (signal === null || signal === undefined || "addEventListener" in Object(signal)) return false;
  if ("once" in Object(signal)) return true;
  throw new errors.InvalidArgumentError("signal must be an EventEmitter or EventTarget");
}
