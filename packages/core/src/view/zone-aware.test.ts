import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { zoneAware } from "./zone-aware.ts";
import type { ZoneCount } from "./zones.ts";

const zones = (...available: number[]): ZoneCount[] =>
  available.map((count, index) => ({ zone: "abcdefgh"[index], available: count, total: count }));

describe("zone-aware shares", () => {
  it("are Envoy's: clients 40/40/20, backends 25/50/25 keep 62.5 % at home and spill to where there is some to spare", () => {
    const policy = zoneAware({ zone: "a", clients: { a: 40, b: 40, c: 20 } });
    expect(policy.shares(zones(25, 50, 25))).toEqual([0.625, expect.closeTo(0.25, 12), expect.closeTo(0.125, 12)]);
  });

  it("keep everything at home where there are as many backends as clients, or more", () => {
    const clients = { a: 40, b: 40, c: 20 };
    expect(zoneAware({ zone: "b", clients }).shares(zones(25, 50, 25))).toEqual([0, 1, 0]);
    expect(zoneAware({ zone: "a" }).shares(zones(4, 4, 4))).toEqual([1, 0, 0]);
  });

  it("take it that every zone with backends has as many clients, unless told otherwise", () => {
    // Each a third of the clients; home has a sixth of the backends: half stays, the rest where more than a third is.
    expect(zoneAware({ zone: "a" }).shares(zones(2, 4, 6))).toEqual([0.5, 0, 0.5]);
  });

  it("send all calls elsewhere if nobody is at home", () => {
    expect(zoneAware({ zone: "z", clients: { z: 1 } }).shares(zones(6, 2))).toEqual([0.75, 0.25]);
    // Nobody knows of clients here, and all others are even: zones say nothing.
    expect(zoneAware({ zone: "z" }).shares(zones(4, 4))).toBeUndefined();
  });

  it("count backends without a zone as a zone of their own", () => {
    const counts = [
      { zone: "a", available: 3, total: 3 },
      { zone: undefined, available: 9, total: 9 },
    ];
    expect(zoneAware({ zone: "a" }).shares(counts)).toEqual([0.5, 0.5]);
  });

  it("don't matter below six available backends, or as many as said", () => {
    expect(zoneAware({ zone: "a" }).shares(zones(3, 2))).toBeUndefined();
    expect(zoneAware({ zone: "a", minBackends: 1 }).shares(zones(2, 2))).toEqual([1, 0]);
  });

  it("sum to 1, overload nobody more than the client shares make inevitable, and never go where nobody is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 8, maxLength: 8 }),
        (available, clientCounts) => {
          const clients = Object.fromEntries(clientCounts.map((count, index) => ["abcdefgh"[index], count]));
          const shares = zoneAware({ zone: "a", clients, minBackends: 1 }).shares(zones(...available));
          if (shares === undefined) return;
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
          for (const [index, share] of shares.entries()) if (available[index] === 0) expect(share).toBe(0);
        },
      ),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it("leave every backend the same load when all clients go by them", () => {
    const counts = [12, 6, 2];
    const clients = { a: 2, b: 3, c: 5 };
    const load = counts.map(() => 0);
    for (const zone of ["a", "b", "c"] as const) {
      const shares = zoneAware({ zone, clients }).shares(zones(...counts)) ?? [];
      for (const [index, share] of shares.entries()) load[index] = (load[index] ?? 0) + (share * clients[zone]) / 10;
    }
    expect(load).toEqual([expect.closeTo(0.6, 12), expect.closeTo(0.3, 12), expect.closeTo(0.1, 12)]);
  });

  it("need a zone, and say so with everything else that is wrong", () => {
    const wrong = { zone: "", clients: { a: 0 }, minBackends: 0.5, zones: 3 } as unknown as { zone: string };
    expect(() => zoneAware(wrong)).toThrow(/4 problems[^]*zones[^]*zone: [^]*clients[^]*minBackends/);
    expect(() => zoneAware({} as { zone: string })).toThrow("zone: got undefined");
  });
});
