// Sessions by cookie over a whole balancer: where they live, how long, and what becomes of them.
import { type BalancerOptions, createRandom, fallbackTo, labelSubsets, rendezvous, roundRobin } from "@fairlead/core";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test, vi } from "vitest";
import { type CookieAffinityOptions, clientIpAffinity, cookieAffinity } from "../src/index.ts";
import { balancerOver } from "./support/balancers.ts";
import { Browser, listen, request } from "./support/sessions.ts";

const KEY = "3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ";
const HOUR_MS = 3_600_000;

/** Backends a to d by turns, under a clock that stands still, and what is told of sessions. */
function arrange(options: Partial<CookieAffinityOptions> = {}, balancing: Partial<BalancerOptions> = {}) {
  const clock = virtualClock();
  const backends = ["a", "b", "c", "d"].map((id) => ({ id, url: `http://10.0.0.1/${id}` }));
  const balancer = balancerOver(backends, { clock, strategy: roundRobin(), random: createRandom(1), ...balancing });
  const affinity = cookieAffinity({ keys: [KEY], ttlMs: HOUR_MS, ...options });
  const told = listen(balancer);
  return { clock, balancer, affinity, told, browser: () => new Browser(balancer, affinity) };
}

describe("a session", () => {
  test("stays where it began, and is handed a cookie once", async () => {
    const { browser, told } = arrange();
    const [one, two] = [browser(), browser()];
    const first = await one.visit();
    const other = await two.visit();
    expect(first).toEqual({ backend: first.backend, found: undefined, setCookie: expect.stringMatching(/^fairlead_/) });
    expect(other.backend).not.toBe(first.backend);
    for (let turn = 0; turn < 5; turn++) {
      expect(await one.visit()).toEqual({ backend: first.backend, found: first.backend, setCookie: undefined });
      expect(await two.visit()).toEqual({ backend: other.backend, found: other.backend, setCookie: undefined });
    }
    expect(told).toEqual([]);
  });

  test("is known to every process with the same keys, as text or bytes", async () => {
    const here = arrange();
    const there = arrange({ keys: [new TextEncoder().encode(KEY)] });
    const browser = here.browser();
    const { backend, setCookie } = await browser.visit();
    const stranger = there.browser();
    stranger.take(setCookie ?? "");
    expect(await stranger.visit()).toEqual({ backend, found: backend, setCookie: undefined });
  });

  test("may begin where a key says, under strategies that hash", async () => {
    const { balancer, affinity } = arrange({ firstBy: clientIpAffinity() }, { strategy: rendezvous() });
    const begins = async (ip: string): Promise<string> => (await new Browser(balancer, affinity, ip).visit()).backend;
    const homes = new Map<string, string>();
    for (let client = 0; client < 20; client++) homes.set(`192.0.2.${client}`, await begins(`192.0.2.${client}`));
    expect(new Set(homes.values()).size).toBeGreaterThan(1);
    for (const [ip, home] of homes) expect(await begins(ip)).toBe(home);
  });

  test("of one upstream is none of another's, though both are on one host", async () => {
    const orders = arrange();
    const users = balancerOver(["http://10.0.0.2"], { name: "users", clock: orders.clock });
    const browser = orders.browser();
    const { setCookie } = await browser.visit();
    const ofUsers = await orders.affinity.keep(request(), undefined, users.backends[0] as never, users);
    expect(ofUsers?.split("=")[0]).not.toBe(setCookie?.split("=")[0]);
    browser.take(ofUsers ?? "");
    expect((await browser.visit()).setCookie).toBeUndefined();
  });
});

