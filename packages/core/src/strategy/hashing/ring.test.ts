import { describe, expect, it } from "vitest";
import { type FakeView, fakeView } from "../../../test/fakes.ts";
import { xxh64 } from "../../hash/xxh64.ts";
import { Ring } from "./ring.ts";

// Envoy's own: test/extensions/load_balancing_policies/ring_hash/ring_hash_lb_test.cc.

/** Hosts 127.0.0.1:<first>, :<first + 1>, … */
function hosts(first: number, weights: readonly number[]): FakeView {
  const view = fakeView(weights);
  for (const [index, backend] of view.backends.entries()) {
    backend.labels = { hash_key: `127.0.0.1:${first + index}` };
  }
  return view;
}

function ownerOf(ring: Ring, hash: bigint): number {
  return ring.ownerOf(Uint32Array.of(Number(hash & 0xffffffffn), Number(hash >> 32n)));
}

/** How many of evenly spaced hashes belong to each. */
function histogram(ring: Ring, backends: number, hashes: number): number[] {
  const counts = Array.from({ length: backends }, () => 0);
  const step = (2n ** 64n - 1n) / BigInt(hashes);
  for (let i = 0n; i < hashes; i++) {
    const owner = ownerOf(ring, i * step);
    counts[owner] = (counts[owner] ?? 0) + 1;
  }
  return counts;
}

const EQUAL = [1, 1, 1, 1, 1, 1];
const BASIC: readonly (readonly [bigint, number])[] = [
  [833437586790550860n, 94],
  [928266305478181108n, 92],
  [1033482794131418490n, 90],
  [3551244743356806947n, 95],
  [3851675632748031481n, 93],
  [5583722120771150861n, 91],
  [6311230543546372928n, 91],
  [7700377290971790572n, 93],
  [13144177310400110813n, 95],
  [13444792449719432967n, 92],
  [15516499411664133160n, 94],
  [16117243373044804889n, 90],
];

