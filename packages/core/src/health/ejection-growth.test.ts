import { describe, expect, it } from "vitest";
import { scripted } from "../../test/fakes.ts";
import { SETTINGS, Subject } from "../../test/support/ejection.ts";
import { createRandom } from "../random.ts";
import { DEFAULT_EJECTION, type EjectionSettings } from "./ejection-settings.ts";

describe("the time of an ejection", () => {
  it("doubles with every failed probe, up to the maximum", () => {
    const subject = new Subject();
    const times = [subject.eject(0), ...Array.from({ length: 8 }, () => subject.failProbe())];
    expect(times).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
  });

  it("varies by the jitter, up and down", () => {
    expect(new Subject({ jitter: 0.2 }, scripted(0)).eject(0)).toBeCloseTo(4_000, 6);
    expect(new Subject({ jitter: 0.2 }, scripted(1)).eject(0)).toBeCloseTo(6_000, 6);
    const random = createRandom(1);
    const times = Array.from({ length: 1_000 }, () => new Subject({ jitter: 0.2 }, random).eject(0));
    expect(Math.min(...times)).toBeLessThan(4_050);
    expect(Math.max(...times)).toBeGreaterThan(5_950);
  });

  it("never exceeds the maximum, jitter included", () => {
    const subject = new Subject({ jitter: 0.5, maxMs: 20_000 }, scripted(0.999));
    const times = [subject.eject(0), ...Array.from({ length: 40 }, () => subject.failProbe())];
    expect(Math.max(...times)).toBe(20_000);
  });

  it("grows on if the backend comes back and fails again within 10 s", () => {
    const subject = new Subject();
    subject.eject(0);
    expect(subject.eject(subject.comeBack() + 9_999)).toBe(10_000);
  });

  it("forgives one doubling for every 10 s that it stays in", () => {
    const subject = new Subject();
    subject.eject(0);
    for (let count = 0; count < 3; count++) subject.failProbe();
    // The next one would be 80 s.
    expect(subject.eject(subject.comeBack() + 20_000)).toBe(20_000);
  });

  it("forgives no more than there is", () => {
    const subject = new Subject();
    subject.eject(0);
    expect(subject.eject(subject.comeBack() + 3_600_000)).toBe(5_000);
  });
});

/** The times of so many ejections, each after a test that failed. */
const ejections = (settings: Partial<EjectionSettings>, count: number): number[] => {
  const subject = new Subject(settings);
  return [subject.eject(0), ...Array.from({ length: count - 1 }, () => subject.failProbe())];
};

describe("growth", () => {
  it("exponential: base · 2ⁿ⁻¹, as the default", () => {
    expect(ejections({ growth: "exponential" }, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(DEFAULT_EJECTION.growth).toBe("exponential");
  });

  it("linear: base · n, as in Envoy", () => {
    expect(ejections({ growth: "linear", maxMs: 22_000 }, 6)).toEqual([5_000, 10_000, 15_000, 20_000, 22_000, 22_000]);
  });

  it("fixed: always base, and nothing to forgive afterwards", () => {
    expect(ejections({ growth: "fixed", baseMs: 60_000 }, 4)).toEqual([60_000, 60_000, 60_000, 60_000]);
    const subject = new Subject({ growth: "fixed" });
    subject.eject(0);
    for (let round = 0; round < 20; round++) subject.failProbe();
    // Had there been growth, it would show now.
    const nowMs = subject.comeBack();
    expect(subject.ejection.eject(nowMs, SETTINGS, "again") - nowMs).toBe(5_000);
  });

  it("ends where the maximum is reached, so that one interval in play shortens the next ejection", () => {
    const subject = new Subject({ maxMs: 20_000 });
    subject.eject(0);
    for (let count = 0; count < 50; count++) subject.failProbe();
    expect(subject.eject(subject.comeBack() + 10_000)).toBe(10_000);
  });

  it("is forgiven step by step, per interval in play", () => {
    const subject = new Subject({ intervalMs: 2_000, growth: "linear" });
    subject.eject(0);
    for (let count = 0; count < 4; count++) subject.failProbe();
    // The sixth would be 30 s; four intervals have passed.
    expect(subject.eject(subject.comeBack() + 8_999)).toBe(10_000);
  });
});
