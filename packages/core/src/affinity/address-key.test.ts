import { isIP, SocketAddress } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressKey } from "./address-key.ts";

describe("the key of an address", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:0:0:0:0/64"],
    ["2001:0DB8:0001:0002::", "2001:db8:1:2:0:0:0:0/64"],
    ["2001:db8:1:2::192.0.2.1", "2001:db8:1:2:0:0:0:0/64"],
    ["fe80::1%eth0", "fe80:0:0:0:0:0:0:0/64"],
    ["::1", "0:0:0:0:0:0:0:0/64"],
    ["::", "0:0:0:0:0:0:0:0/64"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0:0:0:0:0/64"],
  ])("%s is %s", (address, key) => {
    expect(addressKey(address, 64)).toBe(key);
  });

  test.each([
    "",
    "unknown",
    "_hidden",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01",
    "192.0.2.1.1",
    "192.0.2.1:80",
    "[::1]",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1.2.3.4.5",
    "::1.2.3.4:5",
    ":".repeat(8_000),
    "1.".repeat(8_000),
  ])("%j has none", (text) => {
    expect(addressKey(text, 64)).toBeUndefined();
  });

  test.each([
    [1, "8000:0:0:0:0:0:0:0/1"],
    [48, "ffff:ffff:ffff:0:0:0:0:0/48"],
    [56, "ffff:ffff:ffff:ff00:0:0:0:0/56"],
    [128, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"],
  ])("has the first %d bits", (prefix, key) => {
    expect(addressKey(`ffff${":ffff".repeat(7)}`, prefix)).toBe(key);
  });

  test("does not depend on how the address is written, and knows an address from what is none as Node does", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV4(), (six, four) => {
        const { address } = new SocketAddress({ address: six, family: "ipv6" });
        expect(addressKey(six, 128)).toBe(addressKey(address, 128));
        expect(addressKey(six.toUpperCase(), 128)).toBe(addressKey(six, 128));
        expect(addressKey(`::ffff:${four}`, 64)).toBe(addressKey(four, 64));
      }),
    );
    const scraps = fc.string({ unit: fc.constantFrom(":", "::", ".", "1", "255", "ff", "0"), maxLength: 20 });
    fc.assert(
      fc.property(scraps, (text) => {
        expect(addressKey(text, 64) === undefined).toBe(isIP(text) === 0);
      }),
      { numRuns: 5_000 },
    );
  });
});
