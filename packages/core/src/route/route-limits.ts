import type { Attempt, CallOptions } from "../call/attempt.ts";
import type { Balancer } from "../contract.ts";
import { closedError, type LimitName } from "../errors.ts";
import type { RateGate, RateLimit, RateLimitContext } from "../gate/rate/rate-gate.ts";
import { Guest, Places } from "./places.ts";

/** How much of a route may be under way at once, and how fast calls may come. */
export interface RouteLimitOptions {
  /** Calls under way, whole, ≥ 1; each until the body of its answer has ended. Default: no limit. */
  readonly maxConcurrent?: number | undefined;
  /** How fast calls may begin: `rateLimit({ perSecond })`. Default: no limit. */
  readonly rate?: RateLimit | undefined;
}

/** The limits of one route. What they turn away is counted and announced by its first balancer. */
export class RouteLimits {
  readonly places: Places | undefined;
  readonly shed: { concurrency: number; rate: number } = { concurrency: 0, rate: 0 };
  readonly #route: string;
  readonly #balancer: Balancer;
  readonly #rate: RateGate | undefined;

  /** `balancer`: the first of `targets`. */
  constructor(
    route: string,
    balancer: Balancer,
    targets: readonly Balancer[],
    { maxConcurrent, rate }: RouteLimitOptions,
    callbackFailed: RateLimitContext["callbackFailed"],
  ) {
    this.#route = route;
    this.#balancer = balancer;
    this.places = maxConcurrent === undefined ? undefined : new Places(maxConcurrent);
    this.#rate = rate?.createGate({
      upstream: route,
      clock: balancer.clock,
      queue: () => balancer.settings.queue,
      refuse: (why, retryAfterMs) => this.#refuse("rate", "route-rate", why, retryAfterMs),
      callbackFailed,
    });
    const gate = this.#rate;
    if (gate === undefined) return;
    const open = new Set(targets);
    for (const target of targets) {
      // Whoever waits for the turn of a call to another one waits on.
      const end = (): void => {
        open.delete(target);
        if (open.size === 0) gate.end(closedError(target.name));
      };
      target.attach({ drain: end, close: end });
    }
  }

  /** The same call within the limits. */
  call<T>(balancer: Balancer, run: (attempt: Attempt) => Promise<T>, options: CallOptions<T>): Promise<T> {
    const guest = this.places && new Guest(this.places);
    const turn: RateGate["admit"] = (request, wait, nowMs) => {
      const admitted = this.#rate?.admit(request, wait, nowMs);
      return admitted === undefined ? this.#enter(guest) : admitted.then(() => this.#enter(guest));
    };
    const answer = balancer.call(guest?.making(run) ?? run, { ...options, turn });
    guest?.after(answer);
    return answer;
  }

  #enter(guest: Guest | undefined): Promise<void> | undefined {
    if (guest === undefined || guest.enter()) return undefined;
    const why = `there are ${this.places?.max} calls under way (limits.maxConcurrent)`;
    return Promise.reject(this.#refuse("concurrency", "route-concurrency", why));
  }

  #refuse(kind: "concurrency" | "rate", limit: LimitName, why: string, retryAfterMs?: number): Error {
    this.shed[kind]++;
    return this.#balancer.shed(limit, `route ${this.#route}: ${why}`, retryAfterMs);
  }
}
