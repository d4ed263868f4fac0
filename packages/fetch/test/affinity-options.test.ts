// Options of affinities: what is refused, and what the presets decide.
import { type FairleadError, headerAffinity, type SessionAffinity } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import {
  albAffinity,
  type CookieAffinityOptions,
  clientIpAffinity,
  cloudflareAffinity,
  cookieAffinity,
  cookieValueAffinity,
  yarpAffinity,
} from "../src/index.ts";
import { balancerOver } from "./support/balancers.ts";
import { Browser, request } from "./support/sessions.ts";

const KEY = "3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ";
const keys = [KEY];

function problemsOf(make: () => unknown): string[] {
  try {
    make();
  } catch (error) {
    const { code, problems, message } = error as FairleadError;
    expect(code).toBe("FAIRLEAD_ERR_CONFIG");
    for (const secret of ["hunter2", KEY]) expect(message).not.toContain(secret);
    return problems.map(({ path, got }) => `${path}: ${got}`);
  }
  return [];
}

describe("cookieAffinity refuses", () => {
  test.each<[string, unknown, string[]]>([
    ["no keys", {}, ["keys: (not shown)"]],
    ["an empty list", { keys: [] }, ["keys: (not shown)"]],
    ["one key that is no list", { keys: KEY }, ["keys: (not shown)"]],
    [
      "a short key, a placeholder and a missing one",
      { keys: ["hunter2", "x".repeat(40), undefined, KEY] },
      ["keys[0]: (not shown)", "keys[1]: (not shown)", "keys[2]: (not shown)"],
    ],
    ["bytes that were never filled", { keys: [new Uint8Array(32)] }, ["keys[0]: (not shown)"]],
    ["a key under another name", { keys, secret: "hunter2" }, ["secret: a text"]],
    ["names with anything odd", { keys, name: "a;b" }, ['name: "a;b"']],
    ["an empty name", { keys, name: "" }, ['name: ""']],
    [
      "line breaks in attributes",
      { keys, path: "/\r\nX: y", domain: "a.test\r\n" },
      ['path: "/\\r\\nX: y"', 'domain: "a.test\\r\\n"'],
    ],
    [
      "attributes within attributes",
      { keys, path: "/; Domain=evil.test", domain: "a;b" },
      ['path: "/; Domain=evil.test"', 'domain: "a;b"'],
    ],
    ["a path that is none", { keys, path: "shop" }, ['path: "shop"']],
    ["times out of bounds", { keys, ttlMs: 999, refreshAfterMs: -1 }, ["ttlMs: 999", "refreshAfterMs: -1"]],
    ["a life of over 400 days", { keys, ttlMs: 34_560_000_001 }, ["ttlMs: 34560000001"]],
    ["renewal after the end", { keys, ttlMs: 5_000, refreshAfterMs: 5_000 }, ["refreshAfterMs: 5000"]],
    ["renewal of what is fixed", { keys, mode: "fixed", refreshAfterMs: 1 }, ["refreshAfterMs: 1"]],
    [
      "words that are none",
      { keys, mode: "rolling", sameSite: "Lax", pinPolicy: "move" },
      ['mode: "rolling"', 'sameSite: "Lax"', 'pinPolicy: "move"'],
    ],
    ["SameSite=None without Secure", { keys, sameSite: "none", secure: false }, ["secure: false"]],
    ["Partitioned without Secure", { keys, partitioned: true, secure: false }, ["secure: false"]],
    ["__Secure- without it", { keys, name: "__Secure-s", secure: false }, ["secure: false"]],
    [
      "__Host- with what it forbids",
      { keys, name: "__host-s", secure: false, path: "/a", domain: "a.test" },
      ["secure: false", 'path: "/a"', 'domain: "a.test"'],
    ],
    ["a cache of nothing", { keys, cacheSize: 0 }, ["cacheSize: 0"]],
    ["what is no affinity", { keys, firstBy: "ip" }, ['firstBy: "ip"']],
  ])("%s", (_what, options, problems) => {
    expect(problemsOf(() => cookieAffinity(options as CookieAffinityOptions))).toEqual(problems);
  });

  test("nothing else", () => {
    const firstBy = headerAffinity("x-id");
    expect(problemsOf(() => cookieAffinity({ keys, name: "__Host-s", firstBy, cacheSize: 1 }))).toEqual([]);
    expect(problemsOf(() => cookieAffinity({ keys, name: "__Secure-s", path: "/a", domain: "shop.test" }))).toEqual([]);
    expect(problemsOf(() => cookieAffinity({ keys, ttlMs: 1_000, refreshAfterMs: 0, secure: false }))).toEqual([]);
  });
});

const HOUR_MS = 3_600_000;

/** What a preset hands to a browser at first, and after an hour. */
async function handed(affinity: SessionAffinity, laterMs = HOUR_MS): Promise<(string | undefined)[]> {
  const clock = virtualClock();
  const browser = new Browser(balancerOver(["http://10.0.0.1"], { clock }), affinity);
  const first = await browser.visit();
  await clock.advance(laterMs);
  const later = await browser.visit();
  expect(later.found).toBe("10.0.0.1:80");
  return [first, later].map(({ setCookie }) => setCookie?.replace(/=[\w-]{50,}/, "=…").replace(/fairlead_\w+/, "name"));
}

const SAFE = "Path=/; Secure; HttpOnly; SameSite=Lax";

