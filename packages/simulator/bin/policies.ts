import {
  first,
  leastRequest,
  maglev,
  random,
  randomSubset,
  rendezvous,
  ringHash,
  roundRobin,
  zoneAware,
} from "@fairlead/core";
import type { Policy } from "@fairlead/simulator";

/** A tenth of the backends of the largest scenario. */
const SUBSET = 30;
/** The middle of what is usual. */
const BOUNDED = { boundedLoad: 1.25 } as const;

/** The policies that can be compared by name. */
export const policies: Readonly<Record<string, Policy>> = {
  /** Of strategies: peakEwma. */
  defaults: () => ({}),
  leastRequest: () => ({ strategy: leastRequest() }),
  roundRobin: () => ({ strategy: roundRobin() }),
  random: () => ({ strategy: random() }),
  first: () => ({ strategy: first() }),
  ringHash: () => ({ strategy: ringHash() }),
  maglev: () => ({ strategy: maglev() }),
  rendezvous: () => ({ strategy: rendezvous() }),
  boundedMaglev: () => ({ strategy: maglev(BOUNDED) }),
  subset: () => ({ subsetting: randomSubset({ size: SUBSET }) }),
  zoneAware: ({ zone }) => (zone === undefined ? {} : { zones: zoneAware({ zone }) }),
};
