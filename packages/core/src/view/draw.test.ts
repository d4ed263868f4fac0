import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { murmur3 } from "../hash/murmur3.ts";
import { xxh64 } from "../hash/xxh64.ts";
import { drawOfKey } from "./draw.ts";

describe("the draw of a key", () => {
  it("is the 64-bit hash modulo 100, as Envoy chooses a priority, and something of 1 beyond that", () => {
    const words = new Uint32Array(2);
    fc.assert(
      fc.property(fc.string(), (key) => {
        xxh64.digest(key, 0, words);
        const hash = (BigInt(words[1] ?? 0) << 32n) | BigInt(words[0] ?? 0);
        expect(Math.floor(drawOfKey(key, xxh64))).toBe(Number(hash % 100n));
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });

  it.each([
    ["the hash of the strategy", xxh64],
    ["another one", murmur3],
    ["none of the strategy's own", undefined],
  ])("is spread evenly over 0 to 100 with %s, within each percent too", (_, hash) => {
    const percents = new Uint32Array(100);
    const tenths = new Uint32Array(10);
    for (let key = 0; key < 100_000; key++) {
      const draw = drawOfKey(`session-${key}`, hash);
      percents[Math.floor(draw)] = (percents[Math.floor(draw)] ?? 0) + 1;
      tenths[Math.floor((draw % 1) * 10)] = (tenths[Math.floor((draw % 1) * 10)] ?? 0) + 1;
    }
    // Binomial, n = 100,000: five standard deviations are 157 of 1,000 and 474 of 10,000.
    for (const count of percents) expect(Math.abs(count - 1_000)).toBeLessThan(157);
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(474);
  });
});
