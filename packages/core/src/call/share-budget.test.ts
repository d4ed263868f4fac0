import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShareBudget } from "./share-budget.ts";

const withdrawAll = (budget: ShareBudget, nowMs: number): number => {
  let count = 0;
  while (count < 10_000 && budget.withdraw(nowMs)) count++;
  return count;
};

describe("a budget without calls", () => {
  it("grants its burst, then its floor", () => {
    const budget = new ShareBudget({ ratio: 0.2, minPerSecond: 1, burst: 10 }, 0);
    expect(withdrawAll(budget, 0)).toBe(10);
    expect(budget.withdraw(999)).toBe(false);
    expect(budget.withdraw(1_000)).toBe(true);
    expect(withdrawAll(budget, 4_000)).toBe(3);
  });

  it("saves up no more than its burst", () => {
    const budget = new ShareBudget({ ratio: 0.2, minPerSecond: 1, burst: 3 }, 0);
    expect(withdrawAll(budget, 3_600_000)).toBe(3);
  });

  it("grants nothing without floor and burst", () => {
    const budget = new ShareBudget({ ratio: 1, minPerSecond: 0, burst: 0 }, 0);
    expect(withdrawAll(budget, 60_000)).toBe(0);
  });
});

describe("a budget with calls", () => {
  const earning = { ratio: 0.2, minPerSecond: 0, burst: 0 };

  it("grants their share, and no more", () => {
    const budget = new ShareBudget(earning, 0);
    for (let call = 0; call < 50; call++) budget.deposit(0);
    expect(withdrawAll(budget, 0)).toBe(10);
    for (let call = 0; call < 4; call++) budget.deposit(1);
    expect(budget.withdraw(1)).toBe(false);
    budget.deposit(1);
    expect(budget.withdraw(1)).toBe(true);
  });

  it("forgets them within 10 s", () => {
    const budget = new ShareBudget(earning, 0);
    for (let call = 0; call < 50; call++) budget.deposit(500);
    expect(budget.available(9_999)).toBe(10);
    expect(withdrawAll(budget, 10_500)).toBe(0);
  });

  it("may grant more than one attempt per call", () => {
    const budget = new ShareBudget({ ratio: 2, minPerSecond: 0, burst: 0 }, 0);
    budget.deposit(0);
    expect(withdrawAll(budget, 0)).toBe(2);
  });

  it("says what could be taken, without taking it", () => {
    const budget = new ShareBudget({ ratio: 0.2, minPerSecond: 1, burst: 10 }, 0);
    for (let call = 0; call < 50; call++) budget.deposit(0);
    expect([budget.available(0), budget.available(0)]).toEqual([20, 20]);
    expect(withdrawAll(budget, 0)).toBe(20);
    expect(budget.available(0)).toBe(0);
  });
});

describe("a budget that is changed", () => {
  it("keeps its history", () => {
    const budget = new ShareBudget({ ratio: 0.2, minPerSecond: 0, burst: 10 }, 0);
    for (let call = 0; call < 50; call++) budget.deposit(0);
    expect(withdrawAll(budget, 0)).toBe(20);
    budget.configure({ ratio: 0.5, minPerSecond: 0, burst: 10 });
    // 25 in all, 10 of which are taken; the burst is gone.
    expect(withdrawAll(budget, 0)).toBe(15);
  });

  it("gives up what it saved above a smaller burst", () => {
    const budget = new ShareBudget({ ratio: 0, minPerSecond: 0, burst: 10 }, 0);
    budget.configure({ ratio: 0, minPerSecond: 0, burst: 2 });
    expect(withdrawAll(budget, 0)).toBe(2);
  });
});

describe("a budget that is given back to", () => {
  it("grants the same again", () => {
    const budget = new ShareBudget({ ratio: 0.2, minPerSecond: 0, burst: 2 }, 0);
    for (let call = 0; call < 10; call++) budget.deposit(0);
    expect(withdrawAll(budget, 0)).toBe(4);
    for (let count = 0; count < 3; count++) budget.giveBack(0);
    expect(withdrawAll(budget, 0)).toBe(3);
  });

  it("does not grow above its burst", () => {
    const budget = new ShareBudget({ ratio: 0, minPerSecond: 0, burst: 2 }, 0);
    budget.giveBack(0);
    expect(withdrawAll(budget, 0)).toBe(2);
  });
});

describe("any budget", () => {
  it("grants in any span at most ratio · (calls in it and the 10 s before) + floor · seconds + burst", () => {
    const settings = fc.record({
      ratio: fc.constantFrom(0, 0.1, 0.2, 1, 2),
      minPerSecond: fc.constantFrom(0, 0.5, 1, 7),
      burst: fc.constantFrom(0, 1, 10),
    });
    const oneStep = fc.record({ waitMs: fc.nat(4_000), calls: fc.nat(30), wanted: fc.nat(60), back: fc.nat(5) });
    const steps = fc.array(oneStep, { maxLength: 60 });
    fc.assert(
      fc.property(settings, steps, fc.nat(5_000), (options, plan, startMs) => {
        const budget = new ShareBudget(options, startMs);
        const calls: number[] = [];
        const extra: number[] = [];
        let nowMs = startMs;
        let takenLast = 0;
        for (const step of plan) {
          // Some of what was taken in the last step, a while ago, is not used after all.
          const unused = Math.min(step.back, takenLast);
          nowMs += step.waitMs;
          for (let count = 0; count < unused; count++) budget.giveBack(nowMs);
          extra.length -= unused;
          const before = extra.length;
          for (let count = 0; count < step.calls; count++, calls.push(nowMs)) budget.deposit(nowMs);
          for (let count = 0; count < step.wanted; count++) if (budget.withdraw(nowMs)) extra.push(nowMs);
          takenLast = extra.length - before;
        }
        for (const from of new Set(extra))
          for (const to of new Set(extra)) {
            const inSpan = extra.filter((atMs) => atMs >= from && atMs <= to).length;
            const paying = calls.filter((atMs) => atMs >= from - 10_000 && atMs <= to).length;
            const seconds = Math.max(0, to - from) / 1_000;
            const bound = options.ratio * paying + options.minPerSecond * seconds + options.burst;
            expect(inSpan).toBeLessThanOrEqual(bound + 1e-6);
          }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
