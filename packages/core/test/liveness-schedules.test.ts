// Every backend that works again is picked within the bound of its strategy, whatever happened before: over more than
// 10,000 random schedules of faults, pauses, breakers, drains, removals and changes of weights. A schedule that breaks the
// bound is printed in its smallest form, with the seed and the path that fast-check needs to find it again.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { below, createRandom } from "../src/random.ts";
import { first } from "../src/strategy/first.ts";
import { maglev } from "../src/strategy/hashing/maglev.ts";
import { rendezvous } from "../src/strategy/hashing/rendezvous.ts";
import { ringHash } from "../src/strategy/hashing/ring-hash.ts";
import { leastRequest } from "../src/strategy/least-request.ts";
import { peakEwma } from "../src/strategy/peak-ewma.ts";
import { random } from "../src/strategy/random.ts";
import { reportedLoad } from "../src/strategy/reported-load/reported-load.ts";
import { roundRobin } from "../src/strategy/round-robin.ts";
import type { PickRequest, Strategy } from "../src/strategy/strategy.ts";
import { FAULTS, type ScheduledBackend, type Step } from "../src/testing/conformance/schedule.ts";
import { AVAILABLE_AFTER_MS, RECOVERY_MS, World } from "../src/testing/conformance/world.ts";
import { repeat } from "./fakes.ts";

const FAST_CHECK_SEED = 20_261_124;
const FEW = 5;
const KEYS = 20;

interface Schedule {
  readonly seed: number;
  readonly backends: readonly ScheduledBackend[];
  readonly steps: readonly Step[];
  /** Between the calls after all is well again. */
  readonly gapMs: number;
}

const one = <Kind extends Step["kind"]>(...kinds: Kind[]): fc.Arbitrary<Kind> => fc.constantFrom(...kinds);

function schedules(least: number, most: number): fc.Arbitrary<Schedule> {
  const backend = fc.nat(most - 1);
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: one("calls"),
        count: fc.integer({ min: 1, max: 20 }),
        gapMs: fc.constantFrom(0, 5, 100, 1_000),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: one("fault"), backend, fault: fc.constantFrom(...FAULTS) }) },
    { weight: 1, arbitrary: fc.record({ kind: one("gate"), backend, open: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: one("presence"), backend, present: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: one("state"), backend, change: fc.constantFrom("enable", "disable", "drain") }),
    },
    { weight: 1, arbitrary: fc.record({ kind: one("weight"), backend, weight: fc.constantFrom(0.1, 1, 5) }) },
  );
  return fc.record({
    seed: fc.nat(),
    backends: fc.array(fc.record({ weight: fc.constantFrom(1, 1, 2, 3), priority: fc.constantFrom(0, 0, 0, 1) }), {
      minLength: least,
      maxLength: most,
    }),
    steps: fc.array(step, { maxLength: 30, size: "max" }),
    gapMs: fc.constantFrom(60, 300, 1_000),
  });
}

/** A world in which the schedule has happened, and everything works again. */
function afterTrouble(strategy: Strategy, { seed, backends, steps }: Schedule, keyed: boolean): World {
  const world = new World(strategy, backends, seed);
  const source = createRandom(seed);
  const request = (): PickRequest => ({
    replayable: source.next() < 0.5,
    ...(keyed ? { hashKey: keyOf(seed, below(source, KEYS)) } : {}),
  });
  for (const step of steps) world.step(step, request);
  world.repair();
  return world;
}

const keyOf = (seed: number, index: number): string => `${seed}/${index}`;

/** Calls for that long; every other may be repeated. */
function callFor(world: World, ms: number, gapMs: number, picked: (id: string) => void = () => {}): void {
  for (let passedMs = 0, call = 0; passedMs < ms; passedMs += gapMs, call++) {
    const backend = world.call({ replayable: call % 2 === 0 }, gapMs);
    if (backend !== undefined) picked(backend.id);
  }
}

/** Once the time of every ejection and pause is over and nothing is under way, all take calls. */
function expectAvailable(world: World, gapMs: number): void {
  callFor(world, AVAILABLE_AFTER_MS, gapMs);
  world.clock.advanceSync(AVAILABLE_AFTER_MS);
  world.balancer.tryAcquire()?.release();
  const nowMs = world.clock.now();
  expect(world.balancer.backends.filter((backend) => !backend.admits({}, nowMs)).map(({ id }) => id)).toEqual([]);
}

/** Who has had no call after `ms` and then `most` calls more. */
function forgotten(world: World, ids: readonly string[], ms: number, most: number, gapMs: number): string[] {
  const missing = new Set(ids);
  const picked = (id: string): void => void missing.delete(id);
  callFor(world, ms, gapMs, picked);
  for (let call = 0; call < most && missing.size > 0; call++) callFor(world, gapMs, gapMs, picked);
  return [...missing];
}

interface Group {
  readonly ids: readonly string[];
  readonly weights: readonly number[];
}

/** Those that are eligible together, in the order in which their turn comes. */
function byPriority(backends: readonly ScheduledBackend[]): Group[] {
  return [0, 1].map((level) => {
    const own = backends.flatMap(({ priority, weight }, index) =>
      priority === level ? [{ id: `b${index}`, weight }] : [],
    );
    return { ids: own.map(({ id }) => id), weights: own.map(({ weight }) => weight) };
  });
}

