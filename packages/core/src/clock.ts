import { LagWatch } from "./lag.ts";
import { LONGEST_WAIT_MS, TimerWheel } from "./timer-wheel.ts";

/** A scheduled callback that has not run yet. */
export interface Timer {
  /** Takes the callback back. Does nothing once it has run. */
  cancel(): void;
}

export interface ScheduleOptions {
  /** `true`: the timer alone does not keep the process alive. Default `false`: somebody awaits what it settles. */
  readonly background?: boolean | undefined;
}

/** How long the process itself was too busy to notice anything: that time is not its backends'. */
export interface LagMeter {
  /** Something begins whose latency will be asked for. */
  watch(nowMs: number): void;
  /** Milliseconds between `sinceMs` and `nowMs` in which the event loop stood still; 0 if not known. */
  during(sinceMs: number, nowMs: number): number;
}

/**
 * Where every time in fairlead comes from. Give your own to test or to simulate: no promise of the core waits on
 * anything else.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; never goes back. */
  now(): number;
  /** Milliseconds since 1970, for what leaves the process. */
  wallNow(): number;
  /** Runs `callback` once, `delayMs` ≥ 0 milliseconds from now, rounded up by at most 3 %. */
  schedule(delayMs: number, callback: () => void, options?: ScheduleOptions): Timer;
  /** Left out where the event loop can't be watched, or time stands still while it works. */
  readonly lag?: LagMeter | undefined;
  /**
   * `false`: nothing runs by itself here, since a timer belongs to the request that made it (workerd). Then health checks
   * don't run, whoever waits for a place or a token looks for itself instead of being served by others, and what a request
   * holds that has gone without a word is taken back after its deadline.
   */
  readonly background?: boolean | undefined;
}

const monotonicNow = (): number => performance.now();
const wallNow = (): number => Date.now();

/**
 * Clock of long-lived processes (Node, Bun, Deno, browsers). All timers share one wheel and so one platform timer:
 * arming and cancelling a timeout costs a few list operations.
 */
export function wheelClock(): Clock {
  const wheel = new TimerWheel(monotonicNow, platformTimer);
  return {
    now: monotonicNow,
    wallNow,
    schedule: (delayMs, callback, options) => wheel.schedule(delayMs, callback, options),
    lag: isPage() ? undefined : new LagWatch(monotonicNow, platformTimer),
  };
}

/**
 * Clock of runtimes in which a timer belongs to the request that made it (workerd): each call to `schedule` is one
 * platform timer of its own, so no request ever waits on another's.
 */
export function perCallClock(): Clock {
  return {
    now: monotonicNow,
    wallNow,
    schedule: (delayMs, callback, options) => {
      const timer = platformTimer(delayMs, callback);
      if (options?.background === true) timer.ref(false);
      return timer;
    },
    background: false,
  };
}

/** The clock a balancer uses unless it is given one: per-call timers in workerd, the wheel elsewhere. */
export function systemClock(): Clock {
  return isWorkerd() ? perCallClock() : sharedWheelClock();
}

let shared: Clock | undefined;

/** One wheel for the process. It holds a platform timer only while something is scheduled. */
function sharedWheelClock(): Clock {
  shared ??= wheelClock();
  return shared;
}

/** Browsers let the timers of a hidden page come late on purpose: there a late one says nothing about the event loop. */
function isPage(): boolean {
  return "document" in globalThis;
}

function isWorkerd(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers";
}

/** One timer of the platform; `ref(false)` lets the process end while it is pending, where the platform knows that. */
export interface PlatformTimer extends Timer {
  ref(keepAlive: boolean): void;
}

/** What `setTimeout` returns: a number in browsers, an object with `ref` and `unref` in Node. */
interface RefCounted {
  ref?(): void;
  unref?(): void;
}

function platformTimer(delayMs: number, callback: () => void): PlatformTimer {
  const handle: unknown = setTimeout(callback, Math.min(delayMs, LONGEST_WAIT_MS));
  return {
    cancel: () => {
      clearTimeout(handle as Parameters<typeof clearTimeout>[0]);
    },
    ref: (keepAlive) => {
      if (typeof handle !== "object" || handle === null) return;
      const counted: RefCounted = handle;
      if (keepAlive) counted.ref?.();
      else counted.unref?.();
    },
  };
}
