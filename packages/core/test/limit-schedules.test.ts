// Whatever order things happen in: never more under way than the limits allow, nobody overtakes, nothing is left behind.
import { createRandom, type Lease, leastRequest, type PickRequest } from "@fairlead/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { held, settle, world } from "./support/world.ts";

type Step =
  | { readonly do: "acquire"; readonly connection: boolean; readonly pinned: number; readonly derived: boolean }
  | { readonly do: "tryAcquire"; readonly connection: boolean }
  | { readonly do: "settle" | "release" | "abort"; readonly which: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "configure"; readonly limit: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("acquire" as const),
      connection: fc.boolean(),
      // Mostly not.
      pinned: fc.integer({ min: -6, max: 2 }),
      derived: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("tryAcquire" as const), connection: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom("settle" as const, "release", "release"), which: fc.nat(30) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const), which: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("configure" as const), limit: fc.integer({ min: 1, max: 4 }) }) },
);

const BACKENDS = 3;

interface Waiting {
  readonly request: PickRequest;
  readonly controller: AbortController;
  state: "waiting" | "served" | "over";
}

/** Plays the steps; checks after each one. */
async function play(steps: readonly Step[], perBackend: number, whole: number): Promise<void> {
  const limits = { perBackend, whole };
  const { balancer, clock } = world(BACKENDS, {
    strategy: leastRequest(),
    random: createRandom(steps.length),
    deadlineMs: 1_000,
    limits: { maxConcurrentPerBackend: perBackend, maxConcurrent: whole, maxConnectionsPerBackend: 2 },
  });
  const derived = balancer.derive({});
  const leases: Lease[] = [];
  const calls: Waiting[] = [];
  const count = (kind: "request" | "connection", id?: string): number =>
    balancer.snapshot().backends.reduce((sum, backend) => {
      if (id !== undefined && backend.id !== id) return sum;
      return sum + (kind === "request" ? backend.requests : backend.connections);
    }, 0);
  const took = (lease: Lease, kind: "request" | "connection"): void => {
    leases.push(lease);
    const { id } = lease.backend;
    if (kind === "connection") expect(count(kind, id)).toBeLessThanOrEqual(2);
    else {
      expect(count(kind, id)).toBeLessThanOrEqual(limits.perBackend);
      expect(count(kind)).toBeLessThanOrEqual(limits.whole);
    }
  };
  const acquire = async (from: typeof balancer, call: Waiting): Promise<void> => {
    const kind = call.request.kind ?? "request";
    try {
      const lease = await from.acquire(call.request, { signal: call.controller.signal });
      // Nobody of the same kind and without a pin came before and still waits.
      if (call.request.pinned === undefined)
        for (const other of calls) {
          if (other === call) break;
          const sameLine = (other.request.kind ?? "request") === kind && other.request.pinned === undefined;
          expect(sameLine && other.state === "waiting").toBe(false);
        }
      call.state = "served";
      took(lease, kind);
    } catch (error) {
      call.state = "over";
      // An expectation that failed must not be taken for the end of a wait.
      if (error instanceof Error && error.name === "AssertionError") throw error;
    }
  };
  const running: Promise<void>[] = [];
  for (const current of steps) {
    switch (current.do) {
      case "acquire": {
        const pinned = current.pinned < 0 ? undefined : String.fromCharCode(97 + current.pinned);
        const kind = current.connection ? "connection" : "request";
        const request: PickRequest = { kind, pinned, pinPolicy: pinned === undefined ? undefined : "wait" };
        const call: Waiting = { request, controller: new AbortController(), state: "waiting" };
        calls.push(call);
        running.push(acquire(current.derived ? derived : balancer, call));
        break;
      }
      case "tryAcquire": {
        const kind = current.connection ? "connection" : "request";
        const lease = balancer.tryAcquire({ kind });
        if (lease !== undefined) took(lease, kind);
        break;
      }
      case "settle":
        leases.at(current.which % Math.max(1, leases.length))?.settle({ outcome: "success" });
        break;
      case "release":
        leases.splice(current.which % Math.max(1, leases.length), 1)[0]?.release();
        break;
      case "abort":
        calls.at(current.which % Math.max(1, calls.length))?.controller.abort(new Error("left"));
        break;
      case "advance":
        await clock.advance(current.ms);
        break;
      case "configure":
        limits.perBackend = current.limit;
        balancer.configure({ limits: { maxConcurrentPerBackend: current.limit } });
    }
    await settle();
  }
  // Everybody who still waits is served or told, as soon as the others are done.
  for (let round = 0; round < calls.length + 1; round++) {
    for (const lease of leases.splice(0)) lease.release();
    await settle();
  }
  await clock.advance(2_000);
  await Promise.all(running);
  for (const lease of leases.splice(0)) lease.release();
  expect(calls.filter(({ state }) => state === "waiting")).toEqual([]);
  expect(balancer.snapshot().waiting).toBe(0);
  expect(held(balancer)).toBe(0);
  expect(clock.pending).toBe(0);
  await balancer.close();
}

describe("limits, whatever happens in whatever order", () => {
  test("hold, keep the order of those who wait, and leave nothing behind", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 8 }),
        play,
      ),
      { seed: 41, numRuns: 150 },
    );
  });
});
