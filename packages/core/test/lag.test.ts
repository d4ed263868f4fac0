// A process that stands still must not take its own lag for slow backends.
import { createBalancer, createRandom, peakEwma } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { one } from "./support/world.ts";

function over(clock = virtualClock()) {
  const backends = ["a", "b"].map((id) => ({ id, url: `http://${id}.test` }));
  const balancer = createBalancer({ name: "orders", backends, strategy: peakEwma(), clock, random: createRandom(1) });
  const call = (id: string, work: () => void): void => {
    using lease = balancer.tryAcquire({ pinned: id });
    work();
    lease?.settle({ outcome: "success" });
  };
  return { clock, balancer, call };
}

describe("an attempt during which the event loop stood still", () => {
  test("counts as load without that time, and as a latency that callers felt with it", () => {
    const { clock, balancer, call } = over();
    call("a", () => {
      clock.advanceSync(4);
      clock.stall(500);
      clock.advanceSync(6);
    });
    expect(one(balancer, "a").ewmaMs).toBeCloseTo(10, 6);
    expect(one(balancer, "a").p99Ms).toBeGreaterThanOrEqual(510);
  });

  test("loses only what of the stall was its own time", () => {
    const { clock, balancer, call } = over();
    clock.stall(1_000);
    call("a", () => clock.advanceSync(30));
    expect(one(balancer, "a").ewmaMs).toBeCloseTo(30, 6);
  });

  test("takes no more calls from its backend than before", () => {
    const { clock, balancer, call } = over();
    for (const id of ["a", "b"]) call(id, () => clock.advanceSync(10));
    call("a", () => clock.stall(2_000));
    const counts = { a: 0, b: 0 };
    for (let count = 0; count < 100; count++) {
      using lease = balancer.tryAcquire();
      counts[lease?.backend.id as "a" | "b"]++;
      clock.advanceSync(10);
      lease?.settle({ outcome: "success" });
    }
    expect(counts.a).toBeGreaterThanOrEqual(40);
  });

  test("all along says nothing of its backend, and does not make it look unknown", () => {
    const { clock, balancer, call } = over();
    call("a", () => clock.advanceSync(10));
    call("a", () => clock.stall(100));
    // Only faded, τ = 10 s.
    expect(one(balancer, "a").ewmaMs).toBeCloseTo(10 * Math.exp(-0.01), 2);
  });

  test("is still charged as a failure where it failed", () => {
    const { clock, balancer } = over();
    using lease = balancer.tryAcquire({ pinned: "a" });
    clock.stall(3_000);
    lease?.settle({ outcome: "failure" });
    expect(one(balancer, "a").ewmaMs).toBeCloseTo(1_000, 6);
  });
});
