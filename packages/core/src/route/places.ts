import type { Backend } from "../backend.ts";
import type { AbortListener, Attempt, CallOptions } from "../call/attempt.ts";
import type { Report } from "../call/outcome.ts";
import type { Balancer } from "../contract.ts";

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

  get full(): boolean {
    return this.#taken >= this.max;
  }

  /** Makes a call that takes a place; whoever calls has seen that there is one. */
  call<T>(balancer: Balancer, run: (attempt: Attempt) => Promise<T>, options: CallOptions<T>): Promise<T> {
    this.#taken++;
    let users = 1;
    const use = (): (() => void) => {
      users++;
      return leave;
    };
    const leave = (): void => {
      if (--users === 0) this.#taken--;
    };
    let answer: Promise<T>;
    try {
      answer = balancer.call((attempt) => run(new PlacedAttempt(attempt, use)), options);
    } catch (error) {
      leave();
      throw error;
    }
    answer.then(leave, leave);
    return answer;
  }
}

/** An attempt whose call keeps its place while somebody holds it. */
class PlacedAttempt implements Attempt {
  readonly #attempt: Attempt;
  readonly #use: () => () => void;

  constructor(attempt: Attempt, use: () => () => void) {
    this.#attempt = attempt;
    this.#use = use;
  }

  get backend(): Backend {
    return this.#attempt.backend;
  }

  get balancer(): Balancer {
    return this.#attempt.balancer;
  }

  get number(): number {
    return this.#attempt.number;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get remainingMs(): number {
    return this.#attempt.remainingMs;
  }

  onAbort(listener: AbortListener): void {
    this.#attempt.onAbort(listener);
  }

  markSent(sent?: boolean): void {
    this.#attempt.markSent(sent);
  }

  hold(): (late?: Report) => void {
    const release = this.#attempt.hold();
    const leave = this.#use();
    let held = true;
    return (late) => {
      if (held) leave();
      held = false;
      release(late);
    };
  }
}
