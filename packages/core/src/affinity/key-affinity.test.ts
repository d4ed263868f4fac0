import { headerAffinity, type KeyAffinity, keyAffinity, type RoutableRequest } from "@fairlead/core";
import { describe, expect, test } from "vitest";

function request(headers: Record<string, string> = {}): RoutableRequest {
  return { method: "GET", host: "shop", path: "/a/b", search: "?c=1", header: (name) => headers[name] };
}

test.each<[KeyAffinity, string]>([
  [headerAffinity("X-Session"), "header x-session"],
  [keyAffinity(() => "x"), "key"],
])("%o says what it goes by", ({ kind, name }, expected) => {
  expect([kind, name]).toEqual(["key", expected]);
});

describe("by header", () => {
  test("its value is the key; without one there is none", () => {
    const affinity = headerAffinity("X-Session");
    expect(affinity.keyOf(request({ "x-session": "s1" }))).toBe("s1");
    expect(affinity.keyOf(request({ "x-session": "" }))).toBeUndefined();
    expect(affinity.keyOf(request())).toBeUndefined();
  });
});

describe("by a function", () => {
  test("its answer is the key; an empty text is none", () => {
    expect(keyAffinity(({ path, search }) => path + search).keyOf(request())).toBe("/a/b?c=1");
    expect(keyAffinity(() => "").keyOf(request())).toBeUndefined();
    expect(keyAffinity(() => undefined).keyOf(request())).toBeUndefined();
  });

  test.each<[string, () => unknown]>([
    ["a number", () => 1],
    ["null", () => null],
    ["a promise that rejects", () => Promise.reject(new Error("late"))],
  ])("%s is no key", (_what, answer) => {
    expect(() => keyAffinity(answer as never).keyOf(request())).toThrow("must return a text or undefined");
  });
});

test.each<[string, () => unknown, string]>([
  [
    "a header's name",
    () => headerAffinity("x y"),
    'headerAffinity: 1 problem\n  name: got "x y", expected the name of a header',
  ],
  ["no header's name", () => headerAffinity(undefined as never), "name: got undefined"],
  ["no function", () => keyAffinity("id" as never), 'keyOf: got "id", expected a function'],
])("%s is refused", (_what, make, message) => {
  expect(make).toThrow(
    expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG", message: expect.stringContaining(message) }),
  );
});
