import { createRandom } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import type { ServiceTime } from "./scenario.ts";
import { serviceTimes } from "./service-time.ts";

const DRAWS = 200_000;

function draw(service: ServiceTime): Float64Array {
  const next = serviceTimes(service, createRandom(7));
  return Float64Array.from({ length: DRAWS }, next).sort();
}

function mean(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

describe("service times", () => {
  it.each<ServiceTime>([
    { kind: "exponential", meanMs: 10 },
    { kind: "constant", meanMs: 10 },
    { kind: "lognormal", meanMs: 10 },
    { kind: "lognormal", meanMs: 10, sigma: 0.3 },
    { kind: "bimodal", meanMs: 10, slowShare: 0.05, slowFactor: 20 },
  ])("have the mean they say: $kind", (service) => {
    expect(Math.abs(mean(draw(service)) - 10)).toBeLessThan(0.15);
  });

  it("are exponential: the median is ln 2 of the mean, the 99th percentile ln 100", () => {
    const times = draw({ kind: "exponential", meanMs: 10 });
    expect(times[DRAWS / 2]).toBeCloseTo(10 * Math.LN2, 0);
    expect(Math.abs((times[DRAWS * 0.99] ?? 0) - 10 * Math.log(100))).toBeLessThan(1);
  });

  it("are lognormal: logarithms have the given deviation", () => {
    const logs = draw({ kind: "lognormal", meanMs: 10, sigma: 0.5 }).map(Math.log);
    const middle = mean(logs);
    expect(Math.sqrt(mean(logs.map((log) => (log - middle) ** 2)))).toBeCloseTo(0.5, 2);
  });

  it("are bimodal: the given share takes the given factor longer", () => {
    const times = draw({ kind: "bimodal", meanMs: 10, slowShare: 0.1, slowFactor: 10 });
    const fastMs = times[0] ?? 0;
    expect(new Set(times)).toEqual(new Set([fastMs, fastMs * 10]));
    expect(times.filter((ms) => ms > fastMs).length / DRAWS).toBeCloseTo(0.1, 2);
  });
});
