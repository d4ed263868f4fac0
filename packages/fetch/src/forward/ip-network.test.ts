import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIp } from "./ip-address.ts";
import { contains, parseNetwork } from "./ip-network.ts";

function isIn(network: string, address: string): boolean {
  const parsed = parseNetwork(network);
  return parsed !== undefined && contains(parsed, parseIp(address) ?? []);
}

test.each([
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["172.16.0.0/12", "172.31.255.255", true],
  ["172.16.0.0/12", "172.32.0.0", false],
  ["192.0.2.1", "192.0.2.1", true],
  ["192.0.2.1", "192.0.2.2", false],
  ["0.0.0.0/0", "203.0.113.9", true],
  ["0.0.0.0/0", "2001:db8::1", false],
  ["2001:db8::/32", "2001:db8:ffff::1", true],
  ["2001:db8::/33", "2001:db8:8000::1", false],
  ["::/0", "2001:db8::1", true],
  ["::/0", "192.0.2.1", false],
  ["10.0.0.0/8", "::ffff:10.1.2.3", true],
  ["::ffff:10.0.0.0/104", "10.1.2.3", true],
])("%s has %s: %s", (network, address, expected) => {
  expect(isIn(network, address)).toBe(expected);
});

test.each([
  "",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/8/8",
  "::/129",
  "10.0.0/8",
  "example.com",
  "::ffff:10.0.0.0/95",
])("%j is no network", (text) => {
  expect(parseNetwork(text)).toBeUndefined();
});

function bits(text: string): string {
  return (parseIp(text) ?? []).map((byte) => byte.toString(2).padStart(8, "0")).join("");
}

test("two addresses are in a network of n bits exactly if these are the same", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (base, other, length) => {
      const alike = bits(base).slice(0, length) === bits(other).slice(0, length);
      expect(isIn(`${base}/${length}`, other)).toBe(alike);
    }),
  );
});
