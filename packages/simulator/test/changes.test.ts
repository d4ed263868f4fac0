import { roundRobin } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { type Change, type Scenario, type SimulationResult, simulate } from "../src/index.ts";

/** 1,000 calls a second by turns, of 10 ms each, looked at every 100 ms for two seconds. */
function scenario(changes: readonly Change[]): Scenario {
  return {
    name: "changes",
    backends: [
      { name: "web", count: 3, service: { kind: "constant", meanMs: 10 }, workers: 100 },
      { name: "spare", count: 0, service: { kind: "constant", meanMs: 10 }, workers: 100 },
    ],
    arrivals: { callsPerSecond: 1_000 },
    warmUpMs: 100,
    durationMs: 2_000,
    stepMs: 100,
    clients: 2,
    changes,
  };
}

function run(...changes: readonly Change[]): Promise<SimulationResult> {
  return simulate({ scenario: scenario(changes), policy: () => ({ strategy: roundRobin(), slowStart: false }) });
}

/** The steps, by number, in which a backend had calls. */
function busySteps({ backends, timeline }: SimulationResult, id: string): number[] {
  const index = backends.findIndex((backend) => backend.id === id);
  return timeline.flatMap(({ shares }, step) => ((shares[index] ?? 0) > 0 ? [step] : []));
}

const steps = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe("a change of the set", () => {
  it("adds backends one after the other", async () => {
    const result = await run({ kind: "add", group: "spare", count: 2, atMs: 500, everyMs: 500 });
    expect(busySteps(result, "spare-1")).toEqual(steps(5, 20));
    expect(busySteps(result, "spare-2")).toEqual(steps(10, 20));
    expect(result.errors).toBe(0);
  });

  it("removes at once, and resets what was under way", async () => {
    const result = await run({ kind: "remove", targets: "web-2", atMs: 1_000 });
    expect(busySteps(result, "web-2")).toEqual(steps(0, 10));
    // A third of 1,000 a second, 10 ms each.
    expect(result.errors).toBeGreaterThan(0);
    expect(result.errors).toBeLessThan(10);
  });

  it("removes without an error what is drained first", async () => {
    const result = await run({ kind: "remove", targets: "web-2", atMs: 1_000, drainMs: 50 });
    expect(busySteps(result, "web-2")).toEqual(steps(0, 10));
    expect(result.errors).toBe(0);
  });

  it("is refused calls by a backend that has ended, until clients know", async () => {
    const known = await run({ kind: "remove", targets: "web-2", atMs: 1_000 });
    const late = await run({ kind: "remove", targets: "web-2", atMs: 1_000, noticeMs: 30 });
    expect(late.errors).toBeGreaterThan(known.errors);
    expect(late.timeline.findLastIndex(({ errors }) => errors > 0)).toBe(10);
  });

  it("replaces one after the other, each by a new one in its place", async () => {
    const result = await run({ kind: "replace", targets: "web", atMs: 500, everyMs: 500, drainMs: 100 });
    expect(result.backends.map(({ id }) => id)).toEqual([
      "web-1",
      "web-2",
      "web-3",
      "web-1-v2",
      "web-2-v2",
      "web-3-v2",
    ]);
    expect(busySteps(result, "web-1")).toEqual(steps(0, 5));
    expect(busySteps(result, "web-1-v2")).toEqual(steps(6, 20));
    expect(busySteps(result, "web-3-v2")).toEqual(steps(16, 20));
    expect(result.errors).toBe(0);
    expect(result.groups).toEqual([
      { group: "web", sharePercent: 100 },
      { group: "spare", sharePercent: 0 },
    ]);
  });

  it("replaces what was replaced before", async () => {
    const result = await run(
      { kind: "replace", targets: "web-1", atMs: 500 },
      { kind: "replace", targets: "web-1", atMs: 1_000 },
    );
    expect(busySteps(result, "web-1-v2")).toEqual(steps(5, 10));
    expect(busySteps(result, "web-1-v3")).toEqual(steps(10, 20));
  });

  it("starts new backends cold", async () => {
    const cold = { factor: 11, forMs: 1_000 };
    const warm = await run({ kind: "add", group: "spare", count: 1, atMs: 500 });
    const slow = await run({ kind: "add", group: "spare", count: 1, atMs: 500, cold });
    // 10 ms at first take 110, network aside, then less.
    expect(Math.max(...warm.timeline.map(({ p999Ms }) => p999Ms))).toBe(10.5);
    expect(slow.timeline[5]?.p999Ms).toBeGreaterThan(90);
    expect(slow.timeline[10]?.p999Ms).toBeLessThan(70);
    expect(slow.timeline[19]?.p999Ms).toBe(10.5);
  });

  it("does nothing to a backend that another change has removed", async () => {
    const result = await run(
      { kind: "remove", targets: "web-1", atMs: 500, drainMs: 1_000 },
      { kind: "replace", targets: "web-1", atMs: 600 },
    );
    expect(result.backends.map(({ id }) => id)).toEqual(["web-1", "web-2", "web-3", "web-1-v2"]);
    expect(busySteps(result, "web-1-v2")).toEqual(steps(6, 20));
  });

  it("leaves calls without anybody to take them when all are gone", async () => {
    const result = await run({ kind: "remove", targets: "web", atMs: 1_000, drainMs: 100 });
    const after = result.timeline.slice(12);
    expect(after.every(({ calls, refused, errorPercent }) => refused === calls && errorPercent === 100)).toBe(true);
    expect(after.every(({ p99Ms, attempts }) => p99Ms === 0 && attempts === 0)).toBe(true);
  });
});
