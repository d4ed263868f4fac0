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
  const input = check.record("queue", value, ["size", "timeoutMs"]);
  if (input === undefined) return base;
  return {
    size: check.optional("queue.size", input["size"], expected.integer({ min: 0 })) ?? base.size,
    timeoutMs: check.optional("queue.timeoutMs", input["timeoutMs"], expected.number({ min: 0 })) ?? base.timeoutMs,
  };
}