describe("the preset", () => {
  test("of ALB lives a day from the last response, each of which has the cookie", async () => {
    expect(await handed(albAffinity({ keys }))).toEqual([
      `name=…; Max-Age=86400; ${SAFE}`,
      `name=…; Max-Age=86400; ${SAFE}`,
    ]);
    expect(await handed(albAffinity({ keys, ttlMs: 2 * HOUR_MS, name: "lb", sameSite: "none" }))).toEqual([
      "lb=…; Max-Age=7200; Path=/; Secure; HttpOnly; SameSite=None",
      "lb=…; Max-Age=7200; Path=/; Secure; HttpOnly; SameSite=None",
    ]);
    expect(problemsOf(() => albAffinity({ keys, ttlMs: 604_800_001, mode: "fixed" } as never))).toEqual([
      "mode: a text",
      "ttlMs: 604800001",
    ]);
  });

  test("of Cloudflare lives half an hour from the first response", async () => {
    const [first = "", later] = await handed(cloudflareAffinity({ keys }), HOUR_MS / 4);
    expect(first).toMatch(/^name=…; Max-Age=1800; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
    expect(later).toBeUndefined();
    expect(problemsOf(() => cloudflareAffinity({ keys, ttlMs: 1_799_999 }))).toEqual(["ttlMs: 1799999"]);
    expect(problemsOf(() => cloudflareAffinity({ keys, ttlMs: 1_800_000, type: "cookie" }))).toEqual([]);
    expect(problemsOf(() => cloudflareAffinity({ keys, type: "header" as never, refreshAfterMs: 1 } as never))).toEqual(
      ["refreshAfterMs: a number", 'type: "header"'],
    );
  });

  test("of Cloudflare's ip_cookie begins where the client's address says", () => {
    const byIp = cloudflareAffinity({ keys, type: "ip_cookie" });
    expect(byIp.keyOf?.(request({}, "2001:db8::1"))).toBe("2001:db8::/64");
    expect(cloudflareAffinity({ keys }).keyOf).toBeUndefined();
  });

  test("of YARP ends with the browser's session and is not renewed", async () => {
    expect(await handed(yarpAffinity({ keys }))).toEqual([`.Yarp.Affinity=…; ${SAFE}`, undefined]);
    const [first] = await handed(yarpAffinity({ keys, maxAgeMs: 2 * HOUR_MS, name: "Key1" }));
    expect(first).toMatch(/^Key1=…; Max-Age=7200; /);
    expect(yarpAffinity({ keys }).pinPolicy).toBe("redistribute");
    expect(yarpAffinity({ keys, failurePolicy: "Return503Error" }).pinPolicy).toBe("fail");
    const wrong = { keys: ["hunter2"], failurePolicy: "Return503", maxAgeMs: 1, ttlMs: 1_000 };
    expect(problemsOf(() => yarpAffinity(wrong as never))).toEqual([
      "ttlMs: a number",
      "keys[0]: (not shown)",
      'failurePolicy: "Return503"',
      "maxAgeMs: 1",
    ]);
  });
});

describe("cookieValueAffinity", () => {
  test("goes by the first cookie of that name; without one, or without a value, there is no session", () => {
    const affinity = cookieValueAffinity("sid");
    expect([affinity.kind, affinity.name]).toEqual(["key", "cookie sid"]);
    expect(affinity.keyOf(request({ cookie: "a=1; sid=s1; sid=s2" }))).toBe("s1");
    expect(affinity.keyOf(request({ cookie: "xsid=1; SID=2" }))).toBeUndefined();
    expect(affinity.keyOf(request({ cookie: "sid=; sid=s2" }))).toBeUndefined();
    expect(affinity.keyOf(request())).toBeUndefined();
    expect(problemsOf(() => cookieValueAffinity("a b"))).toEqual(['name: "a b"']);
  });
});

function addressKeyOf(ip: string | undefined, affinity = clientIpAffinity()): string | undefined {
  return affinity.keyOf(request({}, ip));
}

describe("clientIpAffinity", () => {
  test("tells IPv4 addresses apart, and those of one IPv6 network not", () => {
    expect([clientIpAffinity().kind, clientIpAffinity().name]).toEqual(["key", "client ip"]);
    expect(addressKeyOf("192.0.2.1")).not.toBe(addressKeyOf("192.0.2.2"));
    expect(addressKeyOf("::ffff:192.0.2.1")).toBe(addressKeyOf("192.0.2.1"));
    expect(addressKeyOf("2001:db8::1")).toBe(addressKeyOf("2001:db8::ffff:1"));
    expect(addressKeyOf("2001:db8:0:1::1")).not.toBe(addressKeyOf("2001:db8:0:2::1"));
    expect([undefined, "unknown"].map((ip) => addressKeyOf(ip))).toEqual([undefined, undefined]);
  });

  test.each([
    [1, "8000::/1"],
    [48, "ffff:ffff:ffff::/48"],
    [57, "ffff:ffff:ffff:ff80::/57"],
    [128, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"],
  ])("goes by as many bits as told: %d", (ipv6Prefix, key) => {
    expect(addressKeyOf(`ffff${":ffff".repeat(7)}`, clientIpAffinity({ ipv6Prefix }))).toBe(key);
  });

  test("refuses what is no prefix", () => {
    expect(problemsOf(() => clientIpAffinity({ ipv6Prefix: 0 }))).toEqual(["ipv6Prefix: 0"]);
    expect(problemsOf(() => clientIpAffinity({ ipv6Prefix: 129, prefix: 64 } as never))).toEqual([
      "prefix: a number",
      "ipv6Prefix: 129",
    ]);
  });
});
