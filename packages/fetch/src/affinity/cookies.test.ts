import { createRandom } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { cookieValueAt, nextCookie } from "./cookies.ts";

/** All values of one name, in order. */
function values(field: string, name: string): string[] {
  const found: string[] = [];
  for (let at = nextCookie(field, name); at >= 0; at = nextCookie(field, name, at))
    found.push(cookieValueAt(field, at));
  return found;
}

/** Slow and plain, to compare with. */
function expectedValues(field: string, name: string): string[] {
  return field
    .split(";")
    .map((part) => part.replace(/^[ \t]+/, ""))
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1).trim());
}

describe("the cookies of a request", () => {
  test.each([
    ["", []],
    ["a=1", ["1"]],
    ["a=1; a=2;a=3 ; \ta=4", ["1", "2", "3", "4"]],
    ["ba=1; A=2; a.b=3; x=a=4", []],
    ["a=", [""]],
    ["a", []],
    ["a =1", []],
    ["=a=1", []],
    [";;; ;a=1", ["1"]],
    ["a==1=", ["=1="]],
    ['a="q"', ['"q"']],
    ["x a=1", []],
    ["a=a=1; b=2", ["a=1"]],
  ])("%j has these called a: %j", (field, expected) => {
    expect(values(field, "a")).toEqual(expected);
  });

  test("are what splitting at every semicolon gives, whatever the field looks like", () => {
    const random = createRandom(1);
    const drawn = (count: number): number => Math.floor(random.next() * count);
    for (let turn = 0; turn < 5_000; turn++) {
      const field = Array.from({ length: drawn(40) }, () => "ab=;; \t1é"[drawn(9)]).join("");
      for (const name of ["a", "b", "ab", "aa"]) {
        expect(values(field, name), JSON.stringify(field)).toEqual(expectedValues(field, name));
      }
    }
  });

  test.each([
    ["blanks", " ".repeat(100_000)],
    ["the name alone", "a=".repeat(50_000)],
    ["blanks and the name", `${" ".repeat(50)}a=`.repeat(2_000)],
    ["five hundred cookies of 200 characters", `other=${"v".repeat(193)};`.repeat(500)],
  ])("take a time that grows with the length of the field and no faster: %s", (_what, field) => {
    const startMs = performance.now();
    for (let turn = 0; turn < 20; turn++) values(`${field}; a=1`, "a");
    // 2 MB in all: some ten milliseconds. Were each place looked at from each other, it would be minutes.
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});
