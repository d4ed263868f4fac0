import type { Expected } from "../options.ts";

/** Numbers by zone, as `zoneWeights` and `zoneAware` take them. */
export const zoneNumbers: Expected<Readonly<Record<string, number>>> = {
  description: "an object of numbers > 0, at least one",
  accepts: (value: unknown): value is Readonly<Record<string, number>> =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length > 0 &&
    Object.values(value).every((item) => Number.isFinite(item) && item > 0),
};
