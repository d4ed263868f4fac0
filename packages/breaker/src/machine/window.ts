import type { BreakerSettings } from "../settings.ts";
import { CallWindow } from "./call-window.ts";
import { TimeWindow } from "./time-window.ts";

/** The finished calls that count now. Each is one step however many there are: nothing is stored per call of a time window. */
export interface Window {
  readonly finished: number;
  readonly failed: number;
  readonly slow: number;
  record(failed: boolean, slow: boolean, nowMs: number): void;
  /** Lets go of what is too old. */
  moveTo(nowMs: number): void;
  clear(nowMs: number): void;
}

/** `undefined`: no share matters, so nothing has to be counted. */
export function createWindow(settings: BreakerSettings, nowMs: number): Window | undefined {
  const { errorThresholdPercentage, slowPercentage, windowCalls } = settings;
  if (!Number.isFinite(errorThresholdPercentage) && !Number.isFinite(slowPercentage)) return undefined;
  return windowCalls === undefined
    ? new TimeWindow(settings.rollingCountTimeout, settings.rollingCountBuckets, nowMs)
    : new CallWindow(windowCalls);
}

/** Whether another window is needed. */
export function countsAlike(a: BreakerSettings, b: BreakerSettings): boolean {
  return (
    a.windowCalls === b.windowCalls &&
    a.rollingCountTimeout === b.rollingCountTimeout &&
    a.rollingCountBuckets === b.rollingCountBuckets &&
    Number.isFinite(a.errorThresholdPercentage) === Number.isFinite(b.errorThresholdPercentage) &&
    Number.isFinite(a.slowPercentage) === Number.isFinite(b.slowPercentage)
  );
}
