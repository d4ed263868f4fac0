import { createRandom, type Random } from "@fairlead/core";

/** What random numbers are drawn for. Each purpose has streams of its own, so that a policy does not change the rest. */
const PURPOSES = { arrivals: 0, keys: 1, service: 2, faults: 3, balancer: 4, policy: 5 } as const;

/** Streams per purpose: as many backends or clients can be told apart. */
const STREAMS = 2 ** 18;

/** The random numbers of one purpose and one backend or client, from the seed of the run: whole, 0 to 2³² − 1. */
export function randomFor(seed: number, purpose: keyof typeof PURPOSES, index: number = 0): Random {
  // A generator takes two words of 32 bits: the low one is the seed, the high one the stream.
  return createRandom((PURPOSES[purpose] * STREAMS + (index % STREAMS)) * 2 ** 32 + seed);
}
