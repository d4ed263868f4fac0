import { describe, expect, it } from "vitest";
import { parseStatusRange } from "./status-ranges.ts";

describe("a range of statuses", () => {
  it.each([
    ["200", 200, 200],
    ["599", 599, 599],
    ["500-503", 500, 503],
    ["404-404", 404, 404],
    ["399-400", 399, 400],
    ["2xx", 200, 299],
    ["5xx", 500, 599],
  ])("%s is %d to %d", (text, from, to) => {
    expect(parseStatusRange(text)).toEqual({ from, to });
  });

  it.each([
    "",
    "20",
    "2000",
    "600",
    "099",
    "6xx",
    "xxx",
    "2XX",
    "2x",
    "20x",
    "503-500",
    "500-",
    "-500",
    "500 - 503",
    " 200",
  ])("is not %j", (text) => {
    expect(parseStatusRange(text)).toBeUndefined();
  });
});
