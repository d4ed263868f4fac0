import type { Clock, LagMeter, Timer } from "../clock.ts";
import { overlap } from "../lag.ts";

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /** Timers that have not run and were not cancelled. */
  readonly pending: number;
  /**
   * Goes on by `ms` milliseconds, running every timer on its way at its own time. Between two moments all promises that
   * can settle do, so that what they schedule is seen.
   */
  advance(ms: number): Promise<void>;
  /** Goes on without letting promises settle: for synchronous code. */
  advanceSync(ms: number): void;
  /** The event loop stands still for `ms` milliseconds: time goes on and no timer runs. `lag` knows of it. */
  stall(ms: number): void;
  readonly lag: LagMeter;
  /** Puts the wall clock elsewhere, as an administrator or NTP may; `now` is not moved. */
  setWall(epochMs: number): void;
}

interface Entry extends Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export interface VirtualClockOptions {
  /** Where `now` begins, milliseconds. Default 0. */
  readonly nowMs?: number | undefined;
  /** Where the wall clock begins, milliseconds since 1970. Default 2026-01-01. */
  readonly wallMs?: number | undefined;
}

export function virtualClock({ nowMs = 0, wallMs = Date.UTC(2026, 0, 1) }: VirtualClockOptions = {}): VirtualClock {
  let now = nowMs;
  let wallOffset = wallMs - nowMs;
  const entries = new Set<Entry>();
  const lag = new KnownLag();

  const nextUntil = (end: number): Entry | undefined => {
    let next: Entry | undefined;
    for (const entry of entries)
      if (entry.dueMs <= end && (next === undefined || entry.dueMs < next.dueMs)) next = entry;
    return next;
  };
  const runNext = (end: number): boolean => {
    const next = nextUntil(end);
    if (next === undefined) return false;
    now = Math.max(now, next.dueMs);
    entries.delete(next);
    next.callback();
    return true;
  };

  return {
    get pending() {
      return entries.size;
    },
    now: () => now,
    wallNow: () => now + wallOffset,
    schedule: (delayMs, callback) => {
      const entry: Entry = {
        dueMs: now + Math.max(0, delayMs),
        callback,
        cancel: () => void entries.delete(entry),
      };
      entries.add(entry);
      return entry;
    },
    advance: async (ms) => {
      const end = now + ms;
      await settlePromises();
      while (runNext(end)) await settlePromises();
      now = end;
      await settlePromises();
    },
    advanceSync: (ms) => {
      const end = now + ms;
      while (runNext(end)) continue;
      now = end;
    },
    stall: (ms) => {
      lag.stalls.push([now, now + ms]);
      now += ms;
    },
    lag,
    setWall: (epochMs) => {
      wallOffset = epochMs - now;
    },
  };
}

/** Stalls that were asked for: when each began and ended. */
class KnownLag implements LagMeter {
  readonly stalls: (readonly [number, number])[] = [];

  watch(): void {
    // Every stall is known without watching.
  }

  during(sinceMs: number, nowMs: number): number {
    return this.stalls.reduce((total, [beginMs, endMs]) => total + overlap(sinceMs, nowMs, beginMs, endMs), 0);
  }
}

/** A macrotask: everything that promises can do without time has been done when it runs. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}
