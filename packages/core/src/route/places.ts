import type { Attempt } from "../call/attempt.ts";
import { DelegatedAttempt } from "../call/delegated-attempt.ts";
import type { Report } from "../call/outcome.ts";

/** Room for so many calls at once. Each keeps its place until the body of its answer has ended. */
export class Places {
  readonly max: number;
  #taken = 0;

  constructor(max: number) {
    this.max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a place, if one is left. */
  take(): boolean {
    if (this.#taken >= this.max) return false;
    this.#taken++;
    return true;
  }

  giveBack(): void {
    this.#taken--;
  }
}

/** One call, which keeps its place as long as anything of it is under way. */
export class Guest {
  readonly #places: Places;
  #seated = false;
  /** The call itself, and who holds an attempt of it. */
  #reasons = 1;

  constructor(places: Places) {
    this.#places = places;
  }

  /** Takes a place, if one is left. */
  enter(): boolean {
    this.#seated = this.#places.take();
    return this.#seated;
  }

  /** Makes its attempts, which keep the place while they are held. */
  making<T>(run: (attempt: Attempt) => Promise<T>): (attempt: Attempt) => Promise<T> {
    return (attempt) => run(new HeldPlace(attempt, this));
  }

  /** The call has come to its end, whichever it is. */
  after(answer: Promise<unknown>): void {
    const leave = (): void => this.leave();
    answer.then(leave, leave);
  }

  stay(): void {
    this.#reasons++;
  }

  leave(): void {
    if (--this.#reasons > 0 || !this.#seated) return;
    // An attempt that nobody waits for any more may still be held.
    this.#seated = false;
    this.#places.giveBack();
  }
}

/** An attempt whose call keeps its place while somebody holds it. */
class HeldPlace extends DelegatedAttempt {
  readonly #guest: Guest;

  constructor(attempt: Attempt, guest: Guest) {
    super(attempt);
    this.#guest = guest;
  }

  override hold(): (late?: Report) => void {
    const release = super.hold();
    this.#guest.stay();
    let held = true;
    return (late) => {
      if (held) this.#guest.leave();
      held = false;
      release(late);
    };
  }
}
