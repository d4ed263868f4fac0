import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failback } from "./failback.ts";

const STABLE_MS = 1_000;
const PRIORITIES = [0, 1, 2];

/** What is credited at each step, and when to look again. */
function follow(steps: readonly (readonly [nowMs: number, available: readonly number[], others?: number])[]) {
  const failback = new Failback();
  return steps.map(([nowMs, available, others = 0]) => {
    let lookAtMs = Number.POSITIVE_INFINITY;
    const hold = failback.holdAt(PRIORITIES, nowMs, STABLE_MS, (atMs) => (lookAtMs = Math.min(lookAtMs, atMs)));
    return { credited: hold(available, others), lookAtMs };
  });
}

const credited = (...steps: Parameters<typeof follow>[0]): (readonly number[])[] =>
  follow(steps).map((step) => step.credited);

describe("a priority that is better again", () => {
  it("counts as it is at first sight", () => {
    expect(credited([0, [35, 100]])).toEqual([[35, 100]]);
  });

  it("is credited after having been so for the whole time, not before, and is looked at then", () => {
    const steps = follow([
      [0, [0, 100]],
      [500, [100, 100]],
      [1_499, [100, 100]],
      [1_500, [100, 100]],
    ]);
    expect(steps.map((step) => step.credited)).toEqual([
      [0, 100],
      [0, 100],
      [0, 100],
      [100, 100],
    ]);
    expect(steps.map(({ lookAtMs }) => lookAtMs)).toEqual([Infinity, 1_500, 1_500, Infinity]);
  });

  it("starts anew if it falls back in between", () => {
    expect(credited([0, [0, 100]], [100, [100, 100]], [600, [0, 100]], [700, [100, 100]], [1_600, [100, 100]])).toEqual(
      [
        [0, 100],
        [0, 100],
        [0, 100],
        [0, 100],
        [0, 100],
      ],
    );
  });

  it("is credited with what it was all the time, and with more after that much longer", () => {
    const steps = [
      [0, [0, 100]],
      [100, [70, 100]],
      [600, [100, 100]],
      [1_100, [100, 100]],
      [2_100, [100, 100]],
    ] as const;
    expect(credited(...steps).map(([first]) => first)).toEqual([0, 0, 0, 70, 100]);
  });

  it("is credited at once when the others can no longer take all calls", () => {
    expect(credited([0, [0, 100]], [100, [100, 100]], [200, [100, 60]])).toEqual([
      [0, 100],
      [0, 100],
      [100, 60],
    ]);
    expect(credited([0, [0, 60], 40], [100, [100, 60], 40], [200, [100, 60], 0])).toEqual([
      [0, 60],
      [0, 60],
      [100, 60],
    ]);
  });
});

describe("a priority that comes in between", () => {
  it("leaves the others what they are credited with", () => {
    const failback = new Failback();
    failback.holdAt([0, 2], 0, STABLE_MS, () => {})([0, 100], 0);
    failback.holdAt([0, 2], 100, STABLE_MS, () => {})([100, 100], 0);
    expect(failback.holdAt([0, 1, 2], 200, STABLE_MS, () => {})([100, 50, 100], 0)).toEqual([0, 50, 100]);
  });
});

describe("a priority that is worse", () => {
  it("is so at once", () => {
    expect(credited([0, [100, 100]], [1, [35, 100]])).toEqual([
      [100, 100],
      [35, 100],
    ]);
  });
});

describe("what is credited", () => {
  it("is never more than there is, and all there is once nothing has changed for the time", () => {
    const step = fc.tuple(
      fc.integer({ min: 0, max: 1_500 }),
      fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 3, maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const failback = new Failback();
        let nowMs = 0;
        let available: readonly number[] = [];
        for (const [delayMs, now] of steps) {
          nowMs += delayMs;
          available = now;
          const credits = failback.holdAt(PRIORITIES, nowMs, STABLE_MS, () => {})(available, 0);
          for (const [index, credit] of credits.entries()) expect(credit).toBeLessThanOrEqual(available[index] ?? 0);
        }
        for (let round = 0; round < 3; round++) {
          nowMs += STABLE_MS;
          failback.holdAt(PRIORITIES, nowMs, STABLE_MS, () => {})(available, 0);
        }
        expect(failback.holdAt(PRIORITIES, nowMs, STABLE_MS, () => {})(available, 0)).toEqual(available);
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });
});
