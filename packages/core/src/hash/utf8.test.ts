import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Utf8Words } from "./utf8.ts";

function encode(words: Utf8Words, text: string): number[] {
  const length = words.encode(text);
  return Array.from({ length }, (_, at) => ((words.words[at >> 2] ?? 0) >>> (8 * (at & 3))) & 0xff);
}

describe("UTF-8 in words", () => {
  it("is what TextEncoder says, for any text, one after the other in the same scratch", () => {
    const words = new Utf8Words();
    const unit = fc.oneof(fc.nat(0x7f), fc.nat(0x7ff), fc.integer({ min: 0xd7f0, max: 0xe010 }), fc.nat(0xffff));
    const text = fc.string({ unit: unit.map((code) => String.fromCharCode(code)), maxLength: 40 });
    fc.assert(
      fc.property(text, (sample) => {
        expect(encode(words, sample)).toEqual([...new TextEncoder().encode(sample)]);
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });

  it("fills the last word up with zeros", () => {
    const words = new Utf8Words();
    words.encode("zzzzzzzz");
    words.encode("ab");
    expect(words.words[0]).toBe(0x6261);
  });

  it("grows for texts that need more than it has, and only then", () => {
    const words = new Utf8Words();
    const first = words.words;
    encode(words, "€".repeat(340));
    expect(words.words).toBe(first);
    for (const length of [341, 342, 1_366, 5_000]) {
      const text = "€".repeat(length);
      expect(encode(words, text)).toEqual([...new TextEncoder().encode(text)]);
    }
  });
});
