import { describe, expect, it } from "vitest";
import { FairleadError } from "./errors.ts";
import { expected, OptionCheck } from "./options.ts";

describe("a check without problems", () => {
  it("throws nothing, and hands values through", () => {
    const check = new OptionCheck();
    expect(check.required("a", 1, expected.number({ min: 1 }))).toBe(1);
    expect(check.optional("b", undefined, expected.text)).toBeUndefined();
    expect(check.record("c", { x: 1 }, ["x"])).toEqual({ x: 1 });
    expect(() => check.throwIfAny("test")).not.toThrow();
    expect(check.count).toBe(0);
  });
});

describe("a check with problems", () => {
  it("names all of them in one error, one line each", () => {
    const check = new OptionCheck();
    check.required("a", 0, expected.number({ above: 0 }));
    check.record("b", { colour: 1 }, ["color"]);
    check.required("c", null, expected.boolean);
    const message = [
      "test: 3 problems",
      "  a: got 0, expected a number > 0",
      "  b.colour: got 1, expected no such option; did you mean `color`?",
      "  c: got null, expected true or false",
    ];
    expect(() => check.throwIfAny("test")).toThrow(FairleadError);
    expect(() => check.throwIfAny("test")).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message[0] ?? "") as string }) as Error,
    );
    expect(check.problems.map(({ path }) => path)).toEqual(["a", "b.colour", "c"]);
  });

  it.each<[unknown, string]>([
    ["text", '"text"'],
    ["x".repeat(200), `"${"x".repeat(79)}…"`],
    [[], "an empty list"],
    [[1, 2], "a list of 2"],
    [{ a: 1 }, "an object"],
    [() => {}, "a function"],
    [Number.NaN, "NaN"],
    [undefined, "undefined"],
  ])("shows a value in short: %s", (value, got) => {
    const check = new OptionCheck();
    check.problem("a", value, "something else");
    expect(check.problems[0]?.got).toBe(got);
  });

  it("never shows a secret", () => {
    const check = new OptionCheck();
    check.required("key", 12_345, expected.secretText);
    expect(check.problems[0]?.got).toContain("not shown");
    expect(JSON.stringify(check.problems)).not.toContain("12345");
  });
});

describe("what values may be", () => {
  it.each<[string, { accepts(value: unknown): boolean }, readonly unknown[], readonly unknown[]]>([
    ["text", expected.text, ["a"], ["", 1, undefined]],
    ["number", expected.number({ min: 0, max: 1 }), [0, 0.5, 1], [-0.1, 1.1, Number.NaN, "0"]],
    ["number above", expected.number({ above: 0 }), [Number.MIN_VALUE, 1e9], [0, -1, Infinity]],
    ["integer", expected.integer({ min: 1 }), [1, 100], [0, 1.5, Number.NaN, "1"]],
    ["duration", expected.durationOrOff, [false, 0.5, 2 ** 31 - 1], [true, 0, -1, Number.NaN, 2 ** 31, Infinity]],
    ["one of", expected.oneOf(["a", "b"]), ["a", "b"], ["c", "", undefined]],
    ["labels", expected.labels, [{}, { a: "b" }], [{ a: 1 }, [], null]],
    ["header", expected.headerValue, ["a.example", "a:80", "[::1]:80"], ["", "a b", "a\r\nb", "a/b"]],
    ["texts", expected.textOrTexts, ["a", ["a", "b"], []], [[1], 1, null]],
    ["method", expected.having("next", ""), [{ next: () => 1 }], [{}, { next: 1 }, null, () => {}]],
  ])("%s", (_, wanted, right, wrong) => {
    for (const value of right) expect(wanted.accepts(value), String(value)).toBe(true);
    for (const value of wrong) expect(wanted.accepts(value), String(value)).toBe(false);
  });
});
