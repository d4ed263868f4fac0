import type { Clock } from "../../clock.ts";

/** A limiter of the package `rate-limiter-flexible`, or anything that answers like one. */
export interface RateStore {
  /**
   * Takes a token of `key`. Resolves if there was one. Rejects with an object that has `msBeforeNext` if there was none,
   * and with anything else if the store is out of order.
   */
  consume(key: string, points?: number): Promise<unknown>;
}

/** `granted`, `out` of order, or the milliseconds until the next token. */
export type StoreAnswer = "granted" | "out" | number;

/** A store that is out is asked again this often, by one call: the others need not wait for it. */
const RETRY_MS = 1_000;

/** Asks a store, no longer than it may take. */
export class StoreClient {
  readonly #store: RateStore;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #failed: (error: unknown) => void;
  /** Not asked before then. */
  #outUntilMs = Number.NEGATIVE_INFINITY;
  #out = false;
  failures = 0;

  constructor(store: RateStore, clock: Clock, timeoutMs: number, failed: (error: unknown) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#failed = failed;
  }

  get isOut(): boolean {
    return this.#out;
  }

  /** Whether the next call asks it, or goes without. */
  wantsAsking(nowMs: number): boolean {
    if (!this.#out) return true;
    if (nowMs < this.#outUntilMs) return false;
    this.#outUntilMs = nowMs + RETRY_MS;
    return true;
  }

  /** Calls `done` exactly once, within the timeout. */
  ask(key: string, done: (answer: StoreAnswer) => void): void {
    let open = true;
    const finish = (answer: StoreAnswer, error?: unknown): void => {
      if (!open) return;
      open = false;
      timer.cancel();
      this.#note(answer, error);
      done(answer);
    };
    const late = (): void => finish("out", new Error(`no answer within ${this.#timeoutMs} ms`));
    const timer = this.#clock.schedule(this.#timeoutMs, late);
    try {
      Promise.resolve(this.#store.consume(key, 1)).then(
        () => finish("granted"),
        (reason: unknown) => {
          const waitMs = refusalOf(reason);
          if (waitMs === undefined) finish("out", reason);
          else finish(waitMs);
        },
      );
    } catch (error) {
      finish("out", error);
    }
  }

  #note(answer: StoreAnswer, error: unknown): void {
    this.#out = answer === "out";
    if (!this.#out) return;
    this.#outUntilMs = this.#clock.now() + RETRY_MS;
    this.failures++;
    this.#failed(error);
  }
}

/** How long until there is a token, if that is what the rejection says. */
function refusalOf(reason: unknown): number | undefined {
  if (typeof reason !== "object" || reason === null || reason instanceof Error || !("msBeforeNext" in reason)) {
    return undefined;
  }
  const { msBeforeNext } = reason;
  return typeof msBeforeNext === "number" && Number.isFinite(msBeforeNext) ? Math.max(1, msBeforeNext) : undefined;
}
