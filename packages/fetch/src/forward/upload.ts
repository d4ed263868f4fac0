import { type Attempt, type Balancer, FairleadError, type Timer } from "@fairlead/core";
import type { BodyWatch, OneShotBody } from "../body.ts";
import type { Addressed } from "../outgoing.ts";
import { RefusedError } from "./refused.ts";

/**
 * The time that a request with a body may take. How long a body takes is the client's doing: the time for an answer begins
 * when it has been read to its end. Until then a chunk must pass every `bodyIdleTimeoutMs`; if the client is slower, that is a
 * 408 and blames no backend.
 */
export class Upload implements BodyWatch {
  readonly #balancer: Balancer;
  readonly #answerMs: number;
  readonly #idleMs: number;
  readonly #abort = new AbortController();
  readonly #client: AbortSignal | undefined;
  readonly #onLeft = (): void => this.#abort.abort(this.#client?.reason);
  #timer: Timer | undefined = undefined;
  /** Whose turn it is: the client's to send a chunk, the backend's to take it or to answer; `undefined`: nobody's. */
  #awaited: "answer" | "backend" | "client" | undefined = "answer";
  #sinceMs: number;
  #attempt: Attempt | undefined = undefined;

  constructor({ to, said, signal }: Addressed) {
    const { settings, clock } = to.balancer;
    this.#balancer = to.balancer;
    const attemptMs = said?.attemptTimeoutMs ?? settings.attemptTimeoutMs;
    const deadlineMs = said?.deadlineMs ?? settings.deadlineMs;
    this.#answerMs = Math.min(
      limited(attemptMs),
      limited(deadlineMs),
      said?.deadlineLimitMs ?? Number.POSITIVE_INFINITY,
    );
    this.#idleMs = limited(settings.bodyIdleTimeoutMs);
    this.#client = signal;
    this.#sinceMs = clock.now();
    if (signal?.aborted === true) this.#onLeft();
    else signal?.addEventListener("abort", this.#onLeft, { once: true });
    this.#wait(this.#answerMs);
  }

  /** The request with this in place of its timeouts. */
  apply(addressed: Addressed, oneShot: OneShotBody): Addressed {
    oneShot.watch = this;
    const said = { ...addressed.said, attemptTimeoutMs: false, deadlineMs: false, deadlineLimitMs: undefined } as const;
    return { ...addressed, signal: this.#abort.signal, said };
  }

  /** The attempt that is under way, which is charged if its backend is too slow. */
  set attempt(attempt: Attempt) {
    this.#attempt = attempt;
  }

  asked(): void {
    this.#moved("client");
  }

  got(isEnd: boolean): void {
    this.#moved(isEnd ? "answer" : "backend");
  }

  /** There is an answer, or there will be none: time is no matter any more, but the client may still leave. */
  settled(): void {
    this.#awaited = undefined;
    this.#timer?.cancel();
  }

  /** It is all over. */
  end(): void {
    this.settled();
    this.#client?.removeEventListener("abort", this.#onLeft);
  }

  #moved(awaited: "answer" | "backend" | "client"): void {
    if (this.#awaited === undefined) return;
    const begins = awaited === "answer" || this.#awaited === "answer";
    this.#awaited = awaited;
    this.#sinceMs = this.#balancer.clock.now();
    // A timer per chunk would cost more than the chunk: the one that runs looks at the time again.
    if (begins) this.#wait(this.#limitMs);
  }

  get #limitMs(): number {
    return this.#awaited === "answer" ? this.#answerMs : this.#idleMs;
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    this.#timer = ms === Number.POSITIVE_INFINITY ? undefined : this.#balancer.clock.schedule(ms, () => this.#look());
  }

  #look(): void {
    const leftMs = this.#limitMs - (this.#balancer.clock.now() - this.#sinceMs);
    if (leftMs > 0) this.#wait(leftMs);
    else if (this.#awaited === "client")
      this.#abort.abort(new RefusedError(408, "the body of the request does not come"));
    else this.#tooSlow();
  }

  #tooSlow(): void {
    const { name } = this.#balancer;
    const error = new FairleadError(
      "FAIRLEAD_ERR_TIMEOUT",
      `${name}: no answer within ${this.#limitMs} ms of the body`,
    );
    const { backend, balancer } = this.#attempt ?? {};
    if (backend !== undefined)
      balancer?.observe(backend.id, { outcome: "failure", origin: "local", errorCode: error.code });
    this.#abort.abort(error);
  }
}

/** `false` is no limit. */
function limited(ms: number | false): number {
  return ms === false ? Number.POSITIVE_INFINITY : ms;
}
