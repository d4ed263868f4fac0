import { createRandom } from "../../random.ts";
import type { Rule, Trial } from "./rules.ts";
import { oneOf, randomRequest, randomSteps, type ScheduledBackend } from "./schedule.ts";
import { RECOVERY_MS, World } from "./world.ts";

const CALLS = 20_000;
/** Chance alone exceeds this once in 16,000 backends. */
const STANDARD_DEVIATIONS = 4;

/** Who gets how much, and that everybody gets something. */
export const sharingRules: readonly Rule[] = [
  { name: "shares calls by weight", atMost: 2, check: (trial) => checkShares(trial, false) },
  { name: "shares calls by weight while the view changes", atMost: 2, check: (trial) => checkShares(trial, true) },
  { name: "picks everybody that works within `pickedWithin` calls", atMost: 10, check: (trial) => left(trial, false) },
  {
    name: "picks everybody within `pickedWithin` calls while the view changes",
    atMost: 10,
    check: (trial) => left(trial, true),
  },
];

function checkShares({ create, seed, weighted, tolerance }: Trial, changing: boolean): string | undefined {
  const strategy = create();
  const keyed = strategy.hash !== undefined;
  // What a new view means for keys is a rule of its own.
  if (!weighted || (keyed && changing)) return undefined;
  const backends = someBackends(seed, seed % 2 === 0 && !changing ? 40 : 5);
  const counts = countCalls(new World(strategy, backends, seed), seed, keyed, changing);
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  for (const [index, { weight }] of backends.entries()) {
    const share = weight / total;
    const got = counts.get(`b${index}`) ?? 0;
    const chance = STANDARD_DEVIATIONS * Math.sqrt(CALLS * share * (1 - share));
    if (Math.abs(got - CALLS * share) > tolerance * CALLS * share + chance)
      return `b${index} has weight ${weight} of ${total}, so ${percent(share)} of the calls; it got ${percent(got / CALLS)}`;
  }
  return undefined;
}

/** Calls that take the same everywhere, one at a time; under strategies that hash, each with a key of its own. */
function countCalls(world: World, seed: number, keyed: boolean, changing: boolean): Map<string, number> {
  const counts = new Map<string, number>();
  for (let call = 0; call < CALLS; call++) {
    world.clock.advanceSync(1);
    if (changing) world.renewView();
    const lease = world.balancer.tryAcquire(keyed ? { hashKey: `${seed}-${call}` } : {});
    lease?.settle({ outcome: "success", latencyMs: 10 });
    lease?.release();
    const id = lease?.backend.id ?? "nobody";
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** Weights whose smallest share is not lost in chance. */
function someBackends(seed: number, size: number): ScheduledBackend[] {
  const random = createRandom(seed);
  return Array.from({ length: size }, () => ({ weight: oneOf(random, [1, 1, 2, 3]), priority: 0 }));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Trouble, repair, the time that recovery takes, `pickedWithin` calls: who has had none of them? */
function left({ create, seed, pickedWithin }: Trial, changing: boolean): string | undefined {
  if (pickedWithin === undefined) return undefined;
  const random = createRandom(seed);
  const size = seed % 3 === 0 ? 40 : 5;
  const backends = someBackends(seed, size);
  const world = new World(create(), backends, seed);
  for (const step of randomSteps(random, size)) world.step(step, () => randomRequest(random, world.balancer.backends));
  world.repair();
  const gapMs = oneOf(random, [20, 200, 2_000]);
  const missing = new Set(backends.map((_, index) => `b${index}`));
  const call = (): void => {
    if (changing) world.renewView();
    const id = world.call({ replayable: random.next() < 0.5 }, gapMs)?.id;
    if (id !== undefined) missing.delete(id);
  };
  for (let ms = 0; ms < RECOVERY_MS; ms += gapMs) call();
  const most = pickedWithin(backends.map(({ weight }) => weight));
  for (let count = 0; count < most && missing.size > 0; count++) call();
  return missing.size === 0
    ? undefined
    : `${[...missing].join(", ")} of ${size} worked for 30 s and ${most} calls, one per ${gapMs} ms, and got none`;
}