describe("a ring", () => {
  it("has Envoy's twelve entries for six hosts", () => {
    const ring = new Ring(hosts(90, EQUAL), xxh64, 12, 8_388_608);
    expect(ring.gauges).toEqual({ size: 12, fewestEntries: 2, mostEntries: 2 });
    for (const [index, [hash, port]] of BASIC.entries()) {
      expect(ownerOf(ring, hash)).toBe(port - 90);
      expect(ownerOf(ring, hash + 1n)).toBe((BASIC[(index + 1) % BASIC.length]?.[1] ?? 0) - 90);
    }
    expect(ownerOf(ring, 0n)).toBe(4);
    expect(ownerOf(ring, 2n ** 64n - 1n)).toBe(4);
  });

  it("has Envoy's entries for hosts with keys of their own", () => {
    const view = fakeView(EQUAL);
    for (const [index, backend] of view.backends.entries()) backend.labels = { hash_key: `${90 + index}` };
    const ring = new Ring(view, xxh64, 12, 8_388_608);
    const expected: readonly (readonly [bigint, number])[] = [
      [1975508444536362413n, 95],
      [2376063919839173711n, 95],
      [2386806903309390596n, 93],
      [6749904478991551885n, 94],
      [6803900775736438537n, 93],
      [7225015537174310577n, 92],
      [8787465352164086522n, 90],
      [11282020843382717940n, 92],
      [13723418369486627818n, 91],
      [13776502110861797421n, 90],
      [14338313586354474791n, 91],
      [15364271037087512980n, 94],
    ];
    for (const [hash, key] of expected) expect(ownerOf(ring, hash)).toBe(key - 90);
    expect(ownerOf(ring, 2n ** 64n - 1n)).toBe(5);
  });

  it("rounds up so that two hosts share a ring of at least three evenly", () => {
    const ring = new Ring(hosts(80, [1, 1]), xxh64, 3, 8_388_608);
    expect(ring.gauges).toEqual({ size: 4, fewestEntries: 2, mostEntries: 2 });
    const expected = [5454692015285649509n, 7859399908942313493n, 13838424394637650569n, 16064866803292627174n];
    expect(expected.map((hash) => ownerOf(ring, hash))).toEqual([0, 1, 0, 1]);
  });

  it("gives weights 1:2:3 a ring of exactly six", () => {
    const ring = new Ring(hosts(90, [1, 2, 3]), xxh64, 6, 6);
    expect(ring.gauges).toEqual({ size: 6, fewestEntries: 1, mostEntries: 3 });
    const expected: readonly (readonly [bigint, number])[] = [
      [928266305478181108n, 2],
      [4443673547860492590n, 2],
      [5583722120771150861n, 1],
      [6311230543546372928n, 1],
      [13444792449719432967n, 2],
      [16117243373044804889n, 0],
    ];
    for (const [hash, owner] of expected) expect(ownerOf(ring, hash)).toBe(owner);
  });

  it("shares a large ring by weight, hash for hash as Envoy does", () => {
    const ring = new Ring(hosts(90, [1, 2, 3]), xxh64, 6_144, 8_388_608);
    expect(ring.gauges).toEqual({ size: 6_144, fewestEntries: 1_024, mostEntries: 3_072 });
    expect(histogram(ring, 3, 6_000)).toEqual([987, 1_932, 3_081]);
  });

  it("shares by host and locality weight, hash for hash as Envoy does", () => {
    // Localities 1:2, hosts 1:2 in each.
    const ring = new Ring(hosts(90, [1, 2, 2, 4]), xxh64, 9_216, 8_388_608);
    expect(ring.gauges).toEqual({ size: 9_216, fewestEntries: 1_024, mostEntries: 4_096 });
    expect(histogram(ring, 4, 9_000)).toEqual([924, 2_009, 2_053, 4_014]);
  });

  it("divides 1,023 entries as Envoy does: the first gets the odd one", () => {
    const ring = new Ring(hosts(90, [1, 1]), xxh64, 1_023, 1_023);
    expect(ring.gauges).toEqual({ size: 1_023, fewestEntries: 511, mostEntries: 512 });
    expect(histogram(ring, 2, 1_023)).toEqual([526, 497]);
  });

  it("gives every 128th of very light hosts an entry where the ring is too small for all, and says so", () => {
    const ring = new Ring(hosts(0, [127 * 1_023, ...Array.from({ length: 1_023 }, () => 1)]), xxh64, 1_024, 1_024);
    expect(ring.gauges).toEqual({ size: 1_024, fewestEntries: 0, mostEntries: 1_016 });
    const expected: readonly (readonly [bigint, number])[] = [
      [11664790346325243808n, 1],
      [15894554872961148518n, 128],
      [13958138884277627155n, 256],
      [15803774069438192949n, 384],
      [3829253010855396576n, 512],
      [17918147347826565154n, 640],
      [6442769608292299103n, 768],
      [5881074926069334434n, 896],
    ];
    for (const [hash, owner] of expected) expect(ownerOf(ring, hash)).toBe(owner);
  });

  it("has an entry for everybody of equal weight, however small it should be", () => {
    const ring = new Ring(hosts(90, [1, 1, 1, 1]), xxh64, 2, 2);
    expect(ring.gauges).toEqual({ size: 4, fewestEntries: 1, mostEntries: 1 });
  });

  it("finds the next entry for any hash, as a linear search does", () => {
    const view = hosts(90, [3, 1, 2]);
    const ring = new Ring(view, xxh64, 300, 8_388_608);
    const points: { hash: bigint; owner: number }[] = [];
    const words = new Uint32Array(2);
    for (const [owner, { labels }] of view.backends.entries()) {
      for (let entry = 0; entry < [150, 50, 100][owner]!; entry++) {
        xxh64.digest(`${labels["hash_key"]}_${entry}`, 0, words);
        points.push({ hash: (BigInt(words[1]!) << 32n) | BigInt(words[0]!), owner });
      }
    }
    points.sort((a, b) => (a.hash < b.hash ? -1 : 1));
    for (let i = 0; i < 5_000; i++) {
      xxh64.digest(`key-${i}`, 7, words);
      const hash = (BigInt(words[1]!) << 32n) | BigInt(words[0]!);
      expect(ring.ownerOf(words)).toBe((points.find((point) => point.hash >= hash) ?? points[0]!).owner);
    }
  });

  it("works with a hash that fills its low word only, slow as that is", () => {
    const lowOnly = {
      name: "low",
      digest(key: string, seed: number, words: Uint32Array): void {
        xxh64.digest(key, seed, words);
        words[1] = 0;
      },
    };
    const ring = new Ring(hosts(90, EQUAL), lowOnly, 60, 60);
    expect(new Set(Array.from({ length: 500 }, (_, i) => ownerOf(ring, BigInt(i) * 8_589_934n))).size).toBe(6);
  });
});
