import { createRequire } from "node:module";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { type CircuitStats, createBreaker } from "../src/index.ts";
import { balancedWorld, nothing, rejection } from "./support.ts";

type Listener = (...args: unknown[]) => void;
const OpossumBreaker = createRequire(import.meta.url)("opossum") as {
  new (
    action: () => unknown,
    options?: object,
  ): { eventNames(): unknown[]; toJSON(): { state: object; status: object }; shutdown(): void };
};

/** As exporters do (opossum-prometheus): listens to all events that a circuit has. */
function exporter(circuit: { eventNames(): (string | symbol)[]; on: never }): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const event of circuit.eventNames())
    (circuit.on as (event: string, listener: Listener) => void).call(circuit, String(event), () => {
      counts[String(event)] = (counts[String(event)] ?? 0) + 1;
    });
  return counts;
}

describe("a circuit that follows a breaker of a balancer", () => {
  test("is opossum's own class, with the events that exporters look for, and in the shape of its JSON", () => {
    const { breaker } = balancedWorld();
    const circuit = breaker.circuit("orders", "a");
    const theirs = new OpossumBreaker(() => 1, { name: "orders/a" });
    expect(circuit).toBeInstanceOf(OpossumBreaker);
    expect(new Set(circuit.eventNames())).toEqual(new Set(theirs.eventNames()));
    expect(Object.keys(circuit.toJSON().state)).toEqual(expect.arrayContaining(Object.keys(theirs.toJSON().state)));
    expect(new Set(Object.keys(circuit.stats))).toEqual(new Set(Object.keys(theirs.toJSON().status)));
    expect([circuit.name, circuit.group]).toEqual(["orders/a", "orders"]);
    expect(breaker.circuit("orders", "a")).toBe(circuit);
    theirs.shutdown();
  });

  test("tells of calls, endings and changes of state, and counts them in a window without timers", async () => {
    const world = balancedWorld({ consecutiveFailures: 2, resetTimeout: 1_000 }, ["a"]);
    const { breaker, balancer, clock } = world;
    const circuit = breaker.circuit("orders", "a");
    const counts = exporter(circuit as never);
    const halfOpen: unknown[] = [];
    circuit.on("halfOpen", (resetTimeout) => halfOpen.push(resetTimeout));
    const ended: unknown[] = [];
    circuit.on("success", (report, latencyMs) => ended.push([report, latencyMs]));
    circuit.on("ignored", (report) => ended.push(report));
    await balancer.call(async () => 1);
    const stuck = rejection(balancer.call(() => new Promise(nothing), { attemptTimeoutMs: 100 }));
    await clock.advance(100);
    await stuck;
    await rejection(balancer.call(() => Promise.reject(new Error("fails"))));
    expect([circuit.opened, circuit.closed, circuit.halfOpen]).toEqual([true, false, false]);
    expect(clock.pending).toBe(0);
    await clock.advance(1_000);
    expect([circuit.halfOpen, circuit.pendingClose]).toEqual([true, true]);
    balancer.tryAcquire()?.release();
    await balancer.call(async () => 1);
    expect(counts).toEqual({ fire: 5, success: 2, failure: 2, timeout: 1, open: 1, close: 1 });
    expect(halfOpen).toEqual([1_000]);
    expect(ended).toEqual([
      [{ outcome: "success" }, 0],
      { outcome: "ignored", latencyMs: 0 },
      [{ outcome: "success" }, 0],
    ]);
    expect(circuit.stats).toMatchObject({ fires: 5, successes: 2, failures: 2, timeouts: 1, latencyMean: -1 });
    await clock.advance(10_000);
    expect(circuit.stats).toMatchObject({ fires: 0, successes: 0, failures: 0 });
  });

  test("acts on the breaker, and wakes who waits", async () => {
    const { breaker, balancer } = balancedWorld({}, ["a"]);
    const circuit = breaker.circuit("orders", "a");
    circuit.open();
    expect(balancer.tryAcquire()).toBeUndefined();
    expect(circuit.toJSON().state).toMatchObject({ open: true, closed: false, openUntilAt: expect.any(Number) });
    const waiting = balancer.call(async () => "served", { pinned: "a", pinPolicy: "wait" });
    circuit.close();
    expect(await waiting).toBe("served");
    circuit.open();
    const again = balancer.call(async () => "served", { pinned: "a", pinPolicy: "wait" });
    circuit.disable();
    expect([await again, circuit.enabled]).toEqual(["served", false]);
    circuit.enable();
    expect(balancer.tryAcquire()).toBeUndefined();
  });

  test("what others do to it (all listeners removed, thrown, shut down) does not reach the breaker", async () => {
    const { breaker, balancer } = balancedWorld({ consecutiveFailures: 1 });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    const circuit = breaker.circuit("orders", "a");
    circuit.removeAllListeners();
    circuit.on("failure", () => {
      throw new Error("listener");
    });
    await rejection(balancer.call(() => Promise.reject(new Error("fails"))));
    expect([circuit.opened, failures]).toEqual([true, ["listener of failure"]]);
    circuit.shutdown();
    expect([circuit.isShutdown, balancer.explain().backends[0]?.reason]).toEqual([true, "breaker open"]);
    circuit.close();
    expect(balancer.explain().backends[0]?.reason).toBe("breaker open");
    expect(breaker.circuit("orders", "a")).not.toBe(circuit);
    expect(breaker.circuit("orders", "a").opened).toBe(true);
  });

  test("ends with its backend, its key or its balancer; no timer is left", async () => {
    const world = balancedWorld({ scope: { key: ({ hashKey }) => hashKey, maxKeys: 1 } }, ["a", "b"]);
    const { breaker, balancer, clock } = world;
    const [first, second] = [breaker.circuit("orders", "a", "k"), breaker.circuit("orders", "b", "k")];
    expect(first.name).toBe("orders/a#k");
    first.status.on("snapshot", nothing);
    breaker.circuit("orders", "a", "other");
    expect([first.isShutdown, second.isShutdown]).toEqual([true, false]);
    await balancer.close({ drainMs: 0 });
    expect([second.isShutdown, clock.pending, breaker.snapshot()]).toEqual([true, 0, []]);
  });

  test("its own calls are those of the balancer", async () => {
    const { breaker } = balancedWorld();
    const circuit = breaker.circuit("orders", "a") as unknown as { fire(): Promise<unknown> };
    expect(String(await rejection((async () => circuit.fire())()))).toContain("balancer");
  });
});

