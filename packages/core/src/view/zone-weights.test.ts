import { describe, expect, it } from "vitest";
import { zoneWeights } from "./zone-weights.ts";

const shares = (availableInX: number, options?: { overprovisioning?: number }): number[] => [
  ...(zoneWeights({ x: 1, y: 2 }, options).shares([
    { zone: "x", available: availableInX, total: 100 },
    { zone: "y", available: 100, total: 100 },
  ]) ?? []),
];

describe("zone weights", () => {
  // Envoy, docs "Locality weighted load balancing": X has weight 1, Y weight 2 and is healthy.
  it.each([
    [100, 33],
    [70, 33],
    [69, 33],
    [50, 26],
    [25, 15],
    [0, 0],
  ])("give X %d %% available %d %% of the calls", (available, percent) => {
    const [x = 0, y = 0] = shares(available);
    expect(Math.round(x * 100)).toBe(percent);
    expect(x + y).toBeCloseTo(1, 12);
  });

  it("spill as soon as anybody fails with an overprovisioning of 1", () => {
    expect(shares(50, { overprovisioning: 1 })[0]).toBeCloseTo(0.2, 12);
  });

  it("leave out who has no weight while those with one can serve, and mean nothing when they can't", () => {
    const policy = zoneWeights({ x: 1 });
    const others = ["constructor", undefined].map((zone) => ({ zone, available: 4, total: 4 }));
    expect(policy.shares([{ zone: "x", available: 1, total: 4 }, ...others])).toEqual([1, 0, 0]);
    expect(policy.shares([{ zone: "x", available: 0, total: 4 }, ...others])).toBeUndefined();
  });

  it.each([[{}], [{ x: 0 }], [{ x: -1 }], [{ x: Number.NaN }], [{ x: "1" }], [undefined], [[1]]])(
    "refuse %j",
    (weights) => {
      expect(() => zoneWeights(weights as unknown as Record<string, number>)).toThrow("an object of numbers > 0");
    },
  );
});
