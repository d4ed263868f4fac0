import fc from "fast-check";
import { expect, it } from "vitest";
import { DueTimes } from "./due-times.ts";

const TICK_MS = 4;

it("gives everything once, tick by tick, whatever was added and taken before", () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ takeAt: fc.integer({ min: 0, max: 60 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const due = new DueTimes<{ readonly dueMs: number }>(TICK_MS);
      /** Not taken yet, the earliest first. */
      let naive: number[] = [];
      const tickOf = (dueMs: number): number => Math.ceil(dueMs / TICK_MS);
      for (const one of steps) {
        if ("add" in one) {
          due.add({ dueMs: one.add });
          naive = [...naive, one.add].sort((a, b) => a - b);
        } else {
          const first = tickOf(naive[0] ?? Number.POSITIVE_INFINITY);
          const taken = due.take(one.takeAt)?.dueMs;
          if (first * TICK_MS > one.takeAt) expect(taken).toBeUndefined();
          else {
            expect(tickOf(taken ?? -1)).toBe(first);
            naive.splice(naive.indexOf(taken ?? -1), 1);
          }
        }
        expect(due.nextMs).toBe(tickOf(naive[0] ?? Number.POSITIVE_INFINITY) * TICK_MS);
      }
    }),
  );
});
