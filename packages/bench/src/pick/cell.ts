// Measures the picks of one strategy over one number of backends, in a process of its own.
// Arguments: strategy, number of backends, effort as JSON.
import { type Balancer, createBalancer, createRandom, type Picker, type Strategy } from "@fairlead/core";
import { bytes, type Effort, type Loop, nanoseconds } from "../measure/rounds.ts";
import { floorLoop } from "./floor.ts";
import { strategies } from "./strategies.ts";

export interface PickCell {
  readonly ns: readonly number[];
  readonly floorNs: readonly number[];
  readonly bytes: readonly number[];
}

/** Every backend has had this many calls before. */
const HISTORY = 20;
/** Calls under way while picks are measured. */
const HELD = 50;

/** The strategy, and the picker it made last. */
function observed(inner: Strategy): { readonly strategy: Strategy; readonly picker: () => Picker } {
  let built: Picker | undefined;
  return {
    strategy: {
      name: inner.name,
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

function pickLoop(picker: Picker, now: () => number): Loop {
  const request = { replayable: true };
  let picked = 0;
  // The time comes as an argument: read here, it would be a raw double, which V8 allocates anew for each pick.
  const pick = (count: number, nowMs: number): void => {
    for (let i = 0; i < count; i++) if (picker.pick(request, nowMs) !== undefined) picked++;
    if (picked === 0) throw new Error("nothing was picked");
  };
  return (count) => pick(count, now());
}

async function measurePicks(name: string, size: number, effort: Effort): Promise<PickCell> {
  const make = strategies[name];
  if (make === undefined) throw new Error(`no such strategy: ${name}`);
  const { strategy, picker } = observed(make());
  const backends = Array.from({ length: size }, (_, i) => `http://10.0.${i >> 8}.${i & 255}:8080`);
  const balancer = createBalancer({ name: "bench", backends, strategy, random: createRandom(2) });
  fill(balancer);
  const pick = pickLoop(picker(), () => balancer.clock.now());
  const ns = await nanoseconds({ pick, floor: floorLoop(size) }, effort);
  return { ns: ns.pick, floorNs: ns.floor, bytes: (await bytes({ pick }, effort)).pick };
}

const [name = "", size = "", effort = ""] = process.argv.slice(2);
process.send?.(await measurePicks(name, Number(size), JSON.parse(effort) as Effort));
