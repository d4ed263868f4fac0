import type { Window } from "./window.ts";

const FAILED = 1;
const SLOW = 2;

/** A window of the last so many calls, one byte each. Source: resilience4j `COUNT_BASED`. */
export class CallWindow implements Window {
  finished = 0;
  failed = 0;
  slow = 0;
  readonly #calls: Uint8Array;
  #next = 0;

  constructor(size: number) {
    this.#calls = new Uint8Array(size);
  }

  record(failed: boolean, slow: boolean): void {
    const oldest = this.#calls[this.#next] ?? 0;
    if (this.finished === this.#calls.length) this.#count(oldest, -1);
    else this.finished++;
    const call = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    this.#calls[this.#next] = call;
    this.#count(call, 1);
    this.#next = this.#next + 1 === this.#calls.length ? 0 : this.#next + 1;
  }

  #count(call: number, sign: 1 | -1): void {
    if ((call & FAILED) !== 0) this.failed += sign;
    if ((call & SLOW) !== 0) this.slow += sign;
  }

  moveTo(): void {
    // It knows no time.
  }

  clear(): void {
    this.finished = 0;
    this.failed = 0;
    this.slow = 0;
    this.#next = 0;
  }
}
