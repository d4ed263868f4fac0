import fc from "fast-check";
import { expect, test } from "vitest";
import { formatForwarded, parseForwarded } from "./forwarded.ts";

test.each([
  ["for=192.0.2.1", [{ for: "192.0.2.1" }]],
  ['For="[2001:db8::1]:4711";Proto=https', [{ for: "[2001:db8::1]:4711", proto: "https" }]],
  [
    "for=192.0.2.1;by=203.0.113.1;host=example.com, for=unknown",
    [{ for: "192.0.2.1", by: "203.0.113.1", host: "example.com" }, { for: "unknown" }],
  ],
  ['for="a\\"b,;c", for=_x', [{ for: 'a"b,;c' }, { for: "_x" }]],
  ["", []],
])("%s is read", (text, elements) => {
  expect(parseForwarded(text)).toEqual(elements);
});

test.each(['for="192.0.2.1', "for=192.0.2.1,", "for=192.0.2.1;", "for", "for =x", "for=[::1]", "for=a b", ", for=a"])(
  "nothing of %s counts",
  (text) => {
    expect(parseForwarded(text)).toBeUndefined();
  },
);

test("addresses and ports are quoted where they have to be", () => {
  expect(formatForwarded(["2001:db8::1", "10.0.0.1"], "example.com:8080", "https")).toBe(
    'for="[2001:db8::1]";host="example.com:8080";proto=https, for=10.0.0.1',
  );
  expect(formatForwarded([], "[::1]:80", "http")).toBe('for=unknown;host="[::1]:80";proto=http');
});

test("what was written is read, whatever the addresses", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(fc.array(address, { minLength: 1, maxLength: 4 }), fc.webAuthority(), (path, host) => {
      const elements = parseForwarded(formatForwarded(path, host, "https"));
      expect(elements?.map((element) => element.for?.replace(/^\[(.*)\]$/, "$1"))).toEqual(path);
      expect(elements?.[0]).toMatchObject({ host, proto: "https" });
    }),
  );
});

test("no text makes it fail", () => {
  fc.assert(fc.property(fc.string(), (text) => void parseForwarded(text)));
});
