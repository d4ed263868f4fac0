// What the cookie of a session is made of, and what becomes of one that is not as it should be.
import { createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import { inspect } from "node:util";
import { createRandom } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type CookieAffinityOptions, cookieAffinity } from "../src/index.ts";
import { balancerOver } from "./support/balancers.ts";
import { Browser, listen, request } from "./support/sessions.ts";

const KEY = "3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ";
const OTHER_KEY = "pL4oKm3IjN2uHb1yGv0tFc9rDx8eSz7w";
const BACKENDS = [
  { id: "10.20.30.40:8080", url: "http://10.20.30.40:8080" },
  { id: "10.20.30.41:8080", url: "http://10.20.30.41:8080" },
];

afterEach(() => {
  vi.restoreAllMocks();
});

async function arrange(options: Partial<CookieAffinityOptions> = {}, name = "orders") {
  const clock = virtualClock();
  const balancer = balancerOver(BACKENDS, { clock, name });
  const affinity = cookieAffinity({ keys: [KEY], name: "sticky", ...options });
  const told = listen(balancer);
  const { setCookie = "" } = await new Browser(balancer, affinity).visit();
  const value = /^[^=]+=([^;]*)/.exec(setCookie)?.[1] ?? "";
  /** What `find` makes of a `Cookie` field, and why it has ignored anything. */
  const find = async (cookie: string): Promise<readonly [string | undefined, ...string[]]> => {
    const from = told.length;
    const found = await affinity.find(request({ cookie }), balancer);
    return [found, ...told.slice(from).map((record) => ("because" in record ? record.because : record.event))];
  };
  return { balancer, affinity, told, value, find, setCookie, clock };
}

const HOME = "10.20.30.40:8080";

/** The cookie of a new session, but for its value. */
async function shown(options: Partial<CookieAffinityOptions>): Promise<string> {
  return (await arrange(options)).setCookie.replace(/=[\w-]{50,}/, "=…");
}

describe("the cookie", () => {
  test("has the attributes that were asked for, and safe ones else", async () => {
    expect(await shown({})).toBe("sticky=…; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax");
    expect(
      await shown({ path: "/shop", domain: "shop.test", sameSite: "none", partitioned: true, persistent: false }),
    ).toBe("sticky=…; Path=/shop; Domain=shop.test; Secure; HttpOnly; SameSite=None; Partitioned");
    expect(await shown({ secure: false, httpOnly: false, sameSite: "strict", ttlMs: 1_000, name: "s" })).toBe(
      "s=…; Max-Age=1; Path=/; SameSite=Strict",
    );
    expect(await shown({ name: "__Host-sticky" })).toMatch(/^__Host-sticky=…; Max-Age=86400; Path=\/; Secure/);
  });

  test("tells a client nothing of the backend, and nobody anything of the key", async () => {
    const { value, told, affinity } = await arrange();
    const bytes = Buffer.from(value, "base64url").toString("latin1");
    expect(bytes).not.toContain("10.20");
    expect(bytes).not.toContain("8080");
    expect(inspect([affinity, told], { depth: 9 })).not.toContain(KEY.slice(0, 8));
    const shorter = await arrange();
    expect(shorter.value).not.toBe(value);
  });

  test("is what any other program can verify and read that has the key", async () => {
    const { value, clock } = await arrange();
    const keys = Buffer.from(hkdfSync("sha256", KEY, "", "fairlead affinity cookie, version 1", 68));
    const bytes = Buffer.from(value, "base64url");
    const [body, tag] = [bytes.subarray(0, -32), bytes.subarray(-32)];
    expect([body[0], body.subarray(1, 5)]).toEqual([1, keys.subarray(64)]);
    const scope = Buffer.from("sticky\norders");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(scope.length);
    const mac = createHmac("sha256", keys.subarray(32, 64))
      .update(Buffer.concat([length, scope, body]))
      .digest();
    expect(mac).toEqual(tag);
    const decipher = createDecipheriv("aes-256-cbc", keys.subarray(0, 32), body.subarray(5, 21));
    const plain = Buffer.concat([decipher.update(body.subarray(21)), decipher.final()]);
    expect(plain.subarray(8).toString()).toBe(HOME);
    expect(plain.readDoubleBE(0)).toBe(clock.wallNow());
  });
});

describe("a cookie that was tampered with", () => {
  test("is forged or malformed at every byte, and never leads anywhere", async () => {
    const { value, find } = await arrange();
    expect(await find(`sticky=${value}`)).toEqual([HOME]);
    const bytes = Buffer.from(value, "base64url");
    const why: string[] = [];
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const [found, ...because] = await find(`sticky=${changed.toString("base64url")}`);
      expect([found, because.length]).toEqual([undefined, 1]);
      why.push(...because);
    }
    expect(why).toEqual(["malformed", ...Array(4).fill("unknown-key"), ...Array(bytes.length - 5).fill("forged")]);
    for (let length = 0; length < value.length; length++) {
      const [found, because] = await find(`sticky=${value.slice(0, length)}`);
      expect(found).toBeUndefined();
      expect(["malformed", "forged"]).toContain(because);
    }
  });

  test.each([
    ["nothing", ""],
    ["not base64url", "a+b/c="],
    ["a character that is none", "é".repeat(120)],
    ["a name of a backend", HOME],
    ["eight kilobytes", "A".repeat(8_192)],
    ["eight kilobytes of nonsense", "\u0000%;,".repeat(2_048)],
    ["quoted", '"AQAAAA"'],
    ["another version", Buffer.alloc(120, 2).toString("base64url")],
  ])("is malformed: %s", async (_what, value) => {
    const verify = vi.spyOn(crypto.subtle, "verify");
    const { find } = await arrange();
    expect(await find(`sticky=${value}`)).toEqual([undefined, "malformed"]);
    expect(verify).not.toHaveBeenCalled();
  });

  test("may be written one way only", async () => {
    const { value, find } = await arrange({ name: "s" });
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(value.at(-1) ?? "");
    const twin = value.slice(0, -1) + alphabet[last ^ 1];
    expect(Buffer.from(twin, "base64url")).toEqual(Buffer.from(value, "base64url"));
    expect(await find(`s=${twin}`)).toEqual([undefined, "malformed"]);
  });

  test("of any bytes at all throws nothing", async () => {
    const { find, value } = await arrange();
    const random = createRandom(7);
    for (let turn = 0; turn < 500; turn++) {
      const bytes = Uint8Array.from({ length: Math.floor(random.next() * 140) }, () => random.next() * 256);
      const text = turn % 2 === 0 ? Buffer.from(bytes).toString("base64url") : Buffer.from(bytes).toString("latin1");
      expect((await find(`sticky=${text}`))[0]).toBeUndefined();
    }
    expect(await find(`sticky=${value}`)).toEqual([HOME]);
  });
});

