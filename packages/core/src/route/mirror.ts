import type { Attempt, CallOptions } from "../call/attempt.ts";
import type { Balancer } from "../contract.ts";
import { Guest, Places } from "./places.ts";
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

  /** Makes the attempts of a call by `run`; with the first of them begins the mirrored one, by `copy`. */
  beside<T>(
    run: (attempt: Attempt) => Promise<T>,
    copy: (attempt: Attempt) => Promise<T>,
    options: CallOptions<T>,
  ): (attempt: Attempt) => Promise<T> {
    // A body that can be read once is the caller's; a tunnel is a conversation.
    if (options.oneShot === true || options.kind === "connection" || !this.#portion.next()) return run;
    let begun = false;
    return (attempt) => {
      const answer = run(attempt);
      if (!begun) this.#send(copy, options);
      begun = true;
      return answer;
    };
  }

  #send<T>(run: (attempt: Attempt) => Promise<T>, options: CallOptions<T>): void {
    const guest = new Guest(this.places);
    if (!guest.enter()) {
      this.dropped++;
      return;
    }
    this.mirrored++;
    const { discard } = options;
    // What comes of it, and what another balancer makes of it, is nobody's trouble here.
    const answer = (async () => this.to.call(guest.making(run), onlyOnce(options)))();
    guest.after(answer);
    answer.then((value) => discard?.(value)).catch(() => {});
  }
}

/** One attempt, by the mirror's own timeouts; neither deadline nor signal are the caller's. */
function onlyOnce<T>({ idempotent, hashKey, judge, classify, discard }: CallOptions<T>): CallOptions<T> {
  const retry = { limit: 0, shouldRetry: () => false };
  return { idempotent, hashKey, judge, classify, discard, retry, hedge: false, fallback: false };
}
