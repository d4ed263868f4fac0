import {
  first,
  leastRequest,
  maglev,
  murmur3,
  peakEwma,
  random,
  rendezvous,
  reportedLoad,
  ringHash,
  roundRobin,
  type Strategy,
} from "@fairlead/core";

export interface Candidate {
  readonly create: () => Strategy;
  /** Weights from 1 to 1,000 with fractions, instead of equal ones. */
  readonly uneven?: boolean;
}

/** The default comes first. */
export const strategies: Readonly<Record<string, Candidate>> = {
  peakEwma: { create: () => peakEwma() },
  leastRequest: { create: () => leastRequest() },
  roundRobin: { create: () => roundRobin() },
  "roundRobin, uneven weights": { create: () => roundRobin(), uneven: true },
  reportedLoad: { create: () => reportedLoad() },
  random: { create: () => random() },
  first: { create: () => first() },
  ringHash: { create: () => ringHash() },
  maglev: { create: () => maglev() },
  rendezvous: { create: () => rendezvous() },
};

/** Strategies that find a key's backend in a table, by the hash they use. */
export const keyed: Readonly<Record<string, Candidate>> = {
  "ringHash, xxh64": { create: () => ringHash() },
  "ringHash, murmur3": { create: () => ringHash({ hash: murmur3 }) },
  "maglev, xxh64": { create: () => maglev() },
  "maglev, murmur3": { create: () => maglev({ hash: murmur3 }) },
};

export function candidate(name: string): Candidate {
  const found = strategies[name] ?? keyed[name];
  if (found === undefined) throw new Error(`no such strategy: ${name}`);
  return found;
}