describe("the life of a session", () => {
  test("that slides goes on while it is used: the cookie is renewed when a tenth of it is over, and not before", async () => {
    const { browser, clock, told } = arrange();
    const one = browser();
    const { backend } = await one.visit();
    await clock.advance(HOUR_MS * 0.09);
    expect((await one.visit()).setCookie).toBeUndefined();
    await clock.advance(HOUR_MS * 0.011);
    expect((await one.visit()).setCookie).toContain("; Max-Age=3600;");
    expect((await one.visit()).setCookie).toBeUndefined();
    for (let turn = 0; turn < 10; turn++) {
      await clock.advance(HOUR_MS * 0.9);
      expect(await one.visit()).toMatchObject({ backend, found: backend });
    }
    expect(told).toEqual([]);
  });

  test("that slides may be renewed with every response", async () => {
    const { browser, clock } = arrange({ refreshAfterMs: 0 });
    const one = browser();
    const { backend, setCookie } = await one.visit();
    await clock.advance(1_000);
    const again = await one.visit();
    expect(again.backend).toBe(backend);
    expect(again.setCookie).toBe(setCookie?.replace("Max-Age=3600", "Max-Age=3599"));
  });

  test("that is fixed ends when it is over, used or not", async () => {
    const { browser, clock } = arrange({ mode: "fixed" });
    const one = browser();
    const { backend } = await one.visit();
    for (let turn = 0; turn < 9; turn++) {
      await clock.advance(HOUR_MS * 0.1);
      expect(await one.visit()).toEqual({ backend, found: backend, setCookie: undefined });
    }
    await clock.advance(HOUR_MS * 0.1);
    expect(await one.visit()).toMatchObject({ found: undefined, setCookie: expect.stringContaining("Max-Age=3600") });
  });

  test("is over for us when it is over, whatever the browser keeps", async () => {
    const { browser, clock, told } = arrange({ persistent: false });
    const one = browser();
    const { setCookie } = await one.visit();
    expect(setCookie).not.toContain("Max-Age");
    await clock.advance(HOUR_MS * 0.98);
    expect(await one.visit()).toMatchObject({ found: expect.any(String) });
    await clock.advance(HOUR_MS);
    expect(await one.visit()).toMatchObject({ found: undefined, setCookie: expect.any(String) });
    expect(told).toEqual([{ event: "affinityIgnored", upstream: "orders", affinity: "cookie", because: "expired" }]);
  });

  test("does not suffer from clocks that differ, and does not last longer through one that goes wrong", async () => {
    const { browser, clock } = arrange();
    const one = browser();
    const { backend } = await one.visit();
    clock.setWall(clock.wallNow() - 60_000);
    expect(await one.visit()).toMatchObject({ backend, found: backend });
    clock.setWall(clock.wallNow() - 2 * HOUR_MS);
    expect(await one.visit()).toMatchObject({ found: undefined });
  });
});

describe("a session whose backend takes no calls", () => {
  test("moves, and lives where it has moved to", async () => {
    const { browser, balancer } = arrange();
    const one = browser();
    const { backend } = await one.visit();
    balancer.disable(backend);
    const moved = await one.visit();
    expect(moved).toMatchObject({ found: backend, setCookie: expect.any(String) });
    expect(moved.backend).not.toBe(backend);
    balancer.enable(backend);
    expect(await one.visit()).toEqual({ backend: moved.backend, found: moved.backend, setCookie: undefined });
  });

  test("moves by its key, where there is one", async () => {
    const { balancer, affinity } = arrange({ firstBy: clientIpAffinity() }, { strategy: rendezvous() });
    const [one, two] = [0, 1].map(() => new Browser(balancer, affinity, "192.0.2.7"));
    const { backend } = (await one?.visit()) ?? {};
    await two?.visit();
    balancer.disable(backend ?? "");
    expect((await one?.visit())?.backend).toBe((await two?.visit())?.backend);
  });

  test("waits for it, if that is the policy", async () => {
    const { browser, balancer, clock } = arrange({ pinPolicy: "wait" });
    const one = browser();
    const { backend } = await one.visit();
    balancer.disable(backend);
    let served: string | undefined;
    const visit = one.visit().then((done) => (served = done.backend));
    await clock.advance(5_000);
    expect(served).toBeUndefined();
    balancer.enable(backend);
    await visit;
    expect(served).toBe(backend);
  });

  test("fails, if that is the policy", async () => {
    const { browser, balancer } = arrange({ pinPolicy: "fail" });
    const one = browser();
    const { backend } = await one.visit();
    balancer.disable(backend);
    await expect(one.visit()).rejects.toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    balancer.enable(backend);
    expect((await one.visit()).backend).toBe(backend);
  });

  test.each(["redistribute", "wait", "fail"] as const)(
    "begins anew when it has left the set, under %s too",
    async (pinPolicy) => {
      const { browser, balancer, told } = arrange({ pinPolicy });
      const one = browser();
      const { backend } = await one.visit();
      balancer.set(balancer.backends.filter(({ id }) => id !== backend).map(({ spec }) => spec));
      const after = await one.visit();
      expect(after).toMatchObject({ found: undefined, setCookie: expect.any(String) });
      expect(after.backend).not.toBe(backend);
      expect(told).toEqual([
        { event: "affinityIgnored", upstream: "orders", affinity: "cookie", because: "backend-gone" },
      ]);
    },
  );

  test("is served by no backend of another subset", async () => {
    const specs = ["1", "2"].map((version) => ({ id: version, url: "http://10.0.0.1", labels: { version } }));
    const { browser, balancer } = arrange({}, { subsets: labelSubsets({ keys: ["version"] }), backends: specs });
    const one = browser();
    expect(await one.visit({ labels: { version: "1" } })).toMatchObject({ backend: "1" });
    expect(await one.visit({ labels: { version: "2" } })).toMatchObject({ found: "1", backend: "2" });
    const strict = arrange({ pinPolicy: "fail" }, { subsets: labelSubsets({ keys: ["version"] }), backends: specs });
    const two = strict.browser();
    await two.visit({ labels: { version: "1" } });
    await expect(two.visit({ labels: { version: "2" } })).rejects.toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    expect(balancer.backends.map((backend) => backend.inFlight("request"))).toEqual([0, 0]);
  });
});

