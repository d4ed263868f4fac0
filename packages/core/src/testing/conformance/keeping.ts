import type { RequestKind } from "../../backend.ts";
import type { Lease } from "../../contract.ts";
import { below, createRandom } from "../../random.ts";
import { Observed } from "./observed.ts";
import { difference } from "./picking.ts";
import type { Rule, Trial } from "./rules.ts";
import { randomRequest, randomSteps } from "./schedule.ts";
import { RECOVERY_MS, World } from "./world.ts";

const KEYS = 200;
const CALLS = 300;
const GAP_MS = 100;
/** Leases of each kind that are held at most. */
const HELD = 8;

/** What a strategy keeps: kinds from each other, and keys in their places. */
export const keepingRules: readonly Rule[] = [
  { name: "keeps the picks of requests apart from connections", atMost: 5, check: keepsApart("request", "connection") },
  { name: "keeps the picks of connections apart from requests", atMost: 5, check: keepsApart("connection", "request") },
  { name: "with `hash` keeps a key on its backend, and brings it back", atMost: 5, check: keepsKeys },
];

const evenly = (size: number): { weight: number; priority: number }[] =>
  Array.from({ length: size }, (_, index) => ({ weight: 1 + (index % 2), priority: 0 }));

function keepsApart(kind: RequestKind, other: RequestKind): Rule["check"] {
  return ({ create, seed }) => {
    const size = seed % 2 === 0 ? 5 : 40;
    const run = (disturbed: boolean): readonly string[] => {
      const observed = new Observed(create(), seed, false);
      const { balancer } = new World(observed, evenly(size), seed);
      const random = createRandom(seed);
      const held: (Lease | undefined)[] = [];
      const others: (Lease | undefined)[] = [];
      for (let call = 0; call < CALLS; call++) {
        hold(held, balancer.tryAcquire({ kind }), below(random, HELD));
        if (disturbed) hold(others, balancer.tryAcquire({ kind: other }), HELD);
      }
      return observed.picks[kind];
    };
    return difference(run(false), run(true), `without ${other}s`, `with ${other}s`);
  };
}

/** Keeps the newest `most`. */
function hold(leases: (Lease | undefined)[], lease: Lease | undefined, most: number): void {
  leases.push(lease);
  while (leases.length > most) leases.shift()?.release();
}

function keepsKeys({ create, seed }: Trial): string | undefined {
  const strategy = create();
  if (strategy.hash === undefined) return undefined;
  const random = createRandom(seed);
  const size = 5;
  const world = new World(strategy, evenly(size), seed);
  const keyOf = (key: number): string => `${seed}-${key}`;
  const places = (): string[] =>
    Array.from({ length: KEYS }, (_, key) => {
      using lease = world.balancer.tryAcquire({ hashKey: keyOf(key) });
      return lease?.backend.id ?? "nobody";
    });
  const placed = places();
  const differs = (when: string): string | undefined => difference(placed, places(), "at first", when);
  const unchanged = differs("in the same view");
  if (unchanged !== undefined) return unchanged;
  world.renewView();
  const renewed = differs("in a new view of the same backends");
  if (renewed !== undefined) return renewed;
  const request = () => ({ ...randomRequest(random, world.balancer.backends), hashKey: keyOf(below(random, KEYS)) });
  for (const step of randomSteps(random, size)) world.step(step, request);
  world.repair();
  for (let ms = 0; ms < RECOVERY_MS; ms += GAP_MS) world.call({ replayable: true }, GAP_MS);
  // Nothing is under way any more.
  world.clock.advanceSync(RECOVERY_MS);
  return differs("when everybody worked again");
}
