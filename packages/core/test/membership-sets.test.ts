// Sets that follow each other in any way: who is present, in which order, and what they keep.
import { createBalancer, createRandom, first, type Lease } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";

const IDS = ["a", "b", "c", "d", "e", "f", "g"];
const entry = fc.record({ id: fc.constantFrom(...IDS), weight: fc.constantFrom(1, 2) });
const set = fc.uniqueArray(entry, { selector: ({ id }) => id, maxLength: IDS.length });
/** A new set, a lease on somebody, or the return of the oldest lease. */
const step = fc.oneof(
  set.map((specs) => ({ kind: "set", specs }) as const),
  fc.constantFrom(...IDS).map((id) => ({ kind: "take", id }) as const),
  fc.constant({ kind: "return" } as const),
);

test("whatever sets follow each other, the balancer has the last one, in its order, and those whose leases are out", () => {
  fc.assert(
    fc.property(set, fc.array(step, { maxLength: 40 }), (initial, steps) => {
      const specsOf = (specs: typeof initial) => specs.map((spec) => ({ url: "http://10.0.0.1", ...spec }));
      const clock = virtualClock();
      const seed = [{ url: "http://10.0.0.1", id: "a" }];
      const random = createRandom(1);
      const balancer = createBalancer({ name: "orders", backends: seed, strategy: first(), clock, random });
      balancer.set(specsOf(initial));
      let current = initial;
      const held: Lease[] = [];
      for (const next of steps) {
        if (next.kind === "set") {
          balancer.set(specsOf(next.specs));
          current = next.specs;
        } else if (next.kind === "return") held.shift()?.release();
        else {
          const lease = balancer.tryAcquire({ pinned: next.id, pinPolicy: "fail" });
          // Only those of the set can be had.
          expect(lease?.backend.id).toBe(current.some(({ id }) => id === next.id) ? next.id : undefined);
          if (lease !== undefined) held.push(lease);
        }
        const { backends } = balancer.snapshot();
        const present = backends.filter(({ state }) => state !== "removed");
        expect(present.map(({ id, weight }) => ({ id, weight }))).toEqual(current);
        expect(balancer.backends.map(({ id }) => id)).toEqual(current.map(({ id }) => id));
        const out = held.map(({ backend }) => backend.id).filter((id) => current.every((spec) => spec.id !== id));
        expect(
          backends
            .slice(present.length)
            .map(({ id }) => id)
            .sort(),
        ).toEqual([...new Set(out)].sort());
        for (const { id, requests } of backends)
          expect(requests).toBe(held.filter(({ backend }) => backend.id === id).length);
        using probe = balancer.tryAcquire();
        expect(probe?.backend.id).toBe(current[0]?.id);
      }
    }),
    { numRuns: 1_000, seed: 1 },
  );
});
