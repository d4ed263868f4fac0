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
  /** What goals call the base. */
  readonly against: "bare" | "cockatiel";
  /** The base is one of them. */
  readonly variants: readonly VariantName[];
  readonly concurrency: number;
  readonly countBytes: boolean;
  readonly goals: readonly Goal[];
}

const POOLS = "bare Pool.request, 3 Pools in turn";
const OFF = "createRequest, timeouts and retries off";
const DEFAULTS = "createRequest, defaults";
const ON = "createRequest, everything on, timeouts and retries off";
const ARMED = "createRequest, everything on, retries and deadline armed";
const COCKATIEL = "bare Pool.request in cockatiel's retry, breaker, timeout";
const FETCH = "bare undici fetch";
const OUR_FETCH = "createFetch over undici fetch";
const POOLS_HEADER = "bare Pool.request with a header";
const ROUTED = "createRequest, two routes, affinity by header, everything on, timeouts and retries off";
const FETCH_HEADER = "bare undici fetch with a header";
const ROUTED_FETCH = "createFetch over undici fetch, two routes, affinity by header";

/** `request` over two routes, whose sessions go by a header, against the same request with that header. */
function routed(concurrency: number): Comparison {
  return {
    title: `\`request\` over two routes with affinity, ${concurrency} at a time`,
    base: POOLS_HEADER,
    against: "bare",
    variants: [POOLS_HEADER, ROUTED],
    concurrency,
    countBytes: concurrency === 50,
    goals: [
      { goal: "G4", variant: ROUTED, perSecond: 0.95, cpu: 1.05 },
      { goal: "G7", variant: ROUTED, bytes: 768 },
    ],
  };
}

export const comparisons: readonly Comparison[] = [
  {
    title: "`request`, 1 at a time",
    base: POOLS,
    against: "bare",
    variants: [POOLS, OFF, DEFAULTS, ON],
    concurrency: 1,
    countBytes: false,
    goals: [{ goal: "G4", variant: ON, perSecond: 0.95, cpu: 1.05 }],
  },
  {
    title: "`request`, 50 at a time",
    base: POOLS,
    against: "bare",
    variants: [POOLS, OFF, DEFAULTS, ON, ARMED, "bare BalancedPool.request"],
    concurrency: 50,
    countBytes: true,
    goals: [
      { goal: "G4", variant: ON, perSecond: 0.95, cpu: 1.05 },
      { goal: "G6", variant: ARMED, cpu: 1.1 },
      { goal: "G7", variant: OFF, bytes: 768 },
    ],
  },
  {
    title: "`request`, 200 at a time",
    base: POOLS,
    against: "bare",
    variants: [POOLS, OFF, DEFAULTS, ON],
    concurrency: 200,
    countBytes: false,
    goals: [{ goal: "G4", variant: ON, perSecond: 0.95, cpu: 1.05 }],
  },
  {
    title: "Retries, breaker and timeouts, 50 at a time",
    base: COCKATIEL,
    against: "cockatiel",
    variants: [COCKATIEL, ARMED],
    concurrency: 50,
    countBytes: true,
    goals: [{ goal: "G6", variant: ARMED, perSecond: 1.6 }],
  },
  routed(1),
  routed(50),
  routed(200),
  {
    title: "`fetch` of undici over two routes with affinity, 50 at a time",
    base: FETCH_HEADER,
    against: "bare",
    variants: [FETCH_HEADER, ROUTED_FETCH],
    concurrency: 50,
    countBytes: true,
    goals: [
      { goal: "G5", variant: ROUTED_FETCH, perSecond: 0.97, cpu: 1.03 },
      { goal: "G7", variant: ROUTED_FETCH, bytes: 1024 },
    ],
  },
  {
    title: "`fetch` of undici, 50 at a time",
    base: FETCH,
    against: "bare",
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
    against: "bare",
    variants: ["bare global fetch", "createFetch over global fetch"],
    concurrency: 50,
    countBytes: true,
    goals: [],
  },
];
