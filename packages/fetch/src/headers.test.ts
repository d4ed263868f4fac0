import { describe, expect, it } from "vitest";
import { readHeader } from "./headers.ts";

const FORMS: readonly [string, HeadersInit][] = [
  ["Headers", new Headers({ "X-Session": "a" })],
  ["a record", { accept: "*/*", "X-Session": "a" }],
  ["a record of one", { "x-session": "a" }],
  ["a record that has it twice", { "X-Session": "a", "x-session": "b", "X-SESSION": "" }],
  ["a record with space around the value", { "x-session": " \t a b\r\n" }],
  ["a record with space that is part of the value", { "x-session": "\u00a0a" }],
  ["a record with an empty value", { "x-session": "" }],
  ["a record with a number", { "x-session": 7 } as unknown as HeadersInit],
  ["a record with an inherited one", Object.assign(Object.create({ "x-session": "inherited" }), { accept: "*/*" })],
  ["a record without it", { "x-sessions": "a", "y-session": "b" }],
  [
    "pairs",
    [
      ["x-session", "a"],
      ["X-Session", " b"],
    ],
  ],
  ["a map", new Map([["X-Session", "a"]]) as unknown as HeadersInit],
];

describe("a header that is read without Headers", () => {
  it.each(FORMS)("has the value that it has in Headers: %s", (_, headers) => {
    expect(readHeader(headers, "x-session")).toBe(new Headers(headers).get("x-session") ?? undefined);
  });

  it("is none where there are no headers", () => {
    expect(readHeader(undefined, "x-session")).toBeUndefined();
  });
});
