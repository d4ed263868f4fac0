import { FairleadError } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { checkScenario } from "./check-scenario.ts";
import type { Mode } from "./result.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";

const GOOD: Scenario = {
  name: "good",
  backends: [{ name: "web", count: 2, zone: "a" }],
  arrivals: { loadPercent: 50 },
  durationMs: 1_000,
};

function problemsOf(scenario: unknown, mode: unknown = "pick"): string[] {
  try {
    checkScenario(scenario as Scenario, mode as Mode);
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    expect(error.code).toBe("FAIRLEAD_ERR_CONFIG");
    return error.problems.map(({ path, got, expected }) => `${path}: got ${got}, expected ${expected}`);
  }
  return [];
}

describe("a scenario", () => {
  it("may be any of those that are shipped, each under a name of its own", () => {
    expect(scenarios.flatMap((scenario) => problemsOf(scenario))).toEqual([]);
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  });

  it("is still the same after JSON", () => {
    for (const scenario of scenarios) expect(JSON.parse(JSON.stringify(scenario))).toEqual(scenario);
  });

  it("is refused with everything that is wrong with it", () => {
    const wrong = {
      name: "",
      backends: [{ name: "7up", count: -1, service: { kind: "gamma" } }],
      arrivals: { loadPercent: "much" },
      durationMs: 0,
      warmUpMs: -5,
      faults: [
        { kind: "slow", targets: "web", factor: 0 },
        { kind: "sleepy", targets: "web" },
      ],
      phase: [],
      keys: { count: 0.5, skew: -1 },
      seed: 1.5,
    };
    expect(problemsOf(wrong)).toEqual([
      "phase: got an empty list, expected no such option",
      'name: got "", expected a non-empty text',
      'backends[0].name: got "7up", expected letters, digits and hyphens, a letter first',
      "backends[0].count: got -1, expected a whole number ≥ 0 and ≤ 100000",
      'backends[0].service.kind: got "gamma", expected one of exponential, constant, lognormal, bimodal',
      'arrivals.loadPercent: got "much", expected a number > 0',
      "durationMs: got 0, expected a number > 0",
      "warmUpMs: got -5, expected a number ≥ 0",
      "keys.count: got 0.5, expected a whole number ≥ 1 and ≤ 10000000",
      "keys.skew: got -1, expected a number ≥ 0",
      "faults[0].factor: got 0, expected a number > 0",
      'faults[1].kind: got "sleepy", expected one of slow, pause, fail, dead, hang, cold',
      "seed: got 1.5, expected a whole number ≥ 0 and ≤ 4294967295",
    ]);
  });

  it.each<[string, Partial<Scenario>, string[]]>([
    [
      "has nobody to call",
      { backends: [{ name: "web", count: 0 }] },
      ["backends: got a list of 1, expected at least one backend at first"],
    ],
    [
      "has two groups of one name",
      { backends: [...GOOD.backends, ...GOOD.backends] },
      ['backends[1].name: got "web", expected a name of its own'],
    ],
    [
      "names targets that are not there",
      {
        faults: [{ kind: "hang", targets: ["web-2", "web-3", "zone:b"] }],
        changes: [{ kind: "remove", targets: "db", atMs: 1 }],
      },
      ["web-3", "zone:b", "db"].map(
        (name) =>
          `${name === "db" ? "changes" : "faults"}[0].targets: got "${name}", expected a group, a backend such as web-1, or zone:name`,
      ),
    ],
    [
      "adds to a group that is not there",
      { changes: [{ kind: "add", group: "db", count: 1, atMs: 1 }] },
      ['changes[0].group: got "db", expected the name of a group'],
    ],
    [
      "has times that run backwards",
      {
        faults: [{ kind: "hang", targets: "web", fromMs: 10, toMs: 10 }],
        phases: [{ name: "late", fromMs: 1_000 }],
      },
      [
        "faults[0].toMs: got 10, expected more than fromMs (10)",
        "phases[0].toMs: got 1000, expected more than fromMs (1000)",
      ],
    ],
  ])("is refused if it %s", (_, part, problems) => {
    expect(problemsOf({ ...GOOD, ...part })).toEqual(problems);
  });

  it("may name backends that a change adds", () => {
    const changes = [{ kind: "add", group: "web", count: 1, atMs: 1 } as const];
    expect(problemsOf({ ...GOOD, changes, faults: [{ kind: "hang", targets: "web-3", fromMs: 5 }] })).toEqual([]);
  });

  it("runs in one of the modes that there are", () => {
    expect(problemsOf(GOOD, "call")).toEqual([]);
    expect(problemsOf(GOOD, "dance")).toEqual(['mode: got "dance", expected pick or call']);
  });

  it("is refused if it is nothing at all", () => {
    expect(problemsOf(undefined)).toEqual([": got undefined, expected an object"]);
  });
});
