import type { Clock, Timer } from "../../clock.ts";
import type { Ticket } from "./ticket.ts";
import type { TokenBuckets } from "./token-buckets.ts";

/** The calls that wait for tokens of one key, first come first served: each token that grows lets one in. */
export class TokenLine {
  readonly #key: string;
  readonly #buckets: TokenBuckets;
  readonly #clock: Clock;
  readonly #tickets: Set<Ticket> = new Set();
  #timer: Timer | undefined = undefined;

  constructor(key: string, buckets: TokenBuckets, clock: Clock) {
    this.#key = key;
    this.#buckets = buckets;
    this.#clock = clock;
  }

  get length(): number {
    return this.#tickets.size;
  }

  /** @param waitMs until the next token, if nobody waits yet */
  join(ticket: Ticket, waitMs: number): void {
    this.#tickets.add(ticket);
    this.#timer ??= this.#clock.schedule(waitMs, () => this.#serve());
  }

  leave(ticket: Ticket): void {
    if (!this.#tickets.delete(ticket) || this.#tickets.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #serve(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.now();
    for (const ticket of this.#tickets) {
      const waitMs = this.#buckets.take(this.#key, nowMs);
      if (waitMs > 0) {
        this.#timer = this.#clock.schedule(waitMs, () => this.#serve());
        return;
      }
      ticket.admit();
    }
  }
}
