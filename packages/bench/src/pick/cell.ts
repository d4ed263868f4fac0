// Measures the picks of one strategy over one number of backends, in a process of its own.
// Arguments: strategy, number of backends, effort as JSON.
import {
  type Balancer,
  createBalancer,
  createRandom,
  type Picker,
  type PickRequest,
  type Strategy,
} from "@fairlead/core";
import { keyedRequests, specs } from "../inputs.ts";
import { bytes, type Effort, type Loop, nanoseconds } from "../measure/rounds.ts";
import { spread } from "../measure/statistics.ts";
import { candidate } from "../strategies.ts";
import { floorLoop } from "./floor.ts";

export interface PickCell {
  readonly ns: readonly number[];
  readonly floorNs: readonly number[];
  readonly bytes: readonly number[];
  /** A reading of the heap is no more exact than this, in bytes per pick. */
  readonly exactTo: number;
}

/** Every backend has had this many calls before. */
const HISTORY = 20;
/** Calls under way while picks are measured. */
const HELD = 50;
/** Allocations of slow picks are counted over no longer than this. */
const LONGEST_ROUND_NS = 200e6;
/** What a reading of the heap may be off, however many picks there were. */
const READING_BYTES = 50_000;

/** The strategy, and the picker it made last. */
function observed(inner: Strategy): { readonly strategy: Strategy; readonly picker: () => Picker } {
  let built: Picker | undefined;
  return {
    strategy: {
      name: inner.name,
      hash: inner.hash,
      build: (view) => {
        built = inner.build(view);
        return built;
      },
    },
    picker: () => {
      if (built === undefined) throw new Error("no view was built");
      return built;
    },
  };
}

/** Gives every backend a history of calls that took 5 to 10 ms, and leaves some calls under way. */
function fill(balancer: Balancer): void {
  const random = createRandom(1);
  for (let round = 0; round < HISTORY; round++) {
    for (const { id } of balancer.backends) {
      const lease = balancer.tryAcquire({ pinned: id });
      lease?.settle({ outcome: "success", latencyMs: 5 + 5 * random.next() });
      lease?.release();
    }
  }
  for (let i = 0; i < HELD; i++) balancer.tryAcquire();
}

/** Goes round the requests, whose number is a power of two. */
function pickLoop(picker: Picker, requests: readonly PickRequest[], now: () => number): Loop {
  const mask = requests.length - 1;
  let turn = 0;
  let picked = 0;
  // The time comes as an argument: read here, it would be a raw double, which V8 allocates anew for each pick.
  const pick = (count: number, nowMs: number): void => {
    for (let i = 0; i < count; i++) {
      turn = (turn + 1) & mask;
      if (picker.pick(requests[turn] as PickRequest, nowMs) !== undefined) picked++;
    }
    if (picked === 0) throw new Error("nothing was picked");
  };
  return (count) => pick(count, now());
}

async function measurePicks(name: string, size: number, effort: Effort): Promise<PickCell> {
  const { create, uneven } = candidate(name);
  const { strategy, picker } = observed(create());
  const backends = specs(size, uneven);
  const balancer = createBalancer({ name: "bench", backends, strategy, random: createRandom(2) });
  fill(balancer);
  const requests = strategy.hash === undefined ? [{ replayable: true }] : keyedRequests();
  const pick = pickLoop(picker(), requests, () => balancer.clock.now());
  const ns = await nanoseconds({ pick, floor: floorLoop(size) }, effort);
  const allocations = Math.min(effort.allocations, Math.ceil(LONGEST_ROUND_NS / spread(ns.pick).median));
  const allocated = await bytes({ pick }, { ...effort, allocations });
  return { ns: ns.pick, floorNs: ns.floor, bytes: allocated.pick, exactTo: READING_BYTES / allocations };
}

const [name = "", size = "", effort = ""] = process.argv.slice(2);
process.send?.(await measurePicks(name, Number(size), JSON.parse(effort) as Effort));
