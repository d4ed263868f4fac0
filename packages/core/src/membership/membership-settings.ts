import { fillIn } from "../option-group.ts";
import { expected, type OptionCheck } from "../options.ts";

/** How the complete sets that a discovery reports are taken in. */
export interface MembershipOptions {
  /**
   * A set is taken in once none has followed it for this long, in milliseconds, so that a deploy makes few views.
   * Default 50. The first set, and any set for a pool of which nobody works, is taken in at once.
   */
  readonly debounceMs?: number | undefined;
  /** The longest that a set waits for others that follow it, milliseconds. Default 250. */
  readonly debounceLimitMs?: number | undefined;
  /**
   * What an answer without any backend does. `confirm` (default): the set stays until as many such answers in a row as
   * `emptyReads`, over at least `emptyHoldMs`, say the same; the discovery is asked to look again meanwhile. `apply`: it
   * counts at once. `keep`: it never does.
   */
  readonly emptyAnswer?: "confirm" | "apply" | "keep" | undefined;
  /** Whole, ≥ 1. Default 3. */
  readonly emptyReads?: number | undefined;
  /** Milliseconds. Default 10,000. */
  readonly emptyHoldMs?: number | undefined;
  /**
   * For how long after a backend has joined checks that fail (`observe`) don't count against it, in milliseconds, so that
   * it may start up. Calls that fail do count. Default 0.
   */
  readonly graceMs?: number | undefined;
}

/** The same, complete. */
export interface MembershipSettings {
  /** A set is taken in when none has followed it for so long, milliseconds… */
  readonly debounceMs: number;
  /** …or when the first one that waits has done so for as long as this. */
  readonly debounceLimitMs: number;
  /** What an answer without any backend does. */
  readonly emptyAnswer: "confirm" | "apply" | "keep";
  /** Under `confirm`: it must have been given so often in a row… */
  readonly emptyReads: number;
  /** …over at least so many milliseconds. */
  readonly emptyHoldMs: number;
  /** A backend that joined less than this ago, in milliseconds, can't be ejected by checks that fail. */
  readonly graceMs: number;
}

export const DEFAULT_MEMBERSHIP: MembershipSettings = {
  debounceMs: 50,
  debounceLimitMs: 250,
  emptyAnswer: "confirm",
  emptyReads: 3,
  emptyHoldMs: 10_000,
  graceMs: 0,
};

export function resolveMembership(check: OptionCheck, value: unknown, base: MembershipSettings): MembershipSettings {
  if (value === undefined) return base;
  const duration = expected.number({ min: 0 });
  return fillIn(check, "membership", check.record("membership", value, Object.keys(DEFAULT_MEMBERSHIP)) ?? {}, base, {
    debounceMs: duration,
    debounceLimitMs: duration,
    emptyAnswer: expected.oneOf(["confirm", "apply", "keep"]),
    emptyReads: expected.integer({ min: 1 }),
    emptyHoldMs: duration,
    graceMs: duration,
  });
}
