import { describe, expect, test } from "vitest";
import { parseRetryAfter } from "./retry-after.ts";

const NOW = Date.parse("2026-11-21T00:00:00Z");

describe("Retry-After", () => {
  test.each([
    ["0", 0],
    ["120", 120_000],
    [" 5 ", 5_000],
    // The three forms of RFC 9110 §5.6.7.
    ["Sat, 21 Nov 2026 00:00:30 GMT", 30_000],
    ["Saturday, 21-Nov-26 00:00:30 GMT", 30_000],
    ["Sat Nov 21 00:00:30 2026", 30_000],
    // The wait is over.
    ["Fri, 20 Nov 2026 00:00:00 GMT", 0],
  ])("%j asks for %d ms", (value, ms) => {
    expect(parseRetryAfter(value, NOW)).toBe(ms);
  });

  test.each([null, undefined, "", "soon", "-5", "+5", "1.5", "1e3", "0x10", "2026-11-21", "5 minutes", "Sat, 99 Nov"])(
    "%j says nothing",
    (value) => {
      expect(parseRetryAfter(value, NOW)).toBeUndefined();
    },
  );
});