describe("a cookie for something else is forged", () => {
  test.each<[string, Partial<CookieAffinityOptions>, string]>([
    ["another upstream", {}, "users"],
    ["another name", { name: "stick" }, "orders"],
    ["what only looks the same when joined", { name: "sticky" }, "orders\n"],
  ])("%s", async (_what, options, upstream) => {
    const { value } = await arrange(options, upstream);
    const { find } = await arrange();
    expect(await find(`sticky=${value}`)).toEqual([undefined, "forged"]);
  });
});

describe("rotating keys", () => {
  test("the newest signs, all verify, and one that is dropped is unknown", async () => {
    const old = await arrange();
    const both = await arrange({ keys: [OTHER_KEY, KEY] });
    expect(await both.find(`sticky=${old.value}`)).toEqual([HOME]);
    const late = await arrange({ keys: [OTHER_KEY] });
    expect(await late.find(`sticky=${old.value}`)).toEqual([undefined, "unknown-key"]);
    expect(await late.find(`sticky=${both.value}`)).toEqual([HOME]);
    expect(await old.find(`sticky=${both.value}`)).toEqual([undefined, "unknown-key"]);
  });

  test("a buffer that is changed afterwards changes nothing", async () => {
    const key = new TextEncoder().encode(KEY);
    const affinity = cookieAffinity({ keys: [key], name: "sticky" });
    key.fill(0);
    const { balancer, value } = await arrange();
    expect(await affinity.find(request({ cookie: `sticky=${value}` }), balancer)).toBe(HOME);
  });
});

describe("several cookies of the name", () => {
  test("the first that holds good counts, and those before it are ignored", async () => {
    const { value, find } = await arrange();
    expect(await find(`sticky=x; sticky=${value}; sticky=y`)).toEqual([HOME, "malformed"]);
    expect(await find(`a=1; sticky=${value}; sticky=x`)).toEqual([HOME]);
    expect(await find("sticky=x; sticky=y")).toEqual([undefined, "malformed", "malformed"]);
  });

  test("four are looked at, however many there are", async () => {
    const { value, find } = await arrange();
    const forged = Buffer.from(value, "base64url");
    forged[30] = (forged[30] ?? 0) ^ 1;
    const verify = vi.spyOn(crypto.subtle, "verify");
    const field = `${`sticky=${forged.toString("base64url")}; `.repeat(500)}sticky=${value}`;
    expect(await find(field)).toEqual([undefined, "forged", "forged", "forged", "forged"]);
    expect(verify).toHaveBeenCalledTimes(4);
  });

  test("five hundred others and eight kilobytes cost little", async () => {
    const { value, affinity, balancer } = await arrange();
    const others = Array.from({ length: 500 }, (_, index) => `c${index}=${"v".repeat(20)}`).join("; ");
    for (const field of [`${others}; sticky=${value}`, `big=${"x".repeat(8_192)}; sticky=${value}`]) {
      const asked = request({ cookie: field });
      const startMs = performance.now();
      for (let turn = 0; turn < 1_000; turn++) expect(affinity.find(asked, balancer)).toBe(HOME);
      // Some 5 µs each, most of it in `expect`.
      expect(performance.now() - startMs).toBeLessThan(1_000);
    }
  });
});

describe("what is remembered", () => {
  test("is bounded: of more cookies than that, those not used for longest are verified again", async () => {
    const { affinity, balancer, clock } = await arrange({ cacheSize: 4, ttlMs: 100_000 });
    const fields: string[] = [];
    for (let turn = 0; turn < 8; turn++) {
      await clock.advance(1_000);
      const setCookie = await affinity.keep(request(), undefined, balancer.backends[0] as never, balancer);
      fields.push((setCookie ?? "").split(";")[0] ?? "");
    }
    const verify = vi.spyOn(crypto.subtle, "verify");
    const known = (): boolean[] =>
      fields.map((cookie) => typeof affinity.find(request({ cookie }), balancer) === "string");
    expect(known().slice(-2)).toEqual([true, true]);
    expect(known().filter(Boolean).length).toBeLessThanOrEqual(4);
    await affinity.find(request({ cookie: fields[0] ?? "" }), balancer);
    expect(affinity.find(request({ cookie: fields[0] ?? "" }), balancer)).toBe(HOME);
    expect(verify).toHaveBeenCalled();
  });
});
