import { roundRobin } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { compare, formatTable, type Scenario, type SimulationResult, simulate } from "../src/index.ts";

const SMALL: Scenario = {
  name: "small",
  backends: [
    { name: "fast", count: 2 },
    { name: "slow", count: 1, service: { kind: "constant", meanMs: 50 } },
  ],
  arrivals: { loadPercent: 50 },
  durationMs: 2_000,
  phases: [{ name: "end", fromMs: 1_000 }],
};

describe("a comparison", () => {
  it("gives the medians over the seeds, figure by figure", async () => {
    const seeds = [4, 5, 6];
    const [median] = await compare({ scenarios: [SMALL], seeds });
    const runs = await Promise.all(seeds.map((seed) => simulate({ scenario: SMALL, seed })));
    const middle = (pick: (run: SimulationResult) => number | undefined): number | undefined =>
      runs.map(pick).sort((a = 0, b = 0) => a - b)[1];
    expect(median).toMatchObject({ scenario: "small", policy: "defaults", mode: "pick", seeds });
    expect(median?.p99Ms).toBe(middle((run) => run.p99Ms));
    expect(median?.backends[2]?.sharePercent).toBe(middle((run) => run.backends[2]?.sharePercent));
    expect(median?.phases[0]?.p50Ms).toBe(middle((run) => run.phases[0]?.p50Ms));
    expect(median?.timeline[3]?.calls).toBe(middle((run) => run.timeline[3]?.calls));
  });

  it("takes the mean of the middle two for an even number", async () => {
    const [median] = await compare({ scenarios: [SMALL], seeds: [1, 2] });
    const runs = await Promise.all([1, 2].map((seed) => simulate({ scenario: SMALL, seed })));
    expect(median?.calls).toBe(((runs[0]?.calls ?? 0) + (runs[1]?.calls ?? 0)) / 2);
  });

  it("runs every scenario under every policy", async () => {
    const results = await compare({
      scenarios: [SMALL, { ...SMALL, name: "other" }],
      policies: { defaults: () => ({}), turns: () => ({ strategy: roundRobin() }) },
      seeds: [1],
      mode: "call",
    });
    expect(results.map(({ scenario, policy, mode }) => `${scenario} ${policy} ${mode}`)).toEqual([
      "small defaults call",
      "small turns call",
      "other defaults call",
      "other turns call",
    ]);
  });
});

const backend = (id: string, group: string, sharePercent: number) => ({ id, group, attempts: 1, sharePercent });

describe("a table", () => {
  it("has a line for each result and each phase, in columns", () => {
    const figures = {
      calls: 2_000,
      errors: 2,
      refused: 0,
      errorPercent: 0.1,
      attempts: 2_010,
      extraPercent: 0.5,
      sameZonePercent: 66.66,
      sameBackendPercent: 97.04,
      meanMs: 12,
      p50Ms: 9.56,
      p99Ms: 1_050.04,
      p999Ms: 2_000,
    };
    const groups = [
      { group: "fast", sharePercent: 90 },
      { group: "slow", sharePercent: 10 },
      { group: "none", sharePercent: 0 },
    ];
    const result: SimulationResult = {
      scenario: "one-slow",
      policy: "mine",
      mode: "call",
      seeds: [1],
      ...figures,
      groups,
      backends: [backend("fast-1", "fast", 44.9), backend("fast-2", "fast", 45.1), backend("slow-1", "slow", 10)],
      phases: [{ name: "after", fromMs: 0, toMs: 1, ...figures, groups }],
      timeline: [],
    };
    expect(formatTable([result])).toBe(
      [
        "scenario  policy       p50     p99  p99.9  errors %  extra %  share per backend, %",
        "one-slow  mine (call)  9.6  1050.0   2000     0.100     0.50  fast 44.9–45.1, slow 10.0, same zone 66.7, same backend 97.0",
        "  after                9.6  1050.0   2000     0.100     0.50  all fast 90.0, all slow 10.0, all none 0.0",
      ].join("\n"),
    );
  });
});
