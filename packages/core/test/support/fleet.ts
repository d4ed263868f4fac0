// A fleet of backends under outlier detection, and what is reported of it.
import {
  type Balancer,
  type BalancerOptions,
  type OutlierDetectionOptions,
  outlierDetection,
  type Report,
} from "@fairlead/core";
import { type World, world } from "./world.ts";

export const INTERVAL_MS = 10_000;
export const OK: Report = { outcome: "success" };
export const FAILED: Report = { outcome: "failure", origin: "backend", status: 500 };
export const GATEWAY: Report = { outcome: "failure", origin: "backend", status: 503 };
export const LOCAL: Report = { outcome: "failure", origin: "local", errorCode: "ECONNRESET" };

/** Backends a, b, c… of which nobody is ejected for failures in a row, unless that is asked for. */
export function fleet(
  count: number,
  detection: OutlierDetectionOptions,
  options: Partial<BalancerOptions> = {},
): World {
  return world(count, {
    ejection: outlierDetection({ consecutiveFailures: false, jitter: 0, ...detection }),
    panicThreshold: 0,
    ...options,
  });
}

export function reportTo(balancer: Balancer, id: string, report: Report, times = 1): void {
  for (let time = 0; time < times; time++) balancer.observe(id, report);
}

/** So many of 100 attempts work, on each of a, b, c… Failures and successes take turns as far as they go. */
export function attempts(balancer: Balancer, ...successes: readonly number[]): void {
  for (const [index, ok] of successes.entries()) {
    const id = String.fromCharCode("a".charCodeAt(0) + index);
    for (let time = 0; time < 100; time++) balancer.observe(id, time < ok ? OK : FAILED);
  }
}

export const ejected = (balancer: Balancer): string[] =>
  balancer
    .snapshot()
    .backends.filter(({ health }) => health === "ejected")
    .map(({ id }) => id);
