import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TrustRule } from "./contract.ts";
import { type Client, Trust } from "./trust.ts";

const XFF = "x-forwarded-for";
const PROXIES: TrustRule = { proxies: ["10.0.0.0/8", "2001:db8:ff::/48"] };

function clientOf(rule: TrustRule | undefined, ip: string | undefined, headers: Record<string, string>): Client {
  const all = new Headers(headers);
  return new Trust(rule).clientOf({ ip }, (name) => all.get(name));
}

interface Case {
  readonly name: string;
  readonly rule?: TrustRule;
  readonly peer?: string;
  readonly headers?: Record<string, string>;
  readonly path: readonly string[];
}

const cases: readonly Case[] = [
  { name: "nobody is trusted", peer: "10.0.0.1", headers: { [XFF]: "6.6.6.6" }, path: ["10.0.0.1"] },
  { name: "nothing is known", headers: { [XFF]: "6.6.6.6" }, path: [] },
  { name: "no hops", rule: { hops: 0 }, peer: "10.0.0.1", headers: { [XFF]: "6.6.6.6" }, path: ["10.0.0.1"] },
  {
    name: "one hop, what the client claims left out",
    rule: { hops: 1 },
    peer: "10.0.0.1",
    headers: { [XFF]: "6.6.6.6, 192.0.2.7" },
    path: ["192.0.2.7", "10.0.0.1"],
  },
  {
    name: "two hops",
    rule: { hops: 2 },
    peer: "10.0.0.1",
    headers: { [XFF]: "6.6.6.6, 192.0.2.7,10.0.0.2" },
    path: ["192.0.2.7", "10.0.0.2", "10.0.0.1"],
  },
  {
    name: "more hops than there are",
    rule: { hops: 5 },
    peer: "10.0.0.1",
    headers: { [XFF]: "192.0.2.7" },
    path: ["192.0.2.7", "10.0.0.1"],
  },
  { name: "hops, but no header", rule: { hops: 1 }, peer: "10.0.0.1", path: ["10.0.0.1"] },
  { name: "hops, and no peer", rule: { hops: 1 }, headers: { [XFF]: "6.6.6.6, 192.0.2.7" }, path: ["192.0.2.7"] },
  {
    name: "proxies, the peer none of them",
    rule: PROXIES,
    peer: "192.0.2.9",
    headers: { [XFF]: "6.6.6.6" },
    path: ["192.0.2.9"],
  },
  {
    name: "proxies up to the first that is none",
    rule: PROXIES,
    peer: "::ffff:10.0.0.1",
    headers: { [XFF]: "10.6.6.6, 192.0.2.7, [2001:db8:ff::2]:1234, 10.0.0.2:80" },
    path: ["192.0.2.7", "2001:db8:ff::2", "10.0.0.2", "10.0.0.1"],
  },
  {
    name: "nothing but proxies",
    rule: PROXIES,
    peer: "10.0.0.1",
    headers: { [XFF]: "10.0.0.3, 10.0.0.2" },
    path: ["10.0.0.3", "10.0.0.2", "10.0.0.1"],
  },
  {
    name: "a malformed entry ends the walk",
    rule: PROXIES,
    peer: "10.0.0.1",
    headers: { [XFF]: "192.0.2.7, nonsense, 10.0.0.2" },
    path: ["10.0.0.2", "10.0.0.1"],
  },
  {
    name: "an empty entry ends the walk",
    rule: { hops: 2 },
    peer: "10.0.0.1",
    headers: { [XFF]: "192.0.2.7, , 10.0.0.2," },
    path: ["10.0.0.1"],
  },
  {
    name: "Forwarded",
    rule: PROXIES,
    peer: "10.0.0.1",
    headers: { forwarded: 'for=6.6.6.6, for="[2001:db8::7]:99", for=10.0.0.2' },
    path: ["2001:db8::7", "10.0.0.2", "10.0.0.1"],
  },
  {
    name: "a malformed Forwarded says nothing",
    rule: PROXIES,
    peer: "10.0.0.1",
    headers: { forwarded: 'for="6.6.6.6, for=10.0.0.2' },
    path: ["10.0.0.1"],
  },
  {
    name: "X-Forwarded-For goes before Forwarded",
    rule: PROXIES,
    peer: "10.0.0.1",
    headers: { [XFF]: "192.0.2.7", forwarded: "for=6.6.6.6" },
    path: ["192.0.2.7", "10.0.0.1"],
  },
  {
    name: "the header of a platform",
    rule: { header: "cf-connecting-ip" },
    headers: { [XFF]: "6.6.6.6", "cf-connecting-ip": "2001:DB8::7" },
    path: ["2001:db8::7"],
  },
  {
    name: "the header of a platform that says nothing good",
    rule: { header: "cf-connecting-ip" },
    peer: "10.0.0.1",
    headers: { "cf-connecting-ip": "6.6.6.6, 7.7.7.7" },
    path: ["10.0.0.1"],
  },
  {
    name: "a platform that is the peer itself",
    rule: { header: "x-real-ip" },
    peer: "192.0.2.7",
    headers: { "x-real-ip": "192.0.2.7" },
    path: ["192.0.2.7"],
  },
];

test.each(cases)("who the client is: $name", ({ rule, peer, headers = {}, path }) => {
  const client = clientOf(rule, peer, headers);
  expect(client.path).toEqual(path);
  expect(client.ip).toBe(path[0]);
});

describe("scheme and host", () => {
  test("are what trusted proxies say", () => {
    const headers = { [XFF]: "192.0.2.7", "x-forwarded-proto": "HTTPS", "x-forwarded-host": "Shop.example.com:8443" };
    expect(clientOf({ hops: 1 }, "10.0.0.1", headers).said).toEqual({ proto: "https", host: "shop.example.com:8443" });
    expect(clientOf(undefined, "10.0.0.1", headers).said).toEqual({});
    expect(clientOf({ header: "x-real-ip" }, "10.0.0.1", headers).said).toEqual({});
  });

  test("are what the peer has said, where several have", () => {
    const headers = { "x-forwarded-proto": "http, https", "x-forwarded-host": "evil.example, shop.example.com" };
    expect(clientOf({ hops: 1 }, "10.0.0.1", headers).said).toEqual({ proto: "https", host: "shop.example.com" });
  });

  test("come with the client's element of Forwarded", () => {
    const forwarded = "for=6.6.6.6;proto=http;host=evil, for=192.0.2.7;proto=https;host=shop.example.com, for=10.0.0.2";
    expect(clientOf(PROXIES, "10.0.0.1", { forwarded }).said).toEqual({ proto: "https", host: "shop.example.com" });
  });

  test.each(["evil.example/path", "a b", "user@evil", "[::1", "shop:port", "a,"])("no host is %j", (host) => {
    expect(clientOf({ hops: 1 }, "10.0.0.1", { "x-forwarded-host": host }).said.host).toBeUndefined();
  });
});

test("whatever a client writes down in front, behind n proxies its address is that which the farthest has seen", () => {
  const proxies = fc.array(fc.ipV4(), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.string(), fc.ipV4(), proxies, (claimed, client, seen) => {
      // Each proxy appends whom it had the request from; the last of them is the peer.
      const before = claimed.replace(/[^\x20-\x7e]/g, "");
      const listed = [before, client, ...seen.slice(0, -1)].filter((text) => text !== "").join(", ");
      expect(clientOf({ hops: seen.length }, seen.at(-1), { [XFF]: listed }).ip).toBe(client);
    }),
  );
});