describe("the status", () => {
  test("makes snapshots while somebody listens, and has no timer else", async () => {
    const clock = virtualClock();
    const ours = createBreaker(async () => 1, { clock });
    const seen: CircuitStats[] = [];
    const listener = (stats: CircuitStats): void => void seen.push(stats);
    expect(clock.pending).toBe(0);
    ours.status.on("snapshot", listener);
    await ours.fire();
    await clock.advance(2_000);
    expect(seen.map(({ fires }) => fires)).toEqual([1, 1]);
    ours.status.off("snapshot", listener);
    await clock.advance(2_000);
    expect([seen.length, clock.pending]).toEqual([2, 0]);
    ours.status.on("snapshot", listener);
    ours.shutdown();
    expect(clock.pending).toBe(0);
  });

  test("percentiles are those of a fair sample", async () => {
    const clock = virtualClock();
    const ours = createBreaker((ms: number) => new Promise<void>((resolve) => void clock.schedule(ms, resolve)), {
      clock,
    });
    for (let call = 1; call <= 1_000; call++) {
      const done = ours.fire(call % 10);
      clock.advanceSync(call % 10);
      await done;
    }
    const { percentiles, latencyMean, latencyTimes } = ours.stats;
    expect(latencyTimes.length).toBeLessThanOrEqual(1_000);
    expect(latencyMean).toBeGreaterThan(4);
    expect(latencyMean).toBeLessThan(5);
    expect(percentiles["0.5"]).toBeGreaterThanOrEqual(4);
    expect(percentiles["1"]).toBe(9);
  });
});
