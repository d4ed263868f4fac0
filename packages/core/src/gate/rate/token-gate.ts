import type { PickRequest } from "../../strategy/strategy.ts";
import { catchLater } from "../../telemetry/callbacks.ts";
import type { RateGate, RateLimitContext, RateSnapshot, RateWait } from "./rate-gate.ts";
import type { RateLimitSettings } from "./rate-limit.ts";
import { StoreClient } from "./rate-store.ts";
import { Ticket } from "./ticket.ts";
import { TokenBuckets } from "./token-buckets.ts";
import { TokenLine } from "./token-line.ts";

/** Let in, an error, or the milliseconds until the next token. */
type Verdict = "admitted" | Error | number;

/** The rate limit of one upstream: buckets in this process, and before them the store of a fleet if there is one. */
export class TokenGate implements RateGate {
  readonly #context: RateLimitContext;
  readonly #settings: RateLimitSettings;
  readonly #buckets: TokenBuckets;
  readonly #store: StoreClient | undefined;
  /** Those who wait for a token of this process, by key. */
  readonly #lines: Map<string, TokenLine> = new Map();
  /** Everybody who waits. */
  readonly #tickets: Set<Ticket> = new Set();

  constructor(context: RateLimitContext, settings: RateLimitSettings) {
    const { store, storeTimeoutMs, perSecond, burst, maxKeys } = settings;
    this.#context = context;
    this.#settings = settings;
    this.#buckets = new TokenBuckets(perSecond, burst, maxKeys);
    if (store === undefined) return;
    const failed = (error: unknown): void => context.callbackFailed("rate.store", error);
    this.#store = new StoreClient(store, context.clock, storeTimeoutMs, failed);
  }

  /** A store can't answer at once: there the buckets of this process decide. */
  take(request: PickRequest, nowMs: number): boolean {
    const key = this.#keyOf(request);
    return key === undefined || (!this.#lines.has(key) && this.#buckets.take(key, nowMs) === 0);
  }

  giveBack(request: PickRequest): void {
    const key = this.#keyOf(request);
    if (key !== undefined) this.#buckets.giveBack(key);
  }

  admit(request: PickRequest, { signal, giveUpAtMs }: RateWait, nowMs: number): Promise<void> | undefined {
    const key = this.#keyOf(request);
    if (key === undefined) return undefined;
    if (this.#tickets.size > 0 && this.#context.clock.background === false) this.#forgetGone(nowMs);
    const longest = { signal, giveUpAtMs: Math.min(giveUpAtMs, nowMs + this.#context.queue().timeoutMs) };
    const store = this.#store;
    if (store?.wantsAsking(nowMs) === true) {
      const ticket = new Ticket(longest, this.#tickets);
      this.#ask(store, key, ticket);
      return ticket.promise;
    }
    const verdict = this.#decide(key, longest.giveUpAtMs, nowMs, this.#tickets.size);
    if (verdict === "admitted") return undefined;
    if (typeof verdict !== "number") return Promise.reject(verdict);
    const ticket = new Ticket(longest, this.#tickets);
    this.#queue(key, ticket, verdict);
    return ticket.promise;
  }

  snapshot(): RateSnapshot {
    return {
      waiting: this.#tickets.size,
      keys: this.#buckets.size,
      storeFailures: this.#store?.failures ?? 0,
      storeIsOut: this.#store?.isOut ?? false,
    };
  }

  end(error?: Error): void {
    for (const ticket of this.#tickets) {
      if (error === undefined) ticket.admit();
      else ticket.refuse(error);
    }
  }

  #ask(store: StoreClient, key: string, ticket: Ticket): void {
    store.ask(key, (answer) => {
      if (!ticket.open) return;
      const nowMs = this.#context.clock.now();
      const others = this.#tickets.size - 1;
      if (answer === "granted") ticket.admit();
      else if (answer === "out") this.#answer(key, ticket, this.#decide(key, ticket.giveUpAtMs, nowMs, others));
      else if (!this.#mayWait(answer, ticket.giveUpAtMs, nowMs, others)) ticket.refuse(this.#refusal(key, answer));
      else {
        // The store alone knows who comes first when the next token is there.
        const timer = this.#context.clock.schedule(answer, () => this.#ask(store, key, ticket));
        ticket.onEnd = () => timer.cancel();
      }
    });
  }

  /** Where a request may be gone without a word: those whose timer would have let them in or refused them by now. */
  #forgetGone(nowMs: number): void {
    for (const ticket of this.#tickets) if (nowMs > ticket.giveUpAtMs) ticket.forget();
  }

  #answer(key: string, ticket: Ticket, verdict: Verdict): void {
    if (verdict === "admitted") ticket.admit();
    else if (typeof verdict === "number") this.#queue(key, ticket, verdict);
    else ticket.refuse(verdict);
  }

  /** What this process says by itself: it has no store, or the store is out of order. */
  #decide(key: string, giveUpAtMs: number, nowMs: number, others: number): Verdict {
    const policy = this.#store === undefined ? "local" : this.#settings.onStoreFailure;
    if (policy === "allow") return "admitted";
    if (policy === "refuse")
      return this.#context.refuse("its rate limit can't be checked, and onStoreFailure is refuse");
    const { tokenMs } = this.#buckets;
    const waiting = this.#lines.get(key)?.length ?? 0;
    // Those who wait already come first.
    const nextMs = waiting > 0 ? tokenMs : this.#buckets.take(key, nowMs);
    if (nextMs === 0) return "admitted";
    const waitMs = nextMs + waiting * tokenMs;
    return this.#mayWait(waitMs, giveUpAtMs, nowMs, others) ? nextMs : this.#refusal(key, waitMs);
  }

  #queue(key: string, ticket: Ticket, nextMs: number): void {
    const line = this.#lines.get(key) ?? this.#lineFor(key);
    this.#lines.set(key, line);
    ticket.onEnd = () => {
      line.leave(ticket);
      if (line.length === 0) this.#lines.delete(key);
    };
    line.join(ticket, nextMs);
  }

  #lineFor(key: string): TokenLine {
    return new TokenLine(key, this.#buckets, this.#context.clock, (waitMs) => this.#refusal(key, waitMs));
  }

  #mayWait(waitMs: number, giveUpAtMs: number, nowMs: number, others: number): boolean {
    return this.#settings.delay && nowMs + waitMs <= giveUpAtMs && others < this.#context.queue().size;
  }

  #refusal(key: string, waitMs: number): Error {
    const whose = this.#settings.key === undefined ? "calls" : `calls of ${JSON.stringify(key)}`;
    return this.#context.refuse(`${whose} come too fast, the next may in ${Math.ceil(waitMs)} ms`, Math.ceil(waitMs));
  }

  /** A function of the user that fails limits nothing. */
  #keyOf(request: PickRequest): string | undefined {
    const { key: keyOf } = this.#settings;
    if (keyOf === undefined) return this.#context.upstream;
    try {
      const key = keyOf(request);
      if (key === undefined || typeof key === "string") return key;
      catchLater(key, () => {});
      throw new TypeError(`a key must be a text or undefined, not ${typeof key}`);
    } catch (error) {
      this.#context.callbackFailed("rate.key", error);
      return undefined;
    }
  }
}
