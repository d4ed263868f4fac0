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
    // Leading zeros are digits.
    ["0000000005", 5_000],
    // Ten years, and more than there will be: whoever waits has a limit of its own.
    ["315360000", 315_360_000_000],
    ["Fri, 31 Dec 9999 23:59:59 GMT", Date.parse("9999-12-31T23:59:59Z") - NOW],
    ["9".repeat(400), Number.MAX_SAFE_INTEGER],
    // The wait is over.
    ["Fri, 20 Nov 2026 00:00:00 GMT", 0],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 0],
  ])("%j asks for %d ms", (value, ms) => {
    expect(parseRetryAfter(value, NOW)).toBe(ms);
  });

  test.each([
    null,
    undefined,
    "",
    " ",
    "soon",
    "-5",
    "+5",
    "1.5",
    "1e3",
    "0x10",
    "2026-11-21",
    "5 minutes",
    "Sat, 99 Nov",
    "5, 10",
    "NaN",
    "Infinity",
    "-0",
    "٥",
    "\u0000",
    "5\n6",
    "2026-11-21T00:00:30Z",
    "1764460800000 GMT",
    "Sat, 99 Nov 2026 00:00:30 GMT",
    "Sat, 21 Foo 2026 00:00:30 GMT",
    "Sat, 21 Nov 2026 00:00:30 CET",
    "Sat, 21 Nov 2026 99:99:99 GMT",
    "Sat, 21 Nov 2026 00:00:30",
    "21 Nov 2026 00:00:30 GMT",
  ])("%j says nothing", (value) => {
    expect(parseRetryAfter(value, NOW)).toBeUndefined();
  });
});
