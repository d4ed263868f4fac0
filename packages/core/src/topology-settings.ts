import { fillIn, switchable } from "./option-group.ts";
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
  return {
    ...fillIn(check, "", input, base, {
      overprovisioning: expected.number({ min: 1, max: 100 }),
      panicThreshold: expected.number({ min: 0, max: 100 }),
      panicMode: expected.oneOf(["fail-open", "fail-closed"]),
    }),
    failbackMs: resolveFailback(check, input["failback"], base.failbackMs),
    ...switchable(check, input, base, {
      zones: ["shares", "zoneAware({ zone })"],
      subsets: ["keyOf", "labelSubsets({ keys })"],
      subsetting: ["choose", "randomSubset({ size })"],
    }),
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
