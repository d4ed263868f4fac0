import { describe, expect, it } from "vitest";
import { SimulationClock } from "./simulation-clock.ts";

describe("the clock of a run", () => {
  it("goes from moment to moment, and its wall clock with it", () => {
    const clock = new SimulationClock();
    const wallAtStart = clock.wallNow();
    const seen: string[] = [];
    for (const [name, delayMs] of [
      ["b", 20],
      ["a", 10],
      ["c", 20],
    ] as const)
      clock.schedule(delayMs, () => seen.push(`${name}@${clock.now()}`));
    clock.step();
    expect(seen).toEqual(["a@10"]);
    clock.step();
    expect(seen).toEqual(["a@10", "b@20", "c@20"]);
    expect(clock.wallNow() - wallAtStart).toBe(20);
    clock.step();
    expect(clock.now()).toBe(20);
  });

  it("runs within one step what is scheduled for the same moment on the way", () => {
    const clock = new SimulationClock();
    const seen: number[] = [];
    clock.schedule(5, () => clock.schedule(0, () => seen.push(clock.now())));
    clock.step();
    expect(seen).toEqual([5]);
  });

  it("runs no timer that was cancelled, and never goes back for a negative delay", () => {
    const clock = new SimulationClock();
    const seen: number[] = [];
    clock.schedule(1, () => seen.push(1)).cancel();
    clock.schedule(2, () => clock.schedule(-10, () => seen.push(clock.now())));
    clock.step();
    expect(seen).toEqual([2]);
  });

  it("says once that promises may have something to do", () => {
    const clock = new SimulationClock();
    clock.schedule(1, () => {});
    expect(clock.takeTouched()).toBe(false);
    clock.step();
    expect([clock.takeTouched(), clock.takeTouched()]).toEqual([true, false]);
  });

  it("never comes to a timer without end", () => {
    const clock = new SimulationClock();
    clock.schedule(Number.POSITIVE_INFINITY, () => expect.unreachable());
    clock.step();
    expect(clock.now()).toBe(0);
  });
});
