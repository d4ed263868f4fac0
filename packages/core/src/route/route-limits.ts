import type { CallOptions } from "../call/attempt.ts";
import { pickRequestOf } from "../call/request.ts";
import type { Balancer } from "../contract.ts";
import { closedError, type LimitName } from "../errors.ts";
import type { RateGate, RateLimit } from "../gate/rate/rate-gate.ts";
import { Places } from "./places.ts";

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

  constructor(route: string, balancer: Balancer, { maxConcurrent, rate }: RouteLimitOptions) {
    this.#route = route;
    this.#balancer = balancer;
    this.places = maxConcurrent === undefined ? undefined : new Places(maxConcurrent);
    this.#rate = rate?.createGate({
      upstream: route,
      clock: balancer.clock,
      queue: () => balancer.settings.queue,
      refuse: (why, retryAfterMs) => this.#refuse("rate", "route-rate", why, retryAfterMs),
      callbackFailed: (where, error) =>
        balancer.announce("callbackFailed", () => ({
          upstream: balancer.name,
          where: `route ${route}: ${where}`,
          error,
        })),
    });
    const gate = this.#rate;
    if (gate === undefined) return;
    const end = (): void => gate.end(closedError(balancer.name));
    balancer.attach({ drain: end, close: end });
  }

  /** Begins a call now, or when its turn has come, with the time that is left; rejects if there is no room for it. */
  begin<T>(options: CallOptions<T>, call: (options: CallOptions<T>) => Promise<T>): Promise<T> {
    const { clock } = this.#balancer;
    const nowMs = clock.now();
    const giveUpAtMs = nowMs + this.#deadlineMs(options);
    const { signal } = options;
    // Who has left already takes nothing away from others.
    const turn =
      signal?.aborted === true ? undefined : this.#rate?.admit(pickRequestOf(options), { signal, giveUpAtMs }, nowMs);
    if (turn === undefined) return this.#enter(options, call);
    return turn.then(() => this.#enter(within(options, giveUpAtMs - clock.now()), call));
  }

  #enter<T>(options: CallOptions<T>, call: (options: CallOptions<T>) => Promise<T>): Promise<T> {
    const { places } = this;
    if (places?.full !== true) return call(options);
    const why = `there are ${places.max} calls under way (limits.maxConcurrent)`;
    return Promise.reject(this.#refuse("concurrency", "route-concurrency", why));
  }

  #deadlineMs({ deadlineMs, deadlineLimitMs }: CallOptions<never>): number {
    const wantedMs = deadlineMs ?? this.#balancer.settings.deadlineMs;
    return Math.min(
      wantedMs === false ? Number.POSITIVE_INFINITY : wantedMs,
      deadlineLimitMs ?? Number.POSITIVE_INFINITY,
    );
  }

  #refuse(kind: "concurrency" | "rate", limit: LimitName, why: string, retryAfterMs?: number): Error {
    this.shed[kind]++;
    return this.#balancer.shed(limit, `route ${this.#route}: ${why}`, retryAfterMs);
  }
}

function within<T>(options: CallOptions<T>, leftMs: number): CallOptions<T> {
  return leftMs === Number.POSITIVE_INFINITY ? options : { ...options, deadlineLimitMs: Math.max(0, leftMs) };
}
