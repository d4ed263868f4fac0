import { errors } from "undici";
import type { DispatchCall } from "./dispatch-call.ts";

/** What is under way in a dispatcher, and how it comes to its end: as in undici's own. */
export class Lifetime {
  readonly #calls = new Set<DispatchCall>();
  /** Wait for the last call to end. */
  #waiting: (() => void)[] = [];
  closed = false;
  destroyed = false;

  /** @throws ClientClosedError, ClientDestroyedError (undici's) */
  refuseIfOver(): void {
    if (this.destroyed) throw new errors.ClientDestroyedError();
    if (this.closed) throw new errors.ClientClosedError();
  }

  start(call: DispatchCall): void {
    this.#calls.add(call);
    call.start();
  }

  ended(call: DispatchCall): void {
    this.#calls.delete(call);
    this.#endIfIdle();
  }

  /** `done`: the last call has ended. */
  close(done: () => void): void {
    this.closed = true;
    this.#waiting.push(done);
    this.#endIfIdle();
  }

  destroy(reason: Error, done: () => void): void {
    this.destroyed = true;
    this.#waiting.push(done);
    for (const call of this.#calls) call.controller.abort(reason);
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#calls.size > 0 || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    // The handler of the last call hears of its end first.
    queueMicrotask(() => {
      this.destroyed = true;
      for (const done of waiting) done();
    });
  }
}
