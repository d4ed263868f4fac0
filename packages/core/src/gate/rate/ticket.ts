import type { CallSignal } from "../../call-signal.ts";
import type { RateWait } from "./rate-gate.ts";

/** A call that waits to be let in. Ends once: let in, refused, given up by its caller, or closed. */
export class Ticket {
  readonly promise: Promise<void>;
  readonly giveUpAtMs: number;
  /** What whoever keeps it waiting does at the end. */
  onEnd: (() => void) | undefined = undefined;
  readonly #signal: CallSignal | undefined;
  readonly #tickets: Set<Ticket>;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};
  readonly #onAbort = (): void => this.refuse(this.#signal?.reason);

  /** @param tickets where it is listed while it waits */
  constructor({ signal, giveUpAtMs }: RateWait, tickets: Set<Ticket>) {
    this.giveUpAtMs = giveUpAtMs;
    this.#signal = signal;
    this.#tickets = tickets;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    tickets.add(this);
  }

  /** Whether the call still waits. */
  get open(): boolean {
    return this.#tickets.has(this);
  }

  admit(): void {
    if (this.#end()) this.#resolve();
  }

  refuse(error: unknown): void {
    if (this.#end()) this.#reject(error);
  }

  /** Its request is gone: nobody hears of its end. */
  forget(): void {
    this.#end();
  }

  /** False if it had ended before. */
  #end(): boolean {
    if (!this.#tickets.delete(this)) return false;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.onEnd?.();
    return true;
  }
}