const oneByOne = (backends: readonly ScheduledBackend[]): Group[] =>
  byPriority(backends).flatMap(({ ids }) => ids.map((id) => ({ ids: [id], weights: [1] })));

const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);
/** W of the lightest. */
const heaviest = (weights: readonly number[]): number => sum(weights) / Math.min(...weights);
const leftOutRule = (weights: readonly number[]): number => 101 * weights.length;

interface Spreading {
  readonly name: string;
  readonly create: () => Strategy;
  readonly groups: (backends: readonly ScheduledBackend[]) => Group[];
  /** Eligible calls within which each of a group is picked… */
  readonly k: (weights: readonly number[]) => number;
  /** …once this time has passed since it was last picked. */
  readonly leftOutMs: number;
  readonly size: readonly [least: number, most: number];
  readonly numRuns: number;
}

const few = { groups: byPriority, size: [1, FEW], leftOutMs: 0 } as const;
// Beyond what strategies look at in full.
const many = { groups: byPriority, size: [33, 40], numRuns: 50 } as const;
const leftOut = { k: leftOutRule, leftOutMs: 30_000 } as const;
const SPREADING: readonly Spreading[] = [
  { ...few, ...leftOut, name: "peakEwma", create: () => peakEwma(), numRuns: 2_500 },
  { ...many, ...leftOut, name: "peakEwma over many", create: () => peakEwma() },
  { ...few, ...leftOut, name: "leastRequest", create: () => leastRequest(), numRuns: 2_500 },
  { ...many, ...leftOut, name: "leastRequest over many", create: () => leastRequest() },
  {
    ...few,
    name: "roundRobin",
    create: roundRobin,
    k: (weights) => 2 * heaviest(weights) + weights.length,
    numRuns: 2_000,
  },
  {
    ...few,
    name: "reportedLoad",
    create: () => reportedLoad({ blackoutMs: 100, updateMs: 200 }),
    // Backends report 20 to 80 % of load, which divides their weights.
    k: (weights) => 2 * 4 * heaviest(weights) + weights.length,
    numRuns: 1_000,
  },
  { ...few, name: "random", create: random, k: (weights) => 25 * heaviest(weights), numRuns: 2_000 },
  { ...few, name: "first, one after the other", create: first, groups: oneByOne, k: () => 1, numRuns: 1_000 },
];

function expectNobodyForgotten({ create, groups, k, leftOutMs }: Spreading, schedule: Schedule): void {
  const world = afterTrouble(create(), schedule, false);
  expectAvailable(world, schedule.gapMs);
  for (const { ids, weights } of groups(schedule.backends)) {
    if (ids.length === 0) continue;
    expect(forgotten(world, ids, RECOVERY_MS, k(weights), schedule.gapMs), "at first").toEqual([]);
    expect(forgotten(world, ids, leftOutMs, k(weights), schedule.gapMs), "later").toEqual([]);
    // The turn of the next comes.
    for (const id of ids) world.balancer.disable(id);
  }
}

describe.each(SPREADING)("under $name, over $numRuns random schedules", { timeout: 60_000 }, (strategy) => {
  it("each backend that works is available after T, picked within max(T, 30 s) and K eligible calls, and then again", () => {
    const { size, numRuns } = strategy;
    const holds = (schedule: Schedule): void => expectNobodyForgotten(strategy, schedule);
    fc.assert(fc.property(schedules(...size), holds), { seed: FAST_CHECK_SEED, numRuns });
  });
});

interface Hashing {
  readonly name: string;
  readonly create: () => Strategy;
  readonly numRuns: number;
}

const HASHING: readonly Hashing[] = [
  { name: "ringHash", create: () => ringHash(), numRuns: 1_000 },
  { name: "maglev", create: () => maglev({ tableSize: 1_009 }), numRuns: 1_000 },
  { name: "rendezvous", create: () => rendezvous(), numRuns: 1_000 },
];

function places({ balancer }: World, seed: number): string[] {
  return repeat(KEYS, (index) => {
    using lease = balancer.tryAcquire({ hashKey: keyOf(seed, index) });
    return lease?.backend.id ?? "nobody";
  });
}

function expectKeysBack({ create }: Hashing, schedule: Schedule): void {
  const untroubled = new World(create(), schedule.backends, schedule.seed);
  const world = afterTrouble(create(), schedule, true);
  expectAvailable(world, schedule.gapMs);
  callFor(world, RECOVERY_MS, schedule.gapMs);
  expect(places(world, schedule.seed)).toEqual(places(untroubled, schedule.seed));
}

describe.each(HASHING)("under $name, over $numRuns random schedules", { timeout: 60_000 }, (strategy) => {
  it("each backend that works is available after T, and its keys return to it within max(T, 30 s)", () => {
    const holds = (schedule: Schedule): void => expectKeysBack(strategy, schedule);
    fc.assert(fc.property(schedules(1, FEW), holds), { seed: FAST_CHECK_SEED, numRuns: strategy.numRuns });
  });
});
