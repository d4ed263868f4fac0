import { describe, expect, test } from "vitest";
import { RecentEntries } from "./recent-entries.ts";

describe("recent entries", () => {
  test("are all there while there are no more than fit", () => {
    const entries = new RecentEntries<number>(1_000);
    for (let round = 0; round < 3; round++) for (let key = 0; key < 1_000; key++) entries.set(String(key), key + round);
    for (let key = 0; key < 1_000; key++) expect(entries.get(String(key))).toBe(key + 2);
    expect(entries.get("1000")).toBeUndefined();
  });

  test("are never more, and those in use stay while others come and go", () => {
    const entries = new RecentEntries<string>(100);
    for (let key = 0; key < 50; key++) entries.set(`kept ${key}`, "kept");
    const left = (prefix: string, count: number): number =>
      Array.from({ length: count }, (_, key) => entries.get(`${prefix} ${key}`)).filter((value) => value !== undefined)
        .length;
    for (let turn = 0; turn < 2_000; turn++) {
      entries.set(`passing ${turn}`, "once");
      expect(left("kept", 50)).toBe(50);
    }
    expect(left("passing", 2_000)).toBe(50);
  });

  test("of which all were asked for give way in the order in which they came", () => {
    const entries = new RecentEntries<number>(3);
    for (const key of [1, 2, 3]) entries.set(String(key), key);
    for (const key of [3, 2, 1]) entries.get(String(key));
    entries.set("4", 4);
    expect(["1", "2", "3", "4"].map((key) => entries.get(key))).toEqual([undefined, 2, 3, 4]);
  });

  test("may be one", () => {
    const entries = new RecentEntries<number>(1);
    entries.set("a", 1);
    entries.set("a", 2);
    entries.get("a");
    entries.set("b", 3);
    expect([entries.get("a"), entries.get("b")]).toEqual([undefined, 3]);
  });
});
