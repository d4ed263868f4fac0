import { expected, OptionCheck } from "../options.ts";
import { zoneNumbers } from "./zone-numbers.ts";
import type { ZonePolicy } from "./zones.ts";

export interface ZoneWeightsOptions {
  /** As for priorities: how much more than its share a healthy backend can carry, ≥ 1. Default 1.4. */
  readonly overprovisioning?: number | undefined;
}

/**
 * Divides calls over zones in fixed proportions, lowered for those in which much has failed: weight ×
 * `min(1, overprovisioning · available / all)`. A zone that is not named gets no calls while one that is can serve.
 *
 * Source: Envoy, "Locality weighted load balancing" (`locality_weight.rst`).
 *
 * @param weights share of each zone relative to the others, > 0
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function zoneWeights(weights: Readonly<Record<string, number>>, options: ZoneWeightsOptions = {}): ZonePolicy {
  const check = new OptionCheck();
  const known = check.required("weights", weights, zoneNumbers) ?? {};
  check.record("", options, ["overprovisioning"]);
  const factor = check.optional("overprovisioning", options.overprovisioning, expected.number({ min: 1 })) ?? 1.4;
  check.throwIfAny("zoneWeights");
  return {
    name: "zoneWeights",
    shares: (zones) => {
      const effective = zones.map(({ zone, available, total }) => {
        const weight = zone === undefined || !Object.hasOwn(known, zone) ? 0 : (known[zone] ?? 0);
        return total === 0 ? 0 : weight * Math.min(1, (factor * available) / total);
      });
      const all = effective.reduce((sum, value) => sum + value, 0);
      return all === 0 ? undefined : effective.map((value) => value / all);
    },
  };
}
