import { first, leastRequest, peakEwma, random, roundRobin, type Strategy } from "@fairlead/core";

/** The default comes first. */
export const strategies: Readonly<Record<string, () => Strategy>> = {
  peakEwma,
  roundRobin,
  random,
  leastRequest,
  first,
};
