import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../random.ts";
import { Portion, WHOLE } from "./portion.ts";
import { Turns } from "./turns.ts";

const parts = fc.integer({ min: 0, max: WHOLE });

/** Positive whole numbers that add up to `WHOLE`. */
const shares = fc
  .uniqueArray(fc.integer({ min: 1, max: WHOLE - 1 }), { minLength: 1, maxLength: 8 })
  .map((cuts) => [0, ...cuts.sort((a, b) => a - b), WHOLE])
  .map((cuts) => cuts.slice(1).map((cut, index) => cut - (cuts[index] ?? 0)));

describe("a portion", () => {
  it("says yes to its share of any number of calls, to less than one of them", () => {
    fc.assert(
      fc.property(parts, fc.integer(), fc.integer({ min: 1, max: 3_000 }), (share, seed, calls) => {
        const portion = new Portion(share, createRandom(seed));
        let yes = 0;
        let furthest = 0;
        for (let call = 1; call <= calls; call++) {
          if (portion.next()) yes++;
          furthest = Math.max(furthest, Math.abs(yes * WHOLE - call * share));
        }
        expect(furthest).toBeLessThan(WHOLE);
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  it("says yes exactly so often in every ten thousand", () => {
    for (const share of [0, 1, 3_333, 9_999, WHOLE]) {
      const portion = new Portion(share, createRandom(9));
      let yes = 0;
      for (let call = 0; call < 3 * WHOLE; call++) if (portion.next()) yes++;
      expect(yes).toBe(3 * share);
    }
  });

  it("gives every call the same chance, whatever pattern calls come in", () => {
    for (const [share, period] of [
      [5_000, 2],
      [1_000, 10],
      [3_000, 10],
      [7_500, 4],
    ] as const) {
      const portion = new Portion(share, createRandom(17));
      const yes = Array.from({ length: period }, () => 0);
      const rounds = 20_000;
      for (let call = 0; call < rounds * period; call++) if (portion.next()) yes[call % period]!++;
      const deviation = 5 * Math.sqrt((share / WHOLE) * (1 - share / WHOLE) * rounds);
      for (const count of yes) expect(Math.abs(count - (share / WHOLE) * rounds)).toBeLessThan(deviation);
    }
  });
});

describe("turns", () => {
  it("are dealt by shares, after any number of them to less than one", () => {
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 3_000 }), (of, calls) => {
        const turns = new Turns(of);
        const dealt = of.map(() => 0);
        let furthest = 0;
        for (let call = 1; call <= calls; call++) {
          dealt[turns.next()]!++;
          for (const [index, share] of of.entries())
            furthest = Math.max(furthest, Math.abs(dealt[index]! * WHOLE - call * share));
        }
        expect(furthest).toBeLessThanOrEqual((1 - 1 / (2 * of.length - 2)) * WHOLE);
      }),
      { seed: 8, numRuns: 200 },
    );
  });
});
