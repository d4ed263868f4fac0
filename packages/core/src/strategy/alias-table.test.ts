import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../random.ts";
import { AliasTable } from "./alias-table.ts";

/** Exact probabilities: the table is piecewise constant, so a fine even grid over [0, 1) measures it. */
function measured(weights: readonly number[], steps: number): number[] {
  const table = new AliasTable(weights);
  const counts = weights.map(() => 0);
  for (let step = 0; step < steps; step++) {
    const index = table.draw({ next: () => (step + 0.5) / steps });
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((count) => count / steps);
}

describe("an alias table", () => {
  it("draws every index in proportion to its weight, for any weights", () => {
    const weight = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 40 }), (weights) => {
        const total = weights.reduce((sum, item) => sum + item, 0);
        // Each of the 2n pieces is off by a step at most.
        const steps = 20_000;
        for (const [index, share] of measured(weights, steps).entries())
          expect(Math.abs(share - (weights[index] ?? 0) / total)).toBeLessThan((2 * weights.length) / steps);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it("draws a single index always", () => {
    expect(measured([7], 100)).toEqual([1]);
  });

  it("uses one random number per draw", () => {
    let draws = 0;
    new AliasTable([1, 2, 3]).draw({ next: () => (draws++, 0.5) });
    expect(draws).toBe(1);
  });

  it("stays within its size at the very end of the random range", () => {
    const table = new AliasTable([3, 1, 1]);
    expect(table.draw({ next: () => 1 - 2 ** -32 })).toBeLessThan(3);
  });

  it("draws 90:10 as 90:10", () => {
    const table = new AliasTable([90, 10]);
    const random = createRandom(1);
    let first = 0;
    for (let i = 0; i < 100_000; i++) if (table.draw(random) === 0) first++;
    expect(Math.abs(first / 100_000 - 0.9)).toBeLessThan(0.005);
  });
});
