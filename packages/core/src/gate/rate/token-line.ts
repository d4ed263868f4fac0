import type { Clock, Timer } from "../../clock.ts";
import type { Ticket } from "./ticket.ts";
import type { TokenBuckets } from "./token-buckets.ts";

/**
 * The calls that wait for tokens of one key, first come first served: each token that grows lets one in.
 *
 * Where a timer belongs to the request that made it, nobody can wait for another: there each asks for itself, and who comes
 * first does not count.
 */
export class TokenLine {
  readonly #key: string;
  readonly #buckets: TokenBuckets;
  readonly #clock: Clock;
  readonly #tickets: Set<Ticket> = new Set();
  readonly #refusal: (waitMs: number) => Error;
  #timer: Timer | undefined = undefined;
  /** Of those who ask for themselves. */
  readonly #own: Map<Ticket, Timer> = new Map();

  /** @param refusal the error of a call that others have overtaken for too long */
  constructor(key: string, buckets: TokenBuckets, clock: Clock, refusal: (waitMs: number) => Error) {
    this.#key = key;
    this.#buckets = buckets;
    this.#clock = clock;
    this.#refusal = refusal;
  }

  get length(): number {
    return this.#tickets.size;
  }

  /** @param waitMs until the next token, if nobody waits yet */
  join(ticket: Ticket, waitMs: number): void {
    this.#tickets.add(ticket);
    if (this.#clock.background === false) this.#askAlone(ticket, waitMs);
    else this.#timer ??= this.#clock.schedule(waitMs, () => this.#serve());
  }

  #askAlone(ticket: Ticket, waitMs: number): void {
    const ask = (): void => {
      const nowMs = this.#clock.now();
      const nextMs = this.#buckets.take(this.#key, nowMs);
      if (nextMs === 0) ticket.admit();
      else if (nowMs + nextMs > ticket.giveUpAtMs) ticket.refuse(this.#refusal(nextMs));
      else this.#askAlone(ticket, nextMs);
    };
    this.#own.set(ticket, this.#clock.schedule(waitMs, ask));
  }

  leave(ticket: Ticket): void {
    this.#own.get(ticket)?.cancel();
    this.#own.delete(ticket);
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
