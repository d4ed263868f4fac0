// A short version of `pnpm faults`, with what it must never show.
import { afterAll, describe, expect, it } from "vitest";
import type { Condition } from "../src/backends/conditions.ts";
import { Fleet } from "../src/backends/fleet.ts";
import { killChildren } from "../src/children.ts";
import { ours } from "../src/dead-end/contestants.ts";
import { runDeadEnd } from "../src/dead-end/run-dead-end.ts";
import { figuresOf } from "../src/figures.ts";
import { runScenario } from "../src/run-scenario.ts";
import type { Scenario } from "../src/scenarios.ts";

afterAll(killChildren);

const RATE = 150;

function short(condition: Condition): Scenario {
  return {
    name: condition,
    steps: [
      { atMs: 300, who: "one", condition },
      { atMs: 1_300, who: "one", condition: "well" },
    ],
    loadMs: 2_000,
  };
}

describe("with one of three backends that fails", { timeout: 20_000 }, () => {
  it.concurrent.each<Condition>(["killed", "refusing", "deaf", "hanging up", "answering 503", "stalling"])(
    "by %s, no safe call is lost, few are sent twice, and all places come back",
    async (condition) => {
      const fleet = await Fleet.start(3);
      const seen = await runScenario(short(condition), fleet, RATE);
      await fleet.end();
      const { calls, lost, extra, reasons } = figuresOf(seen);
      expect(calls).toBe((RATE * 2_000) / 1_000);
      expect({ lost, reasons, held: seen.held }).toEqual({ lost: 0, reasons: {}, held: 0 });
      // What the retry budget grants: 20 %, and a burst of 10 that grows by 1 per second.
      expect(extra).toBeLessThanOrEqual(0.2 * calls + 10 + 2);
      // The fault was real: the others had to serve what it did not.
      const served = seen.calls.filter(({ backend }) => backend === 0).length;
      expect(served).toBeLessThan(calls / 3 - 20);
    },
  );
});

describe("two backends with one connection each, both down for 40 calls", { timeout: 30_000 }, () => {
  it.concurrent.each([0, 1])("serve again through fairlead when number %i is back", async (back) => {
    const { served, calls, recoveredAfterMs } = await runDeadEnd(ours, back, 3_000);
    expect(calls).toBe(75);
    // An ejection would last 4 s at least.
    expect(recoveredAfterMs).toBeLessThan(2_000);
    expect(served).toBeGreaterThanOrEqual(70);
  });
});
