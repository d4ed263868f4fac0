import { fillIn } from "../option-group.ts";
import { expected, type OptionCheck } from "../options.ts";

/** Where calls wait while no backend admits them, though some may again. */
export interface QueueOptions {
  /** Calls that may wait at once; whole, ≥ 0. Default 1,000. */
  readonly size?: number | undefined;
  /** The longest wait in milliseconds, ≥ 0. Default 1,000. */
  readonly timeoutMs?: number | undefined;
}

export interface QueueSettings {
  readonly size: number;
  readonly timeoutMs: number;
}

export function resolveQueue(check: OptionCheck, value: unknown, base: QueueSettings): QueueSettings {
  if (value === undefined) return base;
  return fillIn(check, "queue", check.record("queue", value, ["size", "timeoutMs"]) ?? {}, base, {
    size: expected.integer({ min: 0 }),
    timeoutMs: expected.number({ min: 0 }),
  });
}
