import { expected, type OptionCheck } from "./options.ts";
import type { LabelSubsets } from "./view/label-subsets.ts";
import type { PriorityRules } from "./view/priorities.ts";
import type { Subsetting } from "./view/random-subset.ts";
import type { ZonePolicy } from "./view/zones.ts";

/** Which of the members take calls, and in what proportion. */
export interface TopologySettings extends PriorityRules {
  readonly panicMode: "fail-open" | "fail-closed";
  /** How long a priority must have been better before calls go back to it, milliseconds. 0: at once. */
  readonly failbackMs: number;
  readonly zones: ZonePolicy | undefined;
  readonly subsets: LabelSubsets | undefined;
  readonly subsetting: Subsetting | undefined;
}

export const TOPOLOGY_KEYS = [
  "overprovisioning",
  "panicThreshold",
  "panicMode",
  "failback",
  "zones",
  "subsets",
  "subsetting",
] as const;

export const DEFAULT_TOPOLOGY: TopologySettings = {
  overprovisioning: 1.4,
  panicThreshold: 50,
  panicMode: "fail-open",
  failbackMs: 0,
  zones: undefined,
  subsets: undefined,
  subsetting: undefined,
};

export function resolveTopology(
  check: OptionCheck,
  input: Record<string, unknown>,
  base: TopologySettings,
): TopologySettings {
  const read = <T>(key: string, wanted: Parameters<typeof check.optional<T>>[2], before: T): T =>
    check.optional(key, input[key], wanted) ?? before;
  return {
    overprovisioning: read("overprovisioning", expected.number({ min: 1, max: 100 }), base.overprovisioning),
    panicThreshold: read("panicThreshold", expected.number({ min: 0, max: 100 }), base.panicThreshold),
    panicMode: read("panicMode", expected.oneOf(["fail-open", "fail-closed"]), base.panicMode),
    failbackMs: resolveFailback(check, input["failback"], base.failbackMs),
    zones: switchable(check, "zones", input["zones"], "shares", "zoneAware({ zone })", base.zones),
    subsets: switchable(check, "subsets", input["subsets"], "keyOf", "labelSubsets({ keys })", base.subsets),
    subsetting: switchable(
      check,
      "subsetting",
      input["subsetting"],
      "choose",
      "randomSubset({ size })",
      base.subsetting,
    ),
  };
}

function resolveFailback(check: OptionCheck, value: unknown, base: number): number {
  if (value === undefined) return base;
  if (value === "immediate") return 0;
  if (typeof value !== "object" || value === null) {
    check.problem("failback", value, '"immediate" or { stableMs }');
    return base;
  }
  const input = check.record("failback", value, ["stableMs"]) ?? {};
  return check.required("failback.stableMs", input["stableMs"], expected.number({ min: 0 })) ?? base;
}

/** An imported value with that method, or `false` for none. */
export function switchable<T>(
  check: OptionCheck,
  path: string,
  value: unknown,
  method: string,
  example: string,
  base: T | undefined,
): T | undefined {
  if (value === undefined) return base;
  if (value === false) return undefined;
  return check.required(path, value, expected.having<T>(method, `false, or a value such as ${example}`)) ?? base;
}
