import { describe, expect, it } from "vitest";
import { slowStartFactor, slowStartStepMs } from "./slow-start.ts";

const MINUTE = { windowMs: 60_000, aggression: 1, minWeight: 0.1 };

describe("the factor of slow start", () => {
  it.each([
    { ageMs: 1_000, settings: MINUTE, factor: 0.1 },
    { ageMs: 15_000, settings: MINUTE, factor: 0.25 },
    { ageMs: 15_000, settings: { ...MINUTE, aggression: 2 }, factor: 0.5 },
    { ageMs: 30_000, settings: { ...MINUTE, aggression: 1.5 }, factor: 0.63 },
    // Envoy's own tests.
    { ageMs: 5_000, settings: { ...MINUTE, aggression: 2 }, factor: 0.28 },
    { ageMs: 9_000, settings: { ...MINUTE, windowMs: 10_000, aggression: 1.5 }, factor: 0.93 },
  ])("is $factor after $ageMs ms of $settings", ({ ageMs, settings, factor }) => {
    expect(Math.abs(slowStartFactor(ageMs, settings) - factor)).toBeLessThan(0.01);
  });

  it("is the least at the beginning, and 1 from the end of the window on", () => {
    expect(slowStartFactor(0, MINUTE)).toBe(0.1);
    expect(slowStartFactor(-5, MINUTE)).toBe(0.1);
    expect(slowStartFactor(59_999, MINUTE)).toBeLessThan(1);
    for (const ageMs of [60_000, 1e9, Number.POSITIVE_INFINITY]) expect(slowStartFactor(ageMs, MINUTE)).toBe(1);
  });

  it("never falls", () => {
    for (const aggression of [0.5, 1, 3]) {
      let last = 0;
      for (let ageMs = 0; ageMs <= 60_000; ageMs += 500) {
        const factor = slowStartFactor(ageMs, { ...MINUTE, aggression });
        expect(factor).toBeGreaterThanOrEqual(last);
        last = factor;
      }
    }
  });
});

describe("the steps of slow start", () => {
  it("are twenty to the window", () => {
    expect(slowStartStepMs(MINUTE)).toBe(3_000);
  });
});
