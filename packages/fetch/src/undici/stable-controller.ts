import type { Controller } from "./handler.ts";

/** The one controller a caller gets, whichever attempt is under way. */
export class StableController implements Controller {
  readonly #onAbort: (reason: Error) => void;
  #current: Controller | undefined = undefined;
  #paused = false;
  #aborted = false;
  #reason: Error | null = null;

  /** `onAbort` is called once, when the caller aborts. */
  constructor(onAbort: (reason: Error) => void) {
    this.#onAbort = onAbort;
  }

  /** A pause holds for the attempt that takes over. */
  follow(controller: Controller): void {
    this.#current = controller;
    if (this.#paused) controller.pause();
  }

  pause(): void {
    this.#paused = true;
    this.#current?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#current?.resume();
  }

  abort(reason: Error): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#onAbort(reason);
  }

  get paused(): boolean {
    return this.#paused;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get rawHeaders(): NonNullable<Controller["rawHeaders"]> | null {
    return this.#current?.rawHeaders ?? null;
  }

  /** Interceptors that change an answer write here. */
  set rawHeaders(headers: NonNullable<Controller["rawHeaders"]> | null) {
    if (this.#current !== undefined) this.#current.rawHeaders = headers;
  }

  get rawTrailers(): NonNullable<Controller["rawTrailers"]> | null {
    return this.#current?.rawTrailers ?? null;
  }

  set rawTrailers(trailers: NonNullable<Controller["rawTrailers"]> | null) {
    if (this.#current !== undefined) this.#current.rawTrailers = trailers;
  }
}
