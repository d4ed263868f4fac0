// The gate on fairlead's defaults: a change of them, or of what they do, must pass here.
import { roundRobin } from "@fairlead/core";
import { beforeAll, describe, expect, it } from "vitest";
import { compare, type Mode, type Policy, type SimulationResult } from "../src/index.ts";
import { shipped } from "./shipped.ts";

const SEEDS = [1, 2, 3, 4, 5];
const LIMIT_MS = 120_000;

async function medians(name: string, mode: Mode, policy: Policy = () => ({})): Promise<SimulationResult> {
  const [result] = await compare({ scenarios: [shipped(name)], policies: { policy }, seeds: SEEDS, mode });
  if (result === undefined) throw new Error("compare gave no result");
  return result;
}

describe("the defaults, 20 clients, 10 backends, 70 % load, one attempt per call", () => {
  let homogeneous: SimulationResult;

  beforeAll(async () => {
    homogeneous = await medians("homogeneous", "pick");
  }, LIMIT_MS);

  it("serve everybody alike: 10 ± 0.5 % for each of ten equal backends", () => {
    expect(homogeneous.errors).toBe(0);
    expect(homogeneous.backends).toHaveLength(10);
    for (const { sharePercent } of homogeneous.backends) expect(Math.abs(sharePercent - 10)).toBeLessThanOrEqual(0.5);
  });

  it(
    "are no worse than taking turns where all are alike",
    async () => {
      const turns = await medians("homogeneous", "pick", () => ({ strategy: roundRobin() }));
      expect(homogeneous.p50Ms).toBeLessThanOrEqual(1.03 * turns.p50Ms);
      expect(homogeneous.p99Ms).toBeLessThanOrEqual(1.03 * turns.p99Ms);
    },
    LIMIT_MS,
  );

  it(
    "keep one slow backend out of the tail",
    async () => {
      const { p99Ms, errors } = await medians("one-slow", "pick");
      expect(p99Ms).toBeLessThanOrEqual(60);
      expect(errors).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    "keep three slow backends nearly out of the tail",
    async () => {
      const { p99Ms, errors } = await medians("three-slow", "pick");
      expect(p99Ms).toBeLessThanOrEqual(1.3 * homogeneous.p99Ms);
      expect(errors).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    "at most double the tail when half of the backends are slow",
    async () => {
      const { p99Ms, errors } = await medians("half-slow", "pick");
      expect(p99Ms).toBeLessThanOrEqual(2 * homogeneous.p99Ms);
      expect(errors).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    "hide pauses of a second",
    async () => {
      const { p999Ms, errors } = await medians("pause", "pick");
      expect(p999Ms).toBeLessThanOrEqual(120);
      expect(errors).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    "let at most one call in a thousand meet a backend that fails at once",
    async () => {
      expect((await medians("failing", "pick")).errorPercent).toBeLessThanOrEqual(0.1);
    },
    LIMIT_MS,
  );
});

describe("the defaults, whole calls", () => {
  it(
    "let nobody see a backend that fails at once, for less than one extra request in a hundred",
    async () => {
      const { errors, extraPercent } = await medians("failing", "call");
      expect(errors).toBe(0);
      expect(extraPercent).toBeLessThanOrEqual(1);
    },
    LIMIT_MS,
  );
});

describe("the defaults, weights 1, 1 and 0.5, 30 % load", () => {
  it(
    "hold 40, 40 and 20 % within 1.5 points",
    async () => {
      const { backends } = await medians("weights", "pick");
      for (const [index, wanted] of [40, 40, 20].entries())
        expect(Math.abs((backends[index]?.sharePercent ?? 0) - wanted)).toBeLessThanOrEqual(1.5);
    },
    LIMIT_MS,
  );
});
