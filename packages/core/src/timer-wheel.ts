import type { PlatformTimer, ScheduleOptions, Timer } from "./clock.ts";

/**
 * A hashed timer wheel: timers hang in lists by their due tick, so that arming and cancelling are O(1), and one
 * platform timer waits for the nearest list that is not empty. Nearly all timeouts of calls are cancelled before they
 * are due, which here costs no platform timer at all.
 *
 * Source: Varghese & Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 6.
 */
export class TimerWheel {
  readonly #slots: (Entry | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #now: () => number;
  readonly #platformTimer: (delayMs: number, callback: () => void) => PlatformTimer;
  /** Ticks before this one are done. */
  #nextTick: number;
  #size = 0;
  /** Entries that keep the process alive. */
  #awaited = 0;
  #armed: PlatformTimer | undefined;
  #armedTick = Number.POSITIVE_INFINITY;

  constructor(now: () => number, platformTimer: (delayMs: number, callback: () => void) => PlatformTimer) {
    this.#now = now;
    this.#platformTimer = platformTimer;
    this.#nextTick = Math.floor(now() / TICK_MS);
  }

  schedule(delayMs: number, callback: () => void, options?: ScheduleOptions): Timer {
    const awaited = options?.background !== true;
    // Back-offs and hints of a few milliseconds would be distorted by rounding to a tick.
    if (delayMs < SHORT_MS) {
      const timer = this.#platformTimer(Math.max(0, delayMs), callback);
      if (!awaited) timer.ref(false);
      return timer;
    }
    const nowMs = this.#now();
    if (this.#size === 0) this.#nextTick = Math.floor(nowMs / TICK_MS);
    const entry = new Entry(this, Math.ceil((nowMs + delayMs) / TICK_MS), callback, awaited);
    this.#link(entry);
    if (entry.tick < this.#armedTick) this.#arm(entry.tick, nowMs);
    return entry;
  }

  /** Takes a pending entry out; called by `Entry.cancel`. */
  remove(entry: Entry): void {
    const slot = entry.tick & MASK;
    if (entry.previous === undefined) this.#slots[slot] = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next !== undefined) entry.next.previous = entry.previous;
    entry.pending = false;
    this.#size--;
    if (entry.awaited && --this.#awaited === 0) this.#armed?.ref(false);
  }

  #link(entry: Entry): void {
    const slot = entry.tick & MASK;
    const head = this.#slots[slot];
    entry.next = head;
    if (head !== undefined) head.previous = entry;
    this.#slots[slot] = entry;
    this.#size++;
    if (entry.awaited && this.#awaited++ === 0) this.#armed?.ref(true);
  }

  #arm(tick: number, nowMs: number): void {
    this.#armed?.cancel();
    this.#armedTick = tick;
    this.#armed = this.#platformTimer(Math.min(Math.max(0, tick * TICK_MS - nowMs), LONGEST_WAIT_MS), () => {
      this.#expire();
    });
    if (this.#awaited === 0) this.#armed.ref(false);
  }

  /** Runs what is due, in the order of the ticks, then waits for the nearest entry that is left. */
  #expire(): void {
    this.#armed = undefined;
    this.#armedTick = Number.POSITIVE_INFINITY;
    const nowMs = this.#now();
    const lastTick = Math.floor(nowMs / TICK_MS);
    const due = this.#takeDue(lastTick);
    this.#nextTick = lastTick + 1;
    if (this.#size > 0) this.#arm(this.#nearestTick(), nowMs);
    runAll(due);
  }

  #takeDue(lastTick: number): Entry[] {
    const due: Entry[] = [];
    const span = Math.min(lastTick - this.#nextTick + 1, SLOTS);
    for (let i = 0; i < span; i++) {
      let entry = this.#slots[(this.#nextTick + i) & MASK];
      while (entry !== undefined) {
        const next = entry.next;
        if (entry.tick <= lastTick) {
          this.remove(entry);
          due.push(entry);
        }
        entry = next;
      }
    }
    return due.sort((a, b) => a.tick - b.tick);
  }

  /** The earliest tick among the entries: in the first turn of the wheel if any is due within it, else the least of all. */
  #nearestTick(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < SLOTS; i++) {
      const tick = this.#nextTick + i;
      let entry = this.#slots[tick & MASK];
      for (; entry !== undefined; entry = entry.next) nearest = Math.min(nearest, entry.tick);
      if (nearest <= tick) return nearest;
    }
    return nearest;
  }
}

/** Runs every callback, even if one throws; what it threw then reaches the platform as from any timer. */
function runAll(due: Entry[]): void {
  const entry = due.shift();
  if (entry === undefined) return;
  try {
    if (!entry.cancelled) entry.run();
  } finally {
    runAll(due);
  }
}

/** 20 ms: two thousandths of the default attempt timeout, and at most 50 wake-ups a second. */
const TICK_MS = 20;
/** One turn takes 512 × 20 ms = 10.24 s, just over the default attempt timeout. */
const SLOTS = 512;
const MASK = SLOTS - 1;
/** Rounding up by a tick stays below 3 % from here on. */
const SHORT_MS = 700;
/** `setTimeout` keeps 31 bits (24.8 days); beyond them it fires at once. */
export const LONGEST_WAIT_MS: number = 2 ** 31 - 1;

class Entry implements Timer {
  previous: Entry | undefined = undefined;
  next: Entry | undefined = undefined;
  pending = true;
  cancelled = false;
  readonly tick: number;
  readonly awaited: boolean;
  readonly #wheel: TimerWheel;
  readonly #callback: () => void;

  constructor(wheel: TimerWheel, tick: number, callback: () => void, awaited: boolean) {
    this.#wheel = wheel;
    this.tick = tick;
    this.#callback = callback;
    this.awaited = awaited;
  }

  run(): void {
    this.#callback();
  }

  cancel(): void {
    this.cancelled = true;
    if (this.pending) this.#wheel.remove(this);
  }
}
