import { describe, expect, it } from "vitest";
import { haproxyTiming } from "./haproxy-timing.ts";

describe("the timing of a HAProxy line", () => {
  it.each([
    ["inter 5s fall 3 rise 2", { intervalMs: 5_000, fastIntervalMs: 5_000, downIntervalMs: 5_000, timeoutMs: 5_000 }],
    [
      "check inter 2000 fastinter 500ms downinter 1m",
      { intervalMs: 2_000, fastIntervalMs: 500, downIntervalMs: 60_000 },
    ],
    ["inter 1500us", { intervalMs: 1.5 }],
    ["  rise 4   fall 7 ", { intervalMs: 2_000, rise: 4, fall: 7 }],
    ["", { intervalMs: 2_000, rise: 2, fall: 3 }],
    ["inter 1h downinter 1d", { intervalMs: 3_600_000, downIntervalMs: 86_400_000 }],
  ])("%s", (text, timing) => {
    expect(haproxyTiming(text)).toMatchObject(timing);
  });

  it.each([
    ["inter 5 s", /s: got a text, expected no such option/],
    ["inter 5sec", /inter: got "5sec", expected a time above 0 such as 500ms, 5s or 1m/],
    ["inter 0", /inter: got "0", expected a time above 0/],
    ["inter", /inter: got "", expected a time above 0/],
    ["rise 0 fall x", /rise: got "0", expected a whole number ≥ 1\n {2}fall: got "x", expected a whole number ≥ 1/],
    ["interval 5s", /interval: got a text, expected no such option; did you mean `inter`/],
    ["rise 1 rise 2", /rise: got "2", expected to be there once/],
  ])("%s is refused", (text, message) => {
    expect(() => haproxyTiming(text)).toThrow(message);
  });
});
