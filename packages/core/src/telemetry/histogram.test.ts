import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Histogram } from "./histogram.ts";

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

describe("a histogram without records", () => {
  it("has nothing to say", () => {
    const histogram = new Histogram();
    expect([histogram.total, histogram.quantile(0.5), histogram.quantile(1)]).toEqual([0, 0, 0]);
  });
});

describe("a histogram", () => {
  it("gives every quantile from above, and no more than an eighth too high", () => {
    const latency = fc.double({ min: 0, max: 3_600_000, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? 0;
          const quantile = histogramOf(values).quantile(share);
          expect(quantile).toBeGreaterThanOrEqual(exact);
          expect(quantile).toBeLessThanOrEqual(exact * 1.125 + 1 / 128);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  it("counts everything it is given, once", () => {
    const histogram = histogramOf([0, 1, 1, 1e12]);
    expect(histogram.total).toBe(4);
    expect(histogram.quantile(0.75)).toBeLessThan(1.2);
  });

  it("puts what is beyond its range into its last bucket, and what is below into its first", () => {
    expect(histogramOf([1e12, Number.POSITIVE_INFINITY]).quantile(1)).toBeGreaterThan(3_600_000);
    expect(histogramOf([1e12]).quantile(1)).toBe(histogramOf([Number.POSITIVE_INFINITY]).quantile(0.1));
    expect(histogramOf([-5, Number.NaN]).quantile(1)).toBeLessThan(0.01);
  });

  it("has larger values in no smaller bucket", () => {
    let last = 0;
    for (let ms = 0.001; ms < 5_000_000; ms *= 1.01) {
      const quantile = histogramOf([ms]).quantile(1);
      expect(quantile).toBeGreaterThanOrEqual(last);
      last = quantile;
    }
  });
});
