import { describe, expect, it } from "vitest";
import { murmur3 } from "./murmur3.ts";

function digest(key: string, seed = 0): Uint32Array {
  const words = new Uint32Array(2);
  murmur3.digest(key, seed, words);
  return words;
}

describe("murmur3", () => {
  // Ian Boyd's vectors, stackoverflow.com/questions/14747343 (those that are texts).
  it.each([
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["\0\0\0\0", 0, 0x2362f9de],
    ["aaaa", 0x9747b28c, 0x5a97808a],
    ["aaa", 0x9747b28c, 0x283e0130],
    ["aa", 0x9747b28c, 0x5d211726],
    ["a", 0x9747b28c, 0x7fa09ea6],
    ["abcd", 0x9747b28c, 0xf0478627],
    ["abc", 0x9747b28c, 0xc84a62dd],
    ["ab", 0x9747b28c, 0x74875592],
    ["Hello, world!", 0x9747b28c, 0x24884cba],
    ["ππππππππ", 0x9747b28c, 0xd58063c1],
    ["a".repeat(256), 0x9747b28c, 0x37405bdc],
    ["abc", 0, 0xb3dd93fa],
    ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 0, 0xee925b90],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ])("gives the published hash of %j, seed %d, in the low word", (key, seed, expected) => {
    expect(digest(key, seed)[0]).toBe(expected);
  });

  it("is not confused by what a longer key left behind", () => {
    digest("z".repeat(64));
    expect(digest("a", 0x9747b28c)[0]).toBe(0x7fa09ea6);
  });

  it("spreads the high word evenly and apart from the low one", () => {
    const counts = new Uint32Array(256);
    let same = 0;
    for (let i = 0; i < 25_600; i++) {
      const [low = 0, high = 0] = digest(`user-${i}`);
      counts[high >>> 24] = (counts[high >>> 24] ?? 0) + 1;
      if (high >>> 24 === low >>> 24) same++;
    }
    // 100 each, standard deviation 10.
    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(45);
    expect(Math.abs(same - 100)).toBeLessThan(45);
  });
});
