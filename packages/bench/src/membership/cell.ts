// Measures what a new set of 10,000 backends costs under one strategy, in a process of its own.
// Arguments: strategy, rounds.
import { type BackendSpec, createBalancer, createRandom } from "@fairlead/core";
import { specs } from "../inputs.ts";
import { collectYoungGarbage } from "../measure/rounds.ts";
import { candidate } from "../strategies.ts";
import { CHANGES, type Change, type MembershipCell } from "./changes.ts";

const BACKENDS = 10_000;
const NEWCOMER: BackendSpec = { url: "http://10.200.0.1:8080", weight: 1 };
const WARM_UP_ROUNDS = 3;

function measureChanges(name: string, rounds: number): MembershipCell {
  const { create, uneven } = candidate(name);
  const balancer = createBalancer({
    name: "bench",
    backends: specs(BACKENDS, uneven),
    strategy: create(),
    random: createRandom(1),
  });
  const request = { hashKey: "3f2b8c1e-0d4a-4b6f-9a57-5c1d2e3f4a5b" };
  const pick = (): void => balancer.tryAcquire(request)?.release();
  const took = (set: readonly BackendSpec[]): number => {
    collectYoungGarbage();
    const startMs = performance.now();
    balancer.set(set);
    pick();
    return performance.now() - startMs;
  };
  // In the middle, where an order that is kept has to be mended.
  const withNewcomer = (): BackendSpec[] => specs(BACKENDS, uneven).toSpliced(BACKENDS / 2, 0, NEWCOMER);
  const heavier = (): BackendSpec[] => specs(BACKENDS, uneven).with(BACKENDS / 2, { ...middle, weight: 2.5 });
  const middle = specs(BACKENDS, uneven)[BACKENDS / 2] as BackendSpec;
  const measured: Record<Change, number[]> = {
    "one added": [],
    "one removed": [],
    "one weight changed": [],
    "the same again": [],
  };
  pick();
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    const values: Record<Change, number> = {
      "one added": took(withNewcomer()),
      "one removed": took(specs(BACKENDS, uneven)),
      "one weight changed": took(heavier()),
      "the same again": took(heavier()),
    };
    took(specs(BACKENDS, uneven));
    if (round >= 0) for (const change of CHANGES) measured[change].push(values[change]);
  }
  return measured;
}

const [name = "", rounds = ""] = process.argv.slice(2);
process.send?.(measureChanges(name, Number(rounds)));
