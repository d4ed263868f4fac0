import type { LagMeter, PlatformTimer } from "./clock.ts";

/** 50 wake-ups a second, while there are calls. */
const PERIOD_MS = 20;
/** What is no stall: the coarsest timers, those of Windows, come up to 15.6 ms late in an idle process. */
const TOLERANCE_MS = 16;
/** Nobody has begun anything for so long: no more ticks, so that an idle process sleeps. */
const IDLE_MS = 1_000;
/** Stalls are at least 36 ms apart: those of the last second, and a few more. */
const STALLS = 32;

/**
 * Sees the event loop stand still by a timer that comes late: from when it was due until it ran, the loop was held up.
 * The part of a stall before the timer was due is missed: up to 20 ms.
 *
 * Ticks only while something was watched within the last second, and never keeps the process alive. So a stall is missed
 * when the one call under way began more than a second before.
 */
export class LagWatch implements LagMeter {
  readonly #now: () => number;
  readonly #platformTimer: (delayMs: number, callback: () => void) => PlatformTimer;
  /** The last stalls, when they began and ended; the next takes the place of the oldest, at `#next`. */
  readonly #begins = new Float64Array(STALLS);
  readonly #ends = new Float64Array(STALLS).fill(Number.NEGATIVE_INFINITY);
  #next = 0;
  #ticking = false;
  #dueMs = Number.NEGATIVE_INFINITY;
  #watchedAtMs = Number.NEGATIVE_INFINITY;

  constructor(now: () => number, platformTimer: (delayMs: number, callback: () => void) => PlatformTimer) {
    this.#now = now;
    this.#platformTimer = platformTimer;
  }

  watch(nowMs: number): void {
    this.#watchedAtMs = nowMs;
    if (!this.#ticking) this.#arm(nowMs);
  }

  during(sinceMs: number, nowMs: number): number {
    // A response may be handled before the timer that is due has its turn: then the stall is still going on.
    let totalMs = this.#isStall(nowMs) ? overlap(sinceMs, nowMs, this.#dueMs, nowMs) : 0;
    for (let age = 1; age <= STALLS; age++) {
      const slot = (this.#next - age + STALLS) % STALLS;
      // In bounds.
      const endMs = this.#ends[slot] as number;
      if (endMs <= sinceMs) break;
      totalMs += overlap(sinceMs, nowMs, this.#begins[slot] as number, endMs);
    }
    return totalMs;
  }

  #arm(nowMs: number): void {
    this.#ticking = true;
    this.#dueMs = nowMs + PERIOD_MS;
    this.#platformTimer(PERIOD_MS, this.#tick).ref(false);
  }

  readonly #tick = (): void => {
    const nowMs = this.#now();
    if (this.#isStall(nowMs)) this.#record(this.#dueMs, nowMs);
    this.#ticking = false;
    if (nowMs - this.#watchedAtMs < IDLE_MS) this.#arm(nowMs);
  };

  #isStall(nowMs: number): boolean {
    return this.#ticking && nowMs - this.#dueMs > TOLERANCE_MS;
  }

  #record(beginMs: number, endMs: number): void {
    this.#begins[this.#next] = beginMs;
    this.#ends[this.#next] = endMs;
    this.#next = (this.#next + 1) % STALLS;
  }
}

/** How long two spans of time have in common. */
export function overlap(begin: number, end: number, otherBegin: number, otherEnd: number): number {
  return Math.max(0, Math.min(end, otherEnd) - Math.max(begin, otherBegin));
}
