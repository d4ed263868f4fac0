import { createRandom } from "../../random.ts";
import type { Strategy } from "../../strategy/strategy.ts";
import { Observed } from "./observed.ts";
import type { Rule, Trial } from "./rules.ts";
import { oneOf, randomBackends, randomRequest, randomSteps } from "./schedule.ts";
import { World } from "./world.ts";

/** What holds of every single pick, whatever happens around it. */
export const pickingRules: readonly Rule[] = [
  {
    name: "picks a backend of the view that admits the call, and nobody only if nobody does",
    atMost: Number.POSITIVE_INFINITY,
    check: ({ create, seed }) => observe(create(), seed, randomSize(seed)).violation,
  },
  {
    name: "does so among 1,000 backends",
    atMost: 1,
    check: ({ create, seed }) => observe(create(), seed, 1_000).violation,
  },
  {
    name: "makes the same picks again from the same seed: draws come from `view.random`",
    atMost: 5,
    check: ({ create, seed }) => {
      const [once, again] = [observe(create(), seed, 5), observe(create(), seed, 5)];
      return difference(once.picks.request, again.picks.request, "first", "then");
    },
  },
  { name: "leaves no trace of `peek` and `scores`", atMost: 10, check: leavesNoTrace },
  {
    name: "foretells by `peek` what `pick` returns",
    atMost: 10,
    check: ({ create, seed }) => {
      const { peeks, wrongPeeks } = observe(create(), seed, 5, true);
      return wrongPeeks > peeks * WRONG_PEEKS ? `${wrongPeeks} of ${peeks} peeks were wrong` : undefined;
    },
  },
];

/** A rule for backends left out may have its say between a peek and the pick. */
const WRONG_PEEKS = 0.1;

function randomSize(seed: number): number {
  // Below and above what strategies look at in full.
  return oneOf(createRandom(seed), [1, 2, 3, 5, 8, 40]);
}

/** A random schedule over `size` backends. */
function observe(strategy: Strategy, seed: number, size: number, asking: boolean = seed % 2 === 0): Observed {
  const observed = new Observed(strategy, seed, asking);
  const random = createRandom(seed);
  const world = new World(observed, randomBackends(random, size), seed);
  const request = () => randomRequest(random, world.balancer.backends);
  for (const step of randomSteps(random, size)) world.step(step, request);
  return observed;
}

function leavesNoTrace({ create, seed }: Trial): string | undefined {
  const size = seed % 2 === 0 ? 5 : 40;
  const [silent, asked] = [observe(create(), seed, size, false), observe(create(), seed, size, true)];
  return difference(silent.picks.request, asked.picks.request, "unasked", "asked");
}

/** Where two runs part. */
export function difference(a: readonly string[], b: readonly string[], one: string, other: string): string | undefined {
  const index = a.findIndex((id, at) => id !== b[at]);
  if (index < 0) return undefined;
  return `pick ${index + 1} of ${a.length} went to ${a[index]} ${one}, to ${b[index] ?? "nobody"} ${other}`;
}
