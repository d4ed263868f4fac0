import type { Report } from "../call/outcome.ts";
import type { Clock } from "../clock.ts";
import type { Finding } from "../health/outliers/detection.ts";
import type { Announcer } from "../telemetry/events.ts";

interface Context {
  readonly upstream: string;
  readonly clock: Clock;
  readonly announcer: Announcer;
}

/** @param leftMs until the ejection ends, if there is one */
export function announceFinding(
  { upstream, clock, announcer }: Context,
  { member, kind, reason, because }: Finding,
  leftMs: number,
): void {
  const event = { upstream, backend: member.id, kind, reason };
  if (because === undefined)
    announcer.emit("backendEjected", () => ({ ...event, untilAt: Math.round(clock.wallNow() + leftMs) }));
  else announcer.emit("ejectionSkipped", () => ({ ...event, because }));
}

/** @param failures in a row; 0: one, of a backend that was being tested */
export function reasonOf(failures: number, { status, errorCode, outcome }: Report): string {
  const last = status ?? errorCode ?? outcome;
  return failures === 0 ? `failed its test: ${last}` : `${failures} failures in a row, the last: ${last}`;
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
