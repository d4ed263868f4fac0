import type { Readable } from "node:stream";
import { alreadyRead } from "../body.ts";

/** A Node stream as a request body: sent once, by undici itself, and left alone until its request begins. */
export class OneShotReadable {
  readonly #readable: Readable;
  /** A request with it began: it cannot be sent again. */
  consumed = false;
  /** It was the stream that failed, not the backend. */
  failed = false;
  /** The request has ended: what becomes of the stream now is undici's doing. */
  over = false;

  constructor(readable: Readable) {
    this.#readable = readable;
    // Between two attempts nobody else would listen, and an error without a listener ends the process.
    readable.on("error", () => {
      if (!this.over) this.failed = true;
    });
  }

  /** @throws TypeError if it was sent */
  open(): Readable {
    if (this.consumed) throw alreadyRead();
    return this.#readable;
  }

  /** The call has failed: the stream is freed, as undici does. */
  dispose(reason: unknown): void {
    this.#readable.destroy(reason instanceof Error ? reason : undefined);
  }
}
