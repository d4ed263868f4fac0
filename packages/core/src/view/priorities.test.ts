import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PriorityCounts, type PriorityLoads, priorityLoads } from "./priorities.ts";

const level = (healthy: number, degraded: number, total: number): PriorityCounts => ({ healthy, degraded, total });
const DEFAULT_PANIC = 50;

const loadsOf = (counts: readonly PriorityCounts[], panicThreshold: number): PriorityLoads =>
  priorityLoads(counts, { overprovisioning: 1.4, panicThreshold });

describe("the loads of priorities", () => {
  it("are Envoy's for health 10, 20, 10 and degraded health 20, 10, 0", () => {
    // 140 · 1 / 14 = 10, 140 · 2 / 14 = 20; panic would set all of it aside.
    const counts = [level(1, 2, 14), level(2, 1, 14), level(1, 0, 14)];
    expect(loadsOf(counts, 0)).toEqual({
      healthy: [16, 28, 14],
      degraded: [28, 14, 0],
      panic: [false, false, false],
    });
  });

  it.each<[string, readonly PriorityCounts[], readonly number[], readonly number[]]>([
    ["one that is healthy", [level(3, 0, 3)], [100], [0]],
    ["the first, while it is healthy", [level(3, 0, 3), level(3, 0, 3)], [100, 0], [0, 0]],
    ["the first alone down to 72 % healthy", [level(72, 0, 100), level(5, 0, 5)], [100, 0], [0, 0]],
    ["the second as well from 71 %", [level(71, 0, 100), level(5, 0, 5)], [99, 1], [0, 0]],
    ["half and more of the second at a quarter healthy", [level(25, 0, 100), level(5, 0, 5)], [35, 65], [0, 0]],
    ["the second alone when the first has nobody healthy", [level(0, 0, 4), level(5, 0, 5)], [0, 100], [0, 0]],
    ["the third after two", [level(1, 0, 4), level(1, 0, 4), level(9, 0, 9)], [35, 35, 30], [0, 0, 0]],
    ["degraded ones where healthy do not suffice", [level(1, 3, 4)], [35], [65]],
    ["degraded ones last, after healthy ones of all priorities", [level(0, 4, 4), level(2, 0, 4)], [0, 70], [30, 0]],
    ["degraded ones alone if there is nothing else", [level(0, 4, 4)], [0], [100]],
    ["an empty priority not at all", [level(0, 0, 0), level(2, 0, 2)], [0, 100], [0, 0]],
  ])("give calls to %s", (_, counts, healthy, degraded) => {
    const loads = loadsOf(counts, DEFAULT_PANIC);
    expect([loads.healthy, loads.degraded]).toEqual([healthy, degraded]);
  });

  it("grow in proportion where health does not add up to 100", () => {
    // 140 · 1 / 4 = 35 and 140 · 1 / 7 = 20, of 55: 63 and 36, and what rounding leaves goes to the first.
    expect(loadsOf([level(1, 0, 4), level(1, 0, 7)], 0).healthy).toEqual([64, 36]);
  });
});

describe("panic", () => {
  it("begins below the threshold, not at it, when everything healthy does not suffice", () => {
    expect(loadsOf([level(35, 0, 100)], 35).panic).toEqual([false]);
    expect(loadsOf([level(34, 0, 100)], 35).panic).toEqual([true]);
  });

  it("counts degraded ones as alive", () => {
    expect(loadsOf([level(1, 1, 4)], DEFAULT_PANIC).panic).toEqual([false]);
    expect(loadsOf([level(1, 0, 4)], DEFAULT_PANIC).panic).toEqual([true]);
  });

  it("does not begin while another priority can take the load", () => {
    expect(loadsOf([level(0, 0, 4), level(3, 0, 4)], DEFAULT_PANIC).panic).toEqual([false, false]);
  });

  it("concerns one priority alone if the other is above the threshold", () => {
    const loads = loadsOf([level(0, 0, 4), level(2, 0, 4)], DEFAULT_PANIC);
    expect(loads.panic).toEqual([true, false]);
    expect(loads.healthy).toEqual([0, 100]);
  });

  it("of all divides calls by the number of backends, the rest to the first", () => {
    const loads = loadsOf([level(0, 0, 0), level(0, 0, 1), level(0, 0, 2)], DEFAULT_PANIC);
    expect(loads).toEqual({ healthy: [0, 34, 66], degraded: [0, 0, 0], panic: [false, true, true] });
  });

  it("of the only priority gives everything to it", () => {
    expect(loadsOf([level(0, 0, 3)], DEFAULT_PANIC).healthy).toEqual([100]);
  });

  it("never is with a threshold of 0: then there is no load at all", () => {
    expect(loadsOf([level(0, 0, 3)], 0)).toEqual({ healthy: [0], degraded: [0], panic: [false] });
  });
});

describe("the loads of any priorities", () => {
  const counts = fc
    .record({ healthy: fc.nat(20), degraded: fc.nat(20), failed: fc.nat(20) })
    .map(({ healthy, degraded, failed }) => level(healthy, degraded, healthy + degraded + failed));

  it("are whole, not negative, sum to 100 if there is anybody to take them, and go to nobody who has none", () => {
    fc.assert(
      fc.property(fc.array(counts, { minLength: 1, maxLength: 6 }), fc.nat(100), (levels, threshold) => {
        const { healthy, degraded, panic } = loadsOf(levels, threshold);
        const all = [...healthy, ...degraded];
        for (const load of all) expect(Number.isInteger(load) && load >= 0).toBe(true);
        const takers = levels.some((item, index) => item.healthy + item.degraded > 0 || panic[index] === true);
        expect(all.reduce((sum, load) => sum + load, 0)).toBe(takers ? 100 : 0);
        for (const [index, item] of levels.entries()) {
          if (panic[index] === true) continue;
          if (item.healthy === 0) expect(healthy[index]).toBe(0);
          if (item.degraded === 0) expect(degraded[index]).toBe(0);
        }
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });
});
