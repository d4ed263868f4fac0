import { describe, expect, it } from "vitest";
import { type FakeView, fakeView, repeat } from "../../../test/fakes.ts";
import { xxh64 } from "../../hash/xxh64.ts";
import { MaglevTable } from "./maglev-table.ts";

// Envoy's own: test/extensions/load_balancing_policies/maglev/maglev_lb_test.cc.

function hosts(keys: readonly string[], weights: readonly number[] = keys.map(() => 1)): FakeView {
  const view = fakeView(weights);
  for (const [index, backend] of view.backends.entries()) backend.labels = { hash_key: keys[index] ?? "" };
  return view;
}

const PORTS = ["90", "91", "92", "93", "94", "95"];
const ADDRESSES = PORTS.map((port) => `127.0.0.1:${port}`);

/** The owners of the hashes from 0 on. */
function owners(table: MaglevTable, hashes: number): number[] {
  return Array.from({ length: hashes }, (_, hash) => table.ownerOf(Uint32Array.of(hash, 0)));
}

describe("a Maglev table", () => {
  it("of seven slots is Envoy's for six hosts", () => {
    const table = new MaglevTable(hosts(ADDRESSES), xxh64, 7);
    expect(owners(table, 14)).toEqual([2, 4, 0, 1, 5, 0, 3, 2, 4, 0, 1, 5, 0, 3]);
    expect(table.gauges).toEqual({ size: 7, fewestEntries: 1, mostEntries: 2 });
  });

  it("of seven slots is Envoy's for six hosts with keys of their own", () => {
    expect(owners(new MaglevTable(hosts(PORTS), xxh64, 7), 7)).toEqual([2, 5, 0, 3, 4, 1, 0]);
  });

  it("of seventeen slots is Envoy's for weights 1:2", () => {
    const table = new MaglevTable(hosts(ADDRESSES.slice(0, 2), [1, 2]), xxh64, 17);
    expect(owners(table, 17)).toEqual([1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1]);
    expect(table.gauges).toEqual({ size: 17, fewestEntries: 6, mostEntries: 11 });
  });

  it("of seventeen slots is Envoy's for equal localities", () => {
    const table = new MaglevTable(hosts(ADDRESSES.slice(0, 2)), xxh64, 17);
    expect(owners(table, 17)).toEqual([1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]);
  });

  it("of seventeen slots is Envoy's for localities 8:2", () => {
    const table = new MaglevTable(hosts(ADDRESSES.slice(0, 2), [8, 2]), xxh64, 17);
    expect(owners(table, 17)).toEqual([1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    expect(table.gauges).toEqual({ size: 17, fewestEntries: 4, mostEntries: 13 });
  });

  it("of Envoy's default size divides 1:2 to the slot", () => {
    const table = new MaglevTable(hosts(ADDRESSES.slice(0, 2), [1, 2]), xxh64, 65_537);
    expect(table.gauges).toEqual({ size: 65_537, fewestEntries: 21_846, mostEntries: 43_691 });
  });

  it("is the same in any order of the view", () => {
    const table = new MaglevTable(hosts(ADDRESSES, [1, 2, 3, 4, 5, 6]), xxh64, 65_537);
    const order = [3, 0, 5, 1, 4, 2];
    const shuffled = new MaglevTable(
      hosts(
        order.map((index) => ADDRESSES[index] ?? ""),
        order.map((index) => index + 1),
      ),
      xxh64,
      65_537,
    );
    expect(owners(shuffled, 65_537).map((index) => order[index])).toEqual(owners(table, 65_537));
  });

  it("looks a hash up by its remainder, whatever its size", () => {
    for (const size of [2, 7, 65_537, 5_000_011]) {
      const table = new MaglevTable(hosts(size === 2 ? ["a", "b"] : ADDRESSES), xxh64, size);
      const words = new Uint32Array(2);
      for (let i = 0; i < 500; i++) {
        xxh64.digest(`key-${i}`, 0, words);
        if (i === 0) words.fill(0xffffffff);
        const slot = Number(((BigInt(words[1]!) << 32n) | BigInt(words[0]!)) % BigInt(size));
        expect(table.ownerOf(words)).toBe(table.ownerOf(Uint32Array.of(slot, 0)));
      }
    }
  });

  it("is taken larger when there are more backends than slots, so that each has one", () => {
    const table = new MaglevTable(fakeView(repeat(40, () => 1)), xxh64, 7);
    // 7 → 17 → 37 → 79.
    expect(table.gauges).toEqual({ size: 79, fewestEntries: 1, mostEntries: 2 });
    expect(new Set(owners(table, 79)).size).toBe(40);
  });

  it("gives the lightest a slot also where its share is smaller than one", () => {
    const table = new MaglevTable(fakeView([1_000_000, 1]), xxh64, 101);
    expect(table.gauges).toEqual({ size: 101, fewestEntries: 1, mostEntries: 100 });
  });
});
