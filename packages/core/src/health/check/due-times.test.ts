import fc from "fast-check";
import { expect, it } from "vitest";
import { DueTimes } from "./due-times.ts";

it("gives what is due, the earliest first, whatever was added and taken before", () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ takeAt: fc.integer({ min: 0, max: 50 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const due = new DueTimes<{ readonly dueMs: number }>();
      let naive: number[] = [];
      for (const one of steps) {
        if ("add" in one) {
          due.add({ dueMs: one.add });
          naive = [...naive, one.add].sort((a, b) => a - b);
        } else {
          const [first] = naive;
          const expected = first !== undefined && first <= one.takeAt ? naive.shift() : undefined;
          expect(due.take(one.takeAt)?.dueMs).toBe(expected);
        }
        expect(due.first?.dueMs).toBe(naive[0]);
      }
    }),
  );
});
