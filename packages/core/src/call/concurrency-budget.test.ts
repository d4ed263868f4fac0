import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rejection } from "../../test/support/world.ts";
import { concurrencyBudget } from "./concurrency-budget.ts";

const budgetOver = (inFlight: () => number, options = {}) => concurrencyBudget(options).create({ nowMs: 0, inFlight });

describe("a concurrency budget", () => {
  it("allows three at once however little goes on, and a fifth of what does", () => {
    let inFlight = 0;
    const budget = budgetOver(() => inFlight);
    expect([1, 2, 3, 4].map(() => budget.withdraw(0))).toEqual([true, true, true, false]);
    inFlight = 20;
    expect(budget.withdraw(0)).toBe(true);
    expect(budget.withdraw(0)).toBe(false);
    budget.ended();
    expect(budget.available(0)).toBe(1);
  });

  it("never has more out than it allows, in whatever order attempts begin and end", () => {
    const steps = fc.array(fc.oneof(fc.constant("take"), fc.constant("end"), fc.nat(100)), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (schedule) => {
        let inFlight = 0;
        let out = 0;
        const budget = budgetOver(() => inFlight);
        for (const step of schedule) {
          if (typeof step === "number") inFlight = step;
          else if (step === "take") {
            const allowed = Math.max(3, Math.floor(inFlight * 0.2));
            expect(budget.withdraw(0)).toBe(out < allowed);
            if (out < allowed) out++;
          } else if (out > 0) {
            budget.ended();
            out--;
          }
        }
      }),
    );
  });

  it("is taken to task for wrong options, all at once", async () => {
    const error = await rejection((async () => concurrencyBudget({ ratio: 2, minConcurrency: 0.5 }))());
    expect(error).toMatchObject({
      code: "FAIRLEAD_ERR_CONFIG",
      problems: [{ path: "ratio" }, { path: "minConcurrency" }],
    });
  });
});
