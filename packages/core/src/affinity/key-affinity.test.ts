import { clientIpAffinity, headerAffinity, type KeyAffinity, keyAffinity, type RoutableRequest } from "@fairlead/core";
import { describe, expect, test } from "vitest";

function request(headers: Record<string, string> = {}, clientIp?: string): RoutableRequest {
  return { method: "GET", host: "shop", path: "/a/b", search: "?c=1", header: (name) => headers[name], clientIp };
}

test.each<[KeyAffinity, string]>([
  [headerAffinity("X-Session"), "header x-session"],
  [clientIpAffinity(), "client ip"],
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

function addressKeyOf(ip: string | undefined, affinity = clientIpAffinity()): string | undefined {
  return affinity.keyOf(request({}, ip));
}

describe("by the client's address", () => {
  test("IPv4 addresses are told apart, those of one IPv6 network are not", () => {
    expect(addressKeyOf("192.0.2.1")).not.toBe(addressKeyOf("192.0.2.2"));
    expect(addressKeyOf("::ffff:192.0.2.1")).toBe(addressKeyOf("192.0.2.1"));
    expect(addressKeyOf("2001:db8::1")).toBe(addressKeyOf("2001:db8::ffff:1"));
    expect(addressKeyOf("2001:db8:0:1::1")).not.toBe(addressKeyOf("2001:db8:0:2::1"));
    const wide = clientIpAffinity({ ipv6Prefix: 48 });
    expect(addressKeyOf("2001:db8:0:1::1", wide)).toBe(addressKeyOf("2001:db8:0:2::1", wide));
    expect([undefined, "unknown"].map((ip) => addressKeyOf(ip))).toEqual([undefined, undefined]);
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
    expect(() => keyAffinity(answer as () => string).keyOf(request())).toThrow("must return a text or undefined");
  });
});

test.each<[string, () => unknown, string]>([
  [
    "a header's name",
    () => headerAffinity("x y"),
    'headerAffinity: 1 problem\n  name: got "x y", expected the name of a header',
  ],
  ["no header's name", () => headerAffinity(undefined as never), "name: got undefined"],
  ["a prefix", () => clientIpAffinity({ ipv6Prefix: 0 }), "ipv6Prefix: got 0, expected a whole number ≥ 1 and ≤ 128"],
  [
    "an unknown option",
    () => clientIpAffinity({ prefix: 64 } as never),
    "prefix: got a number, expected no such option",
  ],
  ["no function", () => keyAffinity("id" as never), 'keyOf: got "id", expected a function'],
])("%s is refused", (_what, make, message) => {
  expect(make).toThrow(
    expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG", message: expect.stringContaining(message) }),
  );
});
