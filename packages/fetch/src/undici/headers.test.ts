import { describe, expect, test } from "vitest";
import { givenHeader, lastingHeaders, withHeaders } from "./headers.ts";

const forms = [
  ["a record", { "X-Key": "1", other: ["2", "3"], gone: undefined }],
  ["names and values in turn", ["X-Key", "1", "other", "2"]],
  ["a Map", new Map([["X-Key", "1"]])],
  ["Headers", new Headers({ "X-Key": "1" })],
] as const;

describe("the headers of a request", () => {
  test.each(forms)("as %s are found and replaced, whatever their case", (_form, headers) => {
    expect(givenHeader(headers as never, "x-key")).toBe("1");
    expect(givenHeader(headers as never, "x-none")).toBeUndefined();
    const all = withHeaders(headers as never, { "x-key": "9", "x-new": "8" });
    expect(all.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())).toEqual(
      expect.arrayContaining(["x-key", "x-new"]),
    );
    expect([givenHeader(all, "x-key"), givenHeader(all, "x-new")]).toEqual(["9", "8"]);
    expect(all.filter((item) => /^x-key$/i.test(item))).toHaveLength(1);
  });

  test("keep what they say twice", () => {
    expect(withHeaders(["a", "1", "a", "2"], { b: "3" })).toEqual(["a", "1", "a", "2", "b", "3"]);
    expect(withHeaders({ a: ["1", "2"] }, {})).toEqual(["a", ["1", "2"]]);
  });

  test("that an iterator hands over are there for every attempt", () => {
    const lasting = lastingHeaders(new Map([["X-Key", "1"]]).entries());
    for (let i = 0; i < 2; i++) expect(givenHeader(lasting, "x-key")).toBe("1");
    const record = { "x-key": "1" };
    expect(lastingHeaders(record)).toBe(record);
    for (const none of [undefined, null]) expect(lastingHeaders(none)).toBe(none);
  });

  test("may be none", () => {
    for (const none of [undefined, null, [], {}]) {
      expect(givenHeader(none, "a")).toBeUndefined();
      expect(withHeaders(none, { a: "1" })).toEqual(["a", "1"]);
    }
  });
});
