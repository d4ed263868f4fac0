import type { VariantName } from "./clients.ts";

/** What a variant may cost in relation to the base. */
interface Goal {
  readonly goal: string;
  readonly variant: VariantName;
  /** At least. */
  readonly perSecond?: number;
  /** At most. */
  readonly cpu?: number;
  /** At most, over the base. */
  readonly bytes?: number;
}

export interface Comparison {
  readonly title: string;
  readonly base: VariantName;
  /** The base is one of them. */
  readonly variants: readonly VariantName[];
  readonly concurrency: number;
  readonly countBytes: boolean;
  readonly goals: readonly Goal[];
}

const POOLS = "bare Pool.request, 3 Pools in turn";
const OFF = "createRequest, timeouts and retries off";
const DEFAULTS = "createRequest, defaults";
const FETCH = "bare undici fetch";
const OUR_FETCH = "createFetch over undici fetch";

export const comparisons: readonly Comparison[] = [
  {
    title: "`request`, 1 at a time",
    base: POOLS,
    variants: [POOLS, OFF, DEFAULTS],
    concurrency: 1,
    countBytes: false,
    goals: [{ goal: "G4", variant: OFF, perSecond: 0.95, cpu: 1.05 }],
  },
  {
    title: "`request`, 50 at a time",
    base: POOLS,
    variants: [POOLS, OFF, DEFAULTS, "bare BalancedPool.request"],
    concurrency: 50,
    countBytes: true,
    goals: [
      { goal: "G4", variant: OFF, perSecond: 0.95, cpu: 1.05 },
      { goal: "G6", variant: DEFAULTS, cpu: 1.1 },
      { goal: "G7", variant: OFF, bytes: 768 },
    ],
  },
  {
    title: "`request`, 200 at a time",
    base: POOLS,
    variants: [POOLS, OFF, DEFAULTS],
    concurrency: 200,
    countBytes: false,
    goals: [{ goal: "G4", variant: OFF, perSecond: 0.95, cpu: 1.05 }],
  },
  {
    title: "`fetch` of undici, 50 at a time",
    base: FETCH,
    variants: [FETCH, OUR_FETCH],
    concurrency: 50,
    countBytes: true,
    goals: [
      { goal: "G5", variant: OUR_FETCH, perSecond: 0.97, cpu: 1.03 },
      { goal: "G7", variant: OUR_FETCH, bytes: 1024 },
    ],
  },
  {
    title: "`fetch` of Node, 50 at a time",
    base: "bare global fetch",
    variants: ["bare global fetch", "createFetch over global fetch"],
    concurrency: 50,
    countBytes: true,
    goals: [],
  },
];
