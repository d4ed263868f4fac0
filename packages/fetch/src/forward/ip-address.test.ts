import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientKey, ipText, parseIp, parseNode } from "./ip-address.ts";

const textOf = (text: string, parse = parseIp): string | undefined => {
  const address = parse(text);
  return address && ipText(address);
};

describe("an address", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["fe80::1%eth0", "fe80::1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
  ])("%s is %s", (text, canonical) => {
    expect(textOf(text)).toBe(canonical);
  });

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "01.2.3.4",
    "1.2.3.-4",
    "0x1.2.3.4",
    " 1.2.3.4",
    "1.2.3.4:80",
    ":",
    ":::",
    ":1::2",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "12345::",
    "g::1",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "[::1]",
    `${"0".repeat(100)}::1`,
    "unknown",
  ])("%j is none", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  test("any IPv6 address is written as URLs write it, however it came", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const { hostname } = new URL(`http://[${text}]`);
        const canonical = textOf(text);
        if (canonical?.includes(":") === true) expect(`[${canonical}]`).toBe(hostname);
        else expect(hostname).toMatch(/^\[::ffff:/);
      }),
    );
  });

  test("what was written is read as the same address, and any text is read without an error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (text) => {
        const address = parseIp(text);
        if (address !== undefined) expect(parseIp(ipText(address))).toEqual(address);
      }),
    );
  });
});

test.each([
  ["192.0.2.1:4711", "192.0.2.1"],
  ["[2001:db8::1]:4711", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
  ["192.0.2.1:", undefined],
  ["192.0.2.1:123456", undefined],
  ["[192.0.2.1]", undefined],
  ["[2001:db8::1", undefined],
  ["[2001:db8::1]x", undefined],
  ["_hidden", undefined],
])("what a proxy calls %s is %s", (text, canonical) => {
  expect(textOf(text, parseNode)).toBe(canonical);
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:ffff::", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8::/64"],
])("%s is counted as %s", (text, key) => {
  expect(clientKey(parseIp(text) ?? [])).toBe(key);
});
