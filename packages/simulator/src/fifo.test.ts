import fc from "fast-check";
import { expect, it } from "vitest";
import { Fifo } from "./fifo.ts";

it("gives back what it took in the same order, as an array would", () => {
  const steps = fc.array(fc.oneof(fc.constant("shift" as const), fc.constant("clear" as const), fc.nat(9)), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, (plan) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const step of plan) {
        if (step === "shift") expect(fifo.shift()).toBe(model.shift());
        else if (step === "clear") expect(fifo.clear()).toEqual(model.splice(0));
        else {
          fifo.push(step);
          model.push(step);
        }
        expect(fifo.size).toBe(model.length);
      }
    }),
  );
});
