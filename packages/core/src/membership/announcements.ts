import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { Announcer } from "../telemetry/events.ts";

interface Context {
  readonly upstream: string;
  readonly clock: Clock;
  readonly announcer: Announcer;
}

/** @param leftMs until the ejection ends */
export function announceEjected(
  { upstream, clock, announcer }: Context,
  backend: string,
  { status, errorCode, outcome }: Report,
  leftMs: number,
): void {
  announcer.emit("backendEjected", () => ({
    upstream,
    backend,
    reason: `consecutive failures, the last: ${status ?? errorCode ?? outcome}`,
    untilAt: Math.round(clock.wallNow() + leftMs),
  }));
}

/** Says which priorities are in panic that were not before, and which no longer are. */
export function announcePanic(
  { upstream, announcer }: Context,
  before: readonly number[],
  after: readonly number[],
): void {
  for (const priority of after)
    if (!before.includes(priority)) announcer.emit("panicEntered", () => ({ upstream, priority }));
  for (const priority of before)
    if (!after.includes(priority)) announcer.emit("panicLeft", () => ({ upstream, priority }));
}
