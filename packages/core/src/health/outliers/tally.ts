import type { RequestKind } from "../../backend.ts";
import type { Report } from "../../call/outcome.ts";
import type { Member } from "../../membership/member.ts";
import type { BackendStatistics, LatencyStatistics } from "./detector.ts";

// What is counted of a backend, in one array of numbers: plain fields that turn fractional would be boxed.

// In a row:
export const GATEWAY_FAILURES = 0;
export const LOCAL_ORIGIN_FAILURES = 1;
// In the interval:
const SUCCESSES = 2;
const FAILURES = 3;
const LOCAL_FAILURES = 4;
/** Where the latencies of each kind begin: count, sum, product, logarithms of earlier products. */
const REQUESTS = 5;
const CONNECTIONS = 9;
const CELLS = 13;

/** Below a tenth nobody notices a difference, and 0 has no logarithm; above eleven days nobody waits. */
const LEAST_MS = 0.1;
const MOST_MS = 1e9;
/** A product is turned into its logarithm before another factor could take it out of the range of numbers. */
const LARGEST_PRODUCT = 1e290;
const SMALLEST_PRODUCT = 1e-290;

export function tallyOf(member: Member): Float64Array {
  member.tally ??= new Float64Array(CELLS);
  return member.tally;
}

export function add(tally: Float64Array, cell: number, amount: number): number {
  const sum = (tally[cell] ?? 0) + amount;
  tally[cell] = sum;
  return sum;
}

/** Whether a failure was seen on this side, so that the backend itself has said nothing. */
export function isLocal({ origin, outcome }: Report): boolean {
  return origin === "local" || (origin === undefined && outcome === "unreached");
}

/** @param latencyMs negative if it says nothing of the backend */
export function countSuccess(tally: Float64Array, kind: RequestKind, latencyMs: number): void {
  add(tally, SUCCESSES, 1);
  if (!(latencyMs >= 0)) return;
  const at = kind === "request" ? REQUESTS : CONNECTIONS;
  add(tally, at, 1);
  add(tally, at + 1, latencyMs);
  // The mean of logarithms is the logarithm of the product: one of them for hundreds of latencies.
  const product = (tally[at + 2] || 1) * Math.min(Math.max(latencyMs, LEAST_MS), MOST_MS);
  tally[at + 2] = product;
  if (product > LARGEST_PRODUCT || product < SMALLEST_PRODUCT) {
    add(tally, at + 3, Math.log(product));
    tally[at + 2] = 1;
  }
}

export function countFailure(tally: Float64Array, local: boolean): void {
  add(tally, FAILURES, 1);
  if (local) add(tally, LOCAL_FAILURES, 1);
}

/** What has been counted in the interval, which begins anew; `undefined` if it is nothing. */
export function takeStatistics(member: Member): BackendStatistics | undefined {
  const { tally } = member;
  if (tally === undefined) return undefined;
  const successes = tally[SUCCESSES] ?? 0;
  const failures = tally[FAILURES] ?? 0;
  if (successes + failures === 0) return undefined;
  const localOriginFailures = tally[LOCAL_FAILURES] ?? 0;
  const latency = { request: latencyOf(tally, REQUESTS), connection: latencyOf(tally, CONNECTIONS) };
  tally.fill(0, SUCCESSES);
  return { backend: member, successes, failures, localOriginFailures, latency };
}

const NO_LATENCY: LatencyStatistics = { count: 0, meanMs: 0, typicalMs: 0 };

function latencyOf(tally: Float64Array, at: number): LatencyStatistics {
  const count = tally[at] ?? 0;
  if (count === 0) return NO_LATENCY;
  const logarithms = (tally[at + 3] ?? 0) + Math.log(tally[at + 2] ?? 1);
  return { count, meanMs: (tally[at + 1] ?? 0) / count, typicalMs: Math.exp(logarithms / count) };
}
