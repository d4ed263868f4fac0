import type { Attempt, CallOptions } from "../call/attempt.ts";
import type { Balancer } from "../contract.ts";
import { Places } from "./places.ts";
import type { Portion } from "./portion.ts";

/** Makes a share of a route's calls a second time, for another balancer. Whoever calls hears nothing of it. */
export class Mirror {
  readonly to: Balancer;
  readonly places: Places;
  readonly #portion: Portion;
  mirrored = 0;
  /** Would have been mirrored, had there been room. */
  dropped = 0;

  constructor(to: Balancer, portion: Portion, maxConcurrent: number) {
    this.to = to;
    this.#portion = portion;
    this.places = new Places(maxConcurrent);
  }

  /** `run` and `options`: of the call that has just been begun. */
  send<T>(run: (attempt: Attempt) => Promise<T>, options: CallOptions<T>): void {
    // A body that can be read once is the caller's; a tunnel is a conversation.
    if (options.oneShot === true || options.kind === "connection" || !this.#portion.next()) return;
    if (this.places.full) {
      this.dropped++;
      return;
    }
    this.mirrored++;
    const { discard } = options;
    try {
      this.places
        .call(this.to, run, onlyOnce(options))
        .then(
          (value) => discard?.(value),
          () => {},
        )
        .catch(() => {});
    } catch {
      // What another balancer does is nobody's trouble here.
    }
  }
}

/** One attempt, by the mirror's own timeouts; neither deadline nor signal are the caller's. */
function onlyOnce<T>({ idempotent, hashKey, judge, classify, discard }: CallOptions<T>): CallOptions<T> {
  const retry = { limit: 0, shouldRetry: () => false };
  return { idempotent, hashKey, judge, classify, discard, retry, hedge: false, fallback: false };
}
