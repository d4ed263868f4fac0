import { describe, expect, it } from "vitest";
import type { CallRecord } from "../messages.ts";
import { Quantiles } from "./quantiles.ts";
import { disturbedMs } from "./recovery.ts";

/** A call every 10 ms, each of 5 ms but for those named. */
function calls(count: number, others: Record<number, Partial<CallRecord>> = {}): CallRecord[] {
  return Array.from({ length: count }, (_, i) => ({ atMs: i * 10, ms: 5, failed: false, ...others[i] }));
}

describe("the time for which calls are disturbed", () => {
  it("is nothing where no call was", () => {
    expect(disturbedMs(calls(100), 200, 50, 10)).toBe(0);
  });

  it("ends with the last failed or slow call", () => {
    const records = calls(100, { 21: { failed: true }, 25: { ms: 60 }, 26: { ms: 49 } });
    expect(disturbedMs(records, 200, 50, 10)).toBe(250 + 60 - 200);
  });

  it("counts calls that were under way when the fault came", () => {
    expect(disturbedMs(calls(100, { 19: { ms: 70 } }), 200, 50, 10)).toBe(190 + 70 - 200);
  });

  it("does not count what comes after a quiet time", () => {
    expect(disturbedMs(calls(100, { 21: { failed: true }, 60: { failed: true } }), 200, 50, 10)).toBe(210 + 5 - 200);
  });

  it("is not over while calls are disturbed, or before enough good ones", () => {
    expect(disturbedMs(calls(30, { 25: { failed: true } }), 200, 50, 10)).toBeUndefined();
  });
});

describe("quantiles", () => {
  it("are numbers that came in", () => {
    const quantiles = new Quantiles();
    expect(quantiles.at(0.5)).toBe(0);
    for (const value of [4, 1, 3, 2]) quantiles.add(value);
    expect([0, 0.25, 0.5, 0.75, 0.76, 1].map((share) => quantiles.at(share))).toEqual([1, 1, 2, 3, 4, 4]);
  });
});
