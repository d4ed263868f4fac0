import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterCheck, type Finding, type Health, UNCHECKED, UP } from "./health.ts";

const PASSED: Finding = { passed: true, reason: "200" };
const FAILED: Finding = { passed: false, reason: "503" };
const PENDING: Health = { kind: "pending", reason: "" };
const DOWN: Health = { kind: "down", reason: "", failures: 0, successes: 0 };
const THRESHOLDS = { rise: 2, fall: 3 };

/** `+` passed, `-` failed; the health after each. */
function run(health: Health, checks: string, thresholds = THRESHOLDS): string[] {
  const seen: string[] = [];
  for (const check of checks) {
    health = afterCheck(health, check === "+" ? PASSED : FAILED, thresholds);
    seen.push(health.kind);
  }
  return seen;
}

describe("a backend that is up", () => {
  it("goes down after `fall` failed checks in a row, and one that passes begins the count anew", () => {
    expect(run(UP, "--+---")).toEqual(["up", "up", "up", "up", "up", "down"]);
  });

  it("says how many failed, and what the last found", () => {
    let down = UP;
    for (let count = 0; count < 3; count++) down = afterCheck(down, FAILED, THRESHOLDS);
    expect(down).toEqual({ kind: "down", reason: "3 checks failed, the last: 503", failures: 3, successes: 0 });
    expect(afterCheck(down, FAILED, THRESHOLDS).reason).toBe("4 checks failed, the last: 503");
  });

  it("stays the very same while nothing changes", () => {
    expect(afterCheck(UP, PASSED, THRESHOLDS)).toBe(UP);
  });
});

describe("a backend that is down", () => {
  it("comes up after `rise` passed checks in a row, and one that fails begins the count anew", () => {
    expect(run(DOWN, "+-++")).toEqual(["down", "down", "down", "up"]);
    expect(afterCheck(afterCheck(DOWN, PASSED, THRESHOLDS), PASSED, THRESHOLDS).reason).toBe(
      "2 checks passed, the last: 200",
    );
  });
});

describe("a backend of which nothing is known", () => {
  it.each([PENDING, UNCHECKED])("is what its first check says ($kind)", (health) => {
    expect(run(health, "+")).toEqual(["up"]);
    expect(run(health, "-")).toEqual(["down"]);
  });
});

describe("any checks", () => {
  it("lead to what the last ones of them say", () => {
    const cases = fc.record({
      from: fc.constantFrom(UP, DOWN, PENDING),
      rise: fc.integer({ min: 1, max: 5 }),
      fall: fc.integer({ min: 1, max: 5 }),
      checks: fc.array(fc.boolean(), { maxLength: 60 }),
    });
    fc.assert(
      fc.property(cases, ({ from, rise, fall, checks }) => {
        const text = checks.map((passed) => (passed ? "+" : "-")).join("");
        expect(run(from, text, { rise, fall })).toEqual(naively(from.kind, checks, rise, fall));
      }),
      { numRuns: 500 },
    );
  });
});

/** Looks back over the whole history each time. */
function naively(from: string, checks: readonly boolean[], rise: number, fall: number): string[] {
  let now = from;
  return checks.map((passed, index) => {
    const lastAre = (what: boolean, count: number): boolean =>
      index + 1 >= count && checks.slice(index + 1 - count, index + 1).every((check) => check === what);
    if (now === "pending") now = passed ? "up" : "down";
    else if (now === "up" && lastAre(false, fall)) now = "down";
    else if (now === "down" && lastAre(true, rise)) now = "up";
    return now;
  });
}
