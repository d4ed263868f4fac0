import type { Random } from "../random.ts";

/** Shares are whole numbers of hundredths of a percent. */
export const WHOLE = 10_000;

/**
 * Says yes to a share p of its calls, and never loses count: to ⌊n·p⌋ or ⌈n·p⌉ of the first n, for every n.
 *
 * Which calls those are is drawn, and each has the chance p. So a pattern among the calls, such as every other one being
 * of another kind, does not become one among the answers.
 */
export class Portion {
  readonly #parts: number;
  readonly #random: Random;
  /** n·p without its whole part, in parts. */
  #due = 0;
  /** It has said yes ⌈n·p⌉ times, not ⌊n·p⌋; the chance of that is `#due`. */
  #ahead = false;

  constructor(parts: number, random: Random) {
    this.#parts = parts;
    this.#random = random;
  }

  next(): boolean {
    const before = this.#due;
    const due = before + this.#parts;
    const carries = due >= WHOLE;
    // Given where it stands, the chance that leaves p for the call, and the new `#due` for being ahead.
    const yes = carries
      ? !this.#ahead || this.#random.next() * before < due - WHOLE
      : !this.#ahead && this.#random.next() * (WHOLE - before) < this.#parts;
    this.#ahead = carries ? this.#ahead && yes : this.#ahead || yes;
    this.#due = carries ? due - WHOLE : due;
    return yes;
  }
}