describe("a draining backend", () => {
  test("keeps its sessions and gets no new ones", async () => {
    const { browser, balancer, told } = arrange();
    const old = browser();
    const { backend } = await old.visit();
    const drained = balancer.drain(backend);
    for (let turn = 0; turn < 8; turn++) {
      expect((await old.visit()).backend).toBe(backend);
      const begun = await browser().visit();
      expect(begun.backend).not.toBe(backend);
    }
    await drained;
    expect(told).toEqual([]);
  });
});

describe("an answer from elsewhere", () => {
  test("of a retry moves the session", async () => {
    const { browser } = arrange();
    const one = browser();
    const { backend } = await one.visit();
    const retried = await one.visit({ idempotent: true }, async (attempt) => {
      if (attempt.number === 1) throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      return attempt;
    });
    expect(retried.backend).not.toBe(backend);
    expect((await one.visit()).found).toBe(retried.backend);
  });

  test("of a fallback is no home: the cookie stays as it is", async () => {
    const away = balancerOver([{ id: "away", url: "http://10.0.0.9" }], { name: "away" });
    const { browser, balancer, told } = arrange({ pinPolicy: "fail" }, { fallback: fallbackTo(away) });
    const one = browser();
    const { backend } = await one.visit();
    balancer.disable(backend);
    expect(await one.visit()).toEqual({ backend: "away", found: backend, setCookie: undefined });
    expect(told).toEqual([]);
  });
});

describe("what it costs", () => {
  test("a known cookie is looked up at once, and a thousand new sessions share what a backend's first has made", async () => {
    const { browser, balancer, affinity, clock } = arrange();
    const sign = vi.spyOn(crypto.subtle, "sign");
    const verify = vi.spyOn(crypto.subtle, "verify");
    const browsers = Array.from({ length: 1_000 }, browser);
    for (const one of browsers) await one.visit();
    expect(sign).toHaveBeenCalledTimes(4);
    for (const one of browsers) {
      const asked = request({ cookie: `other=1; ${one.field}` });
      const found = affinity.find(asked, balancer);
      if (typeof found !== "string") throw new Error("not known at once");
      expect(affinity.keep(asked, found, balancer.backend(found) as never, balancer)).toBeUndefined();
    }
    expect(verify).not.toHaveBeenCalled();
    await clock.advance(HOUR_MS / 100);
    for (let turn = 0; turn < 40; turn++) await browser().visit();
    expect(sign).toHaveBeenCalledTimes(8);
    vi.restoreAllMocks();
  });
});
