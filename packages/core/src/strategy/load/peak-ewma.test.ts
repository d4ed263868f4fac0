import { describe, expect, it } from "vitest";
import { createRandom } from "../../random.ts";
import { DecayScale, PeakEwma } from "./peak-ewma.ts";

const TAU_MS = 10_000;

function ewmaAt(nowMs = 0): { readonly scale: DecayScale; readonly ewma: PeakEwma } {
  const scale = new DecayScale(TAU_MS, nowMs);
  return { scale, ewma: new PeakEwma(scale) };
}

describe("a peak EWMA without history", () => {
  it("is 0, at any time", () => {
    const { ewma } = ewmaAt();
    expect([ewma.read(0), ewma.read(1e6), ewma.scaled]).toEqual([0, 0, 0]);
  });

  it("takes the first sample whole", () => {
    const { ewma } = ewmaAt(5_000);
    ewma.observe(42, 6_000);
    expect(ewma.read(6_000)).toBeCloseTo(42, 9);
  });
});

describe("a peak EWMA with history", () => {
  it("fades: 100 ms, idle for 10 s at τ 10 s, is 36.788 ms", () => {
    const { ewma } = ewmaAt();
    ewma.observe(100, 0);
    expect(ewma.read(10_000)).toBeCloseTo(36.788, 3);
  });

  it("mixes a better sample in: 20 ms, 1 s later, makes 35.190 ms", () => {
    const { ewma } = ewmaAt();
    ewma.observe(100, 0);
    // Finagle's `get` is itself a sample of 0; fading twice by 10 s and 1 s is fading by 11 s.
    ewma.observe(0, 10_000);
    ewma.observe(20, 11_000);
    expect(ewma.read(11_000)).toBeCloseTo(35.19, 3);
  });

  it("jumps to a worse sample at once", () => {
    const { ewma } = ewmaAt();
    ewma.observe(10, 0);
    ewma.observe(500, 1);
    expect(ewma.read(1)).toBeCloseTo(500, 9);
  });

  it("is not moved by a worse one of several samples in the same moment but up", () => {
    const { ewma } = ewmaAt();
    for (const ms of [10, 30, 20]) ewma.observe(ms, 100);
    expect(ewma.read(100)).toBeCloseTo(30, 9);
  });

  it("is not changed by reading", () => {
    const { ewma } = ewmaAt();
    ewma.observe(100, 0);
    const before = ewma.scaled;
    ewma.read(1_000);
    ewma.read(2_000);
    expect(ewma.scaled).toBe(before);
  });

  it("has none after it forgot", () => {
    const { ewma } = ewmaAt();
    ewma.observe(100, 0);
    ewma.forget();
    expect(ewma.read(1)).toBe(0);
    ewma.observe(7, 2);
    expect(ewma.read(2)).toBeCloseTo(7, 9);
  });
});

describe("the scaled values of one scale", () => {
  it("stand in the same proportions as the values themselves", () => {
    const { scale, ewma: a } = ewmaAt();
    const b = new PeakEwma(scale);
    a.observe(100, 0);
    b.observe(20, 7_000);
    expect(a.scaled / b.scaled).toBeCloseTo(a.read(9_000) / b.read(9_000), 9);
  });

  it("go on when the exponent has become too large: no reading differs from the plain formula over an hour", () => {
    const { scale, ewma } = ewmaAt(1_000);
    const other = new PeakEwma(scale);
    const random = createRandom(3);
    let plain = 0;
    let stampMs = Number.NEGATIVE_INFINITY;
    for (let nowMs = 1_000; nowMs < 3_600_000 * 4; nowMs += 1 + random.next() * 60_000) {
      const kept = Math.exp(-(nowMs - stampMs) / TAU_MS);
      const ms = random.next() * 100;
      plain = Math.max(ms, plain * kept + ms * (1 - kept));
      stampMs = nowMs;
      ewma.observe(ms, nowMs);
      other.observe(1, nowMs);
      expect(ewma.read(nowMs + 500) / (plain * Math.exp(-500 / TAU_MS))).toBeCloseTo(1, 6);
      expect(Number.isFinite(ewma.scaled)).toBe(true);
    }
  });

  it("keep their order across a rescaling that another member caused", () => {
    const { scale, ewma: idle } = ewmaAt();
    const busy = new PeakEwma(scale);
    idle.observe(100, 4_990_000);
    busy.observe(50, 5_000_001);
    expect(idle.read(5_000_001)).toBeCloseTo(100 * Math.exp(-10_001 / TAU_MS), 6);
    expect(idle.scaled < busy.scaled).toBe(idle.read(5_000_001) < busy.read(5_000_001));
  });

  it("are left alone once their member is gone", () => {
    const { scale, ewma } = ewmaAt();
    ewma.observe(100, 0);
    ewma.dispose();
    const before = ewma.scaled;
    expect(scale.factorAt(6_000_000)).toBe(1);
    expect(ewma.scaled).toBe(before);
  });
});
