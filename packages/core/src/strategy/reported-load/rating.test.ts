import { describe, expect, it } from "vitest";
import type { LoadReport } from "../../call/outcome.ts";
import { Rating, reportedWeight } from "./rating.ts";

const OPTIONS = { blackoutMs: 10_000, expiryMs: 180_000, errorPenalty: 1, metrics: ["queue", "constructor"] };
const GOOD: LoadReport = { requestsPerSecond: 100, cpuUtilization: 0.5 };

describe("the weight of a report", () => {
  it.each([
    // gRFC A58: qps ÷ (utilization + eps ÷ qps × penalty).
    [GOOD, 200],
    [{ ...GOOD, errorsPerSecond: 50 }, 100],
    [{ ...GOOD, applicationUtilization: 0.8 }, 125],
    [{ ...GOOD, applicationUtilization: 0 }, 200],
    [{ ...GOOD, applicationUtilization: 0.8, namedUtilization: { queue: 2, other: 9 } }, 50],
    [{ ...GOOD, namedUtilization: { queue: 0, other: 9 } }, 200],
    [{ cpuUtilization: 0.5 }, 0],
    [{ requestsPerSecond: 100 }, 0],
    [{ requestsPerSecond: 0, cpuUtilization: 0.5 }, 0],
    [{}, 0],
  ] satisfies [LoadReport, number][])("%j is %d", (load, expected) => {
    expect(reportedWeight(load, OPTIONS)).toBeCloseTo(expected, 9);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 1e300])("takes %d for nothing, wherever it stands", (value) => {
    expect(reportedWeight({ ...GOOD, requestsPerSecond: value }, OPTIONS)).toBe(0);
    expect(reportedWeight({ requestsPerSecond: 1, cpuUtilization: value }, OPTIONS)).toBe(0);
  });

  it("multiplies the share of errors by the penalty", () => {
    expect(reportedWeight({ ...GOOD, errorsPerSecond: 50 }, { ...OPTIONS, errorPenalty: 0 })).toBe(200);
    expect(reportedWeight({ ...GOOD, errorsPerSecond: 50 }, { ...OPTIONS, errorPenalty: 3 })).toBe(50);
  });
});

describe("a rating", () => {
  it("counts once there have been reports for the blackout", () => {
    const rating = new Rating(OPTIONS);
    expect(rating.update({ load: GOOD, atMs: 1_000 }, 1_000)).toBe(0);
    expect(rating.update({ load: GOOD, atMs: 10_900 }, 10_999)).toBe(0);
    expect(rating.update({ load: GOOD, atMs: 10_900 }, 11_000)).toBe(200);
  });

  it("expires, and then begins with the blackout again", () => {
    const rating = new Rating(OPTIONS);
    const last = { load: GOOD, atMs: 20_000 };
    rating.update({ load: GOOD, atMs: 1_000 }, 1_000);
    expect(rating.update(last, 199_999)).toBe(200);
    expect(rating.update(last, 200_000)).toBe(0);
    expect(rating.update({ load: GOOD, atMs: 201_000 }, 201_000)).toBe(0);
    expect(rating.update({ load: GOOD, atMs: 205_000 }, 211_000)).toBe(200);
  });

  it("keeps the last weight through reports that give none, for as long as it lasts", () => {
    const rating = new Rating({ ...OPTIONS, blackoutMs: 0 });
    expect(rating.update({ load: GOOD, atMs: 0 }, 0)).toBe(200);
    const idle = { requestsPerSecond: 0, cpuUtilization: 0 };
    expect(rating.update({ load: idle, atMs: 100_000 }, 100_000)).toBe(200);
    expect(rating.update({ load: idle, atMs: 180_000 }, 180_000)).toBe(0);
  });
});
