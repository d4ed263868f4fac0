import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { xxh64 } from "./xxh64.ts";

const SENTENCE = "Call me Ishmael. Some years ago--never mind how long precisely-";

function digest(key: string, seed = 0): bigint {
  const words = new Uint32Array(2);
  xxh64.digest(key, seed, words);
  return (BigInt(words[1] ?? 0) << 32n) | BigInt(words[0] ?? 0);
}

const P1 = 11400714785074694791n;
const P2 = 14029467366897019727n;
const P3 = 1609587929392839161n;
const P4 = 9650029242287828579n;
const P5 = 2870177450012600261n;
const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => wrap((value << bits) | (value >> (64n - bits)));
const round = (lane: bigint, input: bigint): bigint => wrap(rotate(wrap(lane + input * P2), 31n) * P1);

/** XXH64 as the specification words it, over 64-bit numbers. */
function reference(text: string, seed: number): bigint {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer);
  const start = BigInt(seed);
  let hash = wrap(start + P5);
  let at = 0;
  if (bytes.length >= 32) {
    let lanes = [wrap(start + P1 + P2), wrap(start + P2), start, wrap(start - P1)];
    for (; at + 32 <= bytes.length; at += 32) {
      lanes = lanes.map((lane, index) => round(lane, view.getBigUint64(at + 8 * index, true)));
    }
    const turns = [1n, 7n, 12n, 18n];
    hash = wrap(lanes.reduce((sum, lane, index) => sum + rotate(lane, turns[index] ?? 0n), 0n));
    for (const lane of lanes) hash = wrap((hash ^ round(0n, lane)) * P1 + P4);
  }
  hash = wrap(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    hash = wrap(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4);
  }
  for (; at + 4 <= bytes.length; at += 4) {
    hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3);
  }
  for (; at < bytes.length; at++) hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint8(at)) * P5), 11n) * P1);
  hash = wrap((hash ^ (hash >> 33n)) * P2);
  hash = wrap((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}

describe("xxh64", () => {
  // Of the tests of github.com/cespare/xxhash, computed there by the C library.
  it.each([
    ["", 0, 0xef46db3751d8e999n],
    ["a", 0, 0xd24ec4f1a98c6e5bn],
    ["as", 0, 0x1c330fb2d66be179n],
    ["asd", 0, 0x631c37ce72a97393n],
    ["asdf", 0, 0x415872f599cea71en],
    [SENTENCE, 0, 0x02a2e85470d6fd96n],
    ["", 123, 0xe0db84de91f3e198n],
    [SENTENCE, 54_321, 0x1736d186daf5d1cdn],
  ])("gives the published hash of %j, seed %d", (key, seed, expected) => {
    expect(digest(key, seed)).toBe(expected);
  });

  it("gives the published hash of nothing with the first prime of XXH32 as seed", () => {
    // xxHash, cli/xsum_sanity_check.c.
    expect(digest("", 2_654_435_761)).toBe(0xac75fda2929b17efn);
  });

  it.each([
    ["ASCII", "The quick brown fox"],
    ["two bytes", "äöüßéπж"],
    ["three bytes", "漢字仮名€"],
    ["four bytes", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢"],
    ["all kinds", "a€π𝔘 b"],
  ])("agrees with the specification at every length: %s", (_kind, alphabet) => {
    const characters = Array.from(alphabet);
    for (let length = 0; length <= 200; length++) {
      const key = Array.from({ length }, (_, index) => characters[(index * 7) % characters.length]).join("");
      for (const seed of [0, 1, 0xffffffff]) expect(digest(key, seed)).toBe(reference(key, seed));
    }
  });

  it("agrees with the specification for any text, lone surrogates included, and any seed", () => {
    const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
    fc.assert(
      fc.property(text, fc.nat(0xffffffff), (key, seed) => {
        expect(digest(key, seed)).toBe(reference(key, seed));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("takes a key of a megabyte, and a short one after it", () => {
    const long = "0123456789abcdeπ".repeat(65_536);
    expect(digest(long)).toBe(reference(long, 0));
    expect(digest("abcde")).toBe(reference("abcde", 0));
  });
});
