import { expected, type OptionCheck } from "../options.ts";

/** How the complete sets of a discovery are taken in. */
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

const KEYS = ["debounceMs", "debounceLimitMs", "emptyAnswer", "emptyReads", "emptyHoldMs", "graceMs"];

export function resolveMembership(check: OptionCheck, value: unknown, base: MembershipSettings): MembershipSettings {
  if (value === undefined) return base;
  const input = check.record("membership", value, KEYS) ?? {};
  const ms = (key: "debounceMs" | "debounceLimitMs" | "emptyHoldMs" | "graceMs"): number =>
    check.optional(`membership.${key}`, input[key], expected.number({ min: 0 })) ?? base[key];
  const policies = expected.oneOf(["confirm", "apply", "keep"]);
  return {
    debounceMs: ms("debounceMs"),
    debounceLimitMs: ms("debounceLimitMs"),
    emptyAnswer: check.optional("membership.emptyAnswer", input["emptyAnswer"], policies) ?? base.emptyAnswer,
    emptyReads:
      check.optional("membership.emptyReads", input["emptyReads"], expected.integer({ min: 1 })) ?? base.emptyReads,
    emptyHoldMs: ms("emptyHoldMs"),
    graceMs: ms("graceMs"),
  };
}
