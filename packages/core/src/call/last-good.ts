import { FairleadError } from "../errors.ts";
import { expected, OptionCheck } from "../options.ts";
import type { FailedCall, Fallback } from "./fallback.ts";

export interface LastGoodOptions {
  /** How old a value may be, milliseconds, > 0. Default 300,000. */
  readonly maxAgeMs?: number | undefined;
  /** Values kept; of more, those not renewed for longest are dropped. Whole, ≥ 1. Default 1,000. */
  readonly maxKeys?: number | undefined;
  /** What is kept of a value, or a promise of it; `undefined`: nothing. Default the value itself. */
  readonly keep?: ((value: unknown) => unknown) | undefined;
  /** The value from what was kept, `ageMs` milliseconds ago. Default what was kept. */
  readonly give?: ((kept: unknown, ageMs: number) => unknown) | undefined;
}

interface Entry {
  readonly kept: unknown;
  readonly atMs: number;
}

/**
 * Calls that fail are answered with the last value that a call with the same `fallbackKey` got, if that is not too old;
 * calls without a key are not remembered.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function lastGood(given: LastGoodOptions = {}): Fallback {
  const check = new OptionCheck();
  const input = check.record("", given, ["maxAgeMs", "maxKeys", "keep", "give"]) ?? {};
  const maxAgeMs = check.optional("maxAgeMs", input["maxAgeMs"], expected.number({ above: 0 })) ?? 300_000;
  const maxKeys = check.optional("maxKeys", input["maxKeys"], expected.integer({ min: 1 })) ?? 1_000;
  check.optional("keep", input["keep"], expected.func);
  check.optional("give", input["give"], expected.func);
  check.throwIfAny("lastGood");
  const { keep = itself, give = itself } = given;
  /** In the order in which they were renewed. */
  const entries = new Map<string, Entry>();
  const remember = async (key: string, value: unknown, atMs: number): Promise<void> => {
    const entry = { kept: await keep(value), atMs };
    // Copying may have taken so long that a later answer was quicker.
    if (entry.kept === undefined || (entries.get(key)?.atMs ?? atMs) > atMs) return;
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= maxKeys) break;
      entries.delete(oldest);
    }
  };
  return {
    name: "last good value",
    observe: (value, { fallbackKey }, nowMs) =>
      fallbackKey === undefined ? undefined : remember(fallbackKey, value, nowMs),
    answer: (({ upstream, options, nowMs }: FailedCall<unknown>) => {
      const entry = options.fallbackKey === undefined ? undefined : entries.get(options.fallbackKey);
      const ageMs = entry === undefined ? Number.POSITIVE_INFINITY : nowMs - entry.atMs;
      if (entry !== undefined && ageMs <= maxAgeMs) return give(entry.kept, ageMs);
      throw new FairleadError("FAIRLEAD_ERR_NO_BACKEND", `${upstream}: no good value of the last ${maxAgeMs} ms`);
    }) as Fallback["answer"],
  };
}

function itself(value: unknown): unknown {
  return value;
}
