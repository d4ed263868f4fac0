import {
  type Balancer,
  createBalancer,
  createRandom,
  createRouter,
  FairleadError,
  type RouteOptions,
  type Router,
  type RouterOptions,
} from "@fairlead/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requestOf } from "./support/requests.ts";
import { record } from "./support/world.ts";

let a: Balancer;
let b: Balancer;
let c: Balancer;

beforeEach(() => {
  [a, b, c] = ["a", "b", "c"].map((name) => createBalancer({ name, backends: [`http://${name}.test`] })) as [
    Balancer,
    Balancer,
    Balancer,
  ];
});

afterEach(async () => {
  await Promise.all([a, b, c].map((balancer) => balancer.close()));
});

function routerOf(routes: readonly RouteOptions[], more: Omit<RouterOptions, "routes"> = {}): Router {
  return createRouter({ name: "app", random: createRandom(3), routes, ...more });
}

const where = (router: Router, ...request: Parameters<typeof requestOf>): string | undefined =>
  router.route(requestOf(...request))?.balancer.name;

describe("a route", () => {
  test.each([
    [{ host: "api.test" }, "http://api.test/x", "http://other.test/x"],
    [{ host: ["api.test", "*.api.test"] }, "http://eu.api.test/x", "http://apitest/x"],
    [{ host: "api.test:8080" }, "http://api.test:8080/", "http://api.test/"],
    [{ path: "/v1" }, "http://app/v1/x", "http://app/v10"],
    [{ path: ["/v1", "/v2"] }, "http://app/v2?x=/v3", "http://app/v3?x=/v1"],
    [{ path: "/v1" }, "http://app//v%31/x", "http://app/v1%2Fx"],
  ])("with %j takes %s, not %s", (conditions, taken, passed) => {
    const router = routerOf([{ ...conditions, to: a }]);
    expect([where(router, taken), where(router, passed)]).toEqual(["a", undefined]);
  });

  test.each([
    [{ method: "POST" }, { method: "POST" }, { method: "GET" }],
    [{ method: ["put", "PATCH"] }, { method: "PUT" }, { method: "POST" }],
    [{ headers: { "X-Canary": "1" } }, { headers: { "x-canary": "1" } }, { headers: { "x-canary": "2" } }],
    [{ headers: { "x-canary": ["1", "2"] } }, { headers: { "x-canary": "2" } }, { headers: { "x-canary": "1, 2" } }],
    [{ headers: { "x-canary": true } }, { headers: { "x-canary": "" } }, {}],
    [{ headers: { "x-canary": false } }, {}, { headers: { "x-canary": "" } }],
    [{ headers: { cookie: /\bbeta=1\b/ } }, { headers: { cookie: "a=1; beta=1" } }, { headers: { cookie: "beta=10" } }],
    [{ headers: { "x-a": "1", "x-b": "1" } }, { headers: { "x-a": "1", "x-b": "1" } }, { headers: { "x-a": "1" } }],
    [{ when: () => true, method: "GET" }, {}, { method: "POST" }],
  ])("with %j takes %j, not %j", (conditions, taken, passed) => {
    const router = routerOf([{ ...conditions, to: a }]);
    const url = "http://app/x";
    expect([where(router, url, taken), where(router, url, passed)]).toEqual(["a", undefined]);
  });

  test("begins anew with each header, global and sticky expressions too", () => {
    for (const flags of ["g", "y", "gy", "giy"]) {
      const expression = new RegExp("beta", flags);
      const router = routerOf([{ headers: { "x-group": expression }, to: a }]);
      const headers = { "x-group": "beta" };
      expect([1, 2, 3, 4].map(() => where(router, "http://app/", { headers }))).toEqual(["a", "a", "a", "a"]);
      expect(expression.lastIndex).toBe(0);
    }
    const sticky = routerOf([{ headers: { "x-group": /a|b/y }, to: a }]);
    expect(where(sticky, "http://app/", { headers: { "x-group": "xb" } })).toBeUndefined();
  });

  test("is the first whose conditions hold; what nobody takes goes to the default, or nowhere", () => {
    const routes = [
      { path: "/v1", method: "POST", to: a },
      { path: "/v1", to: b },
    ];
    const router = routerOf(routes, { default: c });
    expect(where(router, "http://app/v1", { method: "POST" })).toBe("a");
    expect(where(router, "http://app/v1")).toBe("b");
    expect(where(router, "http://app/v2")).toBe("c");
    expect(router.route(requestOf("http://app/"))?.route).toBe("default");
    expect(where(routerOf(routes), "http://app/v2")).toBeUndefined();
  });

  test("whose `when` fails takes nothing, and says so", () => {
    const failures = record(a, "callbackFailed");
    const late = (() => Promise.reject(new Error("late"))) as unknown as () => boolean;
    const router = routerOf(
      [
        { name: "throws", when: fail, to: a },
        { name: "late", when: late, to: a },
      ],
      { default: b },
    );
    expect(where(router, "http://app/")).toBe("b");
    expect(failures.map(({ record: { where: place, upstream } }) => [upstream, place])).toEqual([
      ["a", "route throws: when"],
      ["a", "route late: when"],
    ]);
  });

  test("rewrites the longest of its prefixes, and undoes it", () => {
    const router = routerOf([{ path: ["/api", "/api/v1"], rewritePath: "/internal", to: a }]);
    const match = router.route(requestOf("http://app/api/v1/x?y=1"));
    expect(match?.path).toBe("/internal/x?y=1");
    expect(match?.logicalPath("/internal/after")).toBe("/api/v1/after");
    expect(match?.logicalPath("/login")).toBe("/login");
    expect(router.route(requestOf("http://app/api/v2?y"))?.path).toBe("/internal/v2?y");
    expect(routerOf([{ to: a }]).route(requestOf("http://app//x/%2e%2e/y%2fz?q"))?.path).toBe("//y%2fz?q");
  });
});

describe("a router", () => {
  test("serves its own origin and the hosts of its routes", () => {
    const router = routerOf([
      { host: ["api.test", "*.api.test:81"], to: a },
      { path: "/x", to: b },
    ]);
    for (const origin of ["http://app", "http://api.test", "https://api.test:8443", "http://x.api.test:81"])
      expect(router.serves(origin)).toBe(true);
    for (const origin of ["http://other.test", "https://app", "http://x.api.test", "ws://api.test", "null", ""])
      expect(router.serves(origin)).toBe(false);
    expect(createRouter({ default: a })).toMatchObject({ name: "router", origin: "http://router" });
    expect(createRouter({ origin: "https://www.test", default: a }).origin).toBe("https://www.test");
  });

  test("lists every balancer once, mirrors included", () => {
    const shares = [
      { to: a, percent: 50 },
      { to: b, percent: 50 },
    ];
    const router = routerOf([{ to: shares, mirror: { to: c, percent: 1 } }, { to: a }], { default: b });
    expect(router.balancers).toEqual([a, b, c]);
  });

  test("explains, and leaves no trace of it", () => {
    const shares = [
      { to: a, percent: 90 },
      { to: b, percent: 10 },
    ];
    const router = routerOf(
      [
        { name: "other host", host: "api.test", to: a },
        { name: "other header", path: "/v1", headers: { "x-canary": true }, to: a },
        { name: "other mood", when: () => false, to: a },
        { name: "split", path: "/v1", rewritePath: "/", to: shares },
        { name: "sticky", path: "/v2", splitBy: () => "key", to: shares },
      ],
      {},
    );
    const before = JSON.stringify(router.snapshot());
    expect(router.explain(requestOf("http://app/v1/x?y"))).toEqual({
      route: "split",
      upstream: null,
      path: "/x?y",
      passed: [
        { route: "other host", because: "host" },
        { route: "other header", because: "header x-canary" },
        { route: "other mood", because: "when" },
      ],
    });
    const sticky = router.explain(requestOf("http://app/v2"));
    expect(sticky.upstream).toBe(router.route(requestOf("http://app/v2"))?.balancer.name);
    const nowhere = router.explain(requestOf("http://app/v3", { method: "POST" }));
    expect(nowhere).toMatchObject({ route: null, upstream: null, path: null });
    expect(nowhere.passed.map(({ because }) => because)).toEqual(["host", "path", "when", "path", "path"]);
    expect(JSON.parse(before)).toMatchObject({ unmatched: 0, routes: [{}, {}, {}, { matched: 0 }, { matched: 0 }] });
  });

  test("counts what has gone where", () => {
    const shares = [
      { to: a, percent: 75 },
      { to: b, percent: 25 },
    ];
    const router = routerOf([{ name: "v1", path: "/v1", to: shares, limits: { maxConcurrent: 3 } }]);
    for (let request = 0; request < 8; request++) router.route(requestOf("http://app/v1"));
    router.route(requestOf("http://app/v2"));
    const snapshot = router.snapshot();
    expect(snapshot).toEqual({
      name: "app",
      origin: "http://app",
      unmatched: 1,
      routes: [
        {
          route: "v1",
          matched: 8,
          shares: [
            { upstream: "a", percent: 75, requests: 6 },
            { upstream: "b", percent: 25, requests: 2 },
          ],
          underWay: 0,
          shed: { concurrency: 0, rate: 0 },
          mirror: null,
        },
      ],
    });
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
  });
});

/** Says which of the shares, by its place, a user's requests go to. */
function shareOf(percents: readonly number[]): (key: string) => number {
  const balancers = percents.map((_, index) => createBalancer({ name: `s${index}`, backends: ["http://s.test"] }));
  const to = balancers.map((balancer, index) => ({ to: balancer, percent: percents[index] ?? 0 }));
  const router = routerOf([{ to, splitBy: (request) => request.header("x-user") }]);
  return (key) => {
    const balancer = router.route(requestOf("http://app/", { headers: { "x-user": key } }))?.balancer;
    return balancers.findIndex((one) => one === balancer);
  };
}

const fail = (): never => {
  throw new Error("broken");
};

describe("shares", () => {
  const hundred = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 6 }).map((parts) => {
    const sum = parts.reduce((total, part) => total + part, 0);
    const scaled = parts.map((part) => Math.floor((part / Math.max(1, sum)) * 10_000));
    const rest = 10_000 - scaled.reduce((total, part) => total + part, 0);
    return [...scaled.slice(0, -1), (scaled.at(-1) ?? 0) + rest].map((part) => part / 100);
  });

  test("without a key are exact after any number of calls, whatever else is routed between them", () => {
    fc.assert(
      fc.property(hundred, fc.integer(), fc.array(fc.boolean(), { maxLength: 500 }), (percents, seed, ours) => {
        const to = percents.map((percent) => ({ to: a, percent }));
        const other = [
          { to: a, percent: 50 },
          { to: b, percent: 50 },
        ];
        const random = createRandom(seed);
        const router = routerOf([{ path: "/ours", to }, { to: other }], { random });
        for (const [index, isOurs] of ours.entries()) {
          router.route(requestOf(isOurs ? "http://app/ours" : "http://app/"));
          if (index % 50 !== 0) continue;
          const [{ matched, shares } = { matched: 0, shares: [] }] = router.snapshot().routes;
          for (const { percent, requests } of shares)
            expect(Math.abs(requests - (matched * percent) / 100)).toBeLessThanOrEqual(1);
        }
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  test("with a key are the same for the same key, and nearly exact over many", () => {
    const first = shareOf([70, 20.5, 9.5]);
    const again = shareOf([70, 20.5, 9.5]);
    const counts = [0, 0, 0];
    for (let user = 0; user < 20_000; user++) {
      const share = first(`user ${user}`);
      expect(again(`user ${user}`)).toBe(share);
      counts[share]!++;
    }
    for (const [index, percent] of [70, 20.5, 9.5].entries()) {
      const wanted = 200 * percent;
      expect(Math.abs((counts[index] ?? 0) - wanted)).toBeLessThan(5 * Math.sqrt(wanted * (1 - percent / 100)));
    }
  });

  test("with a key move only what they must when the last one grows", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 100 }),
        fc.array(fc.string(), { minLength: 1, maxLength: 100 }),
        (one, other, keys) => {
          const [small, large] = one < other ? [one, other] : [other, one];
          const before = shareOf([100 - small, small]);
          const after = shareOf([100 - large, large]);
          for (const key of keys) if (before(key) === 1) expect(after(key)).toBe(1);
        },
      ),
      { seed: 11, numRuns: 60 },
    );
    const before = shareOf([90, 10]);
    const after = shareOf([80, 20]);
    const users = Array.from({ length: 10_000 }, (_, user) => `user ${user}`);
    const moved = users.filter((user) => before(user) !== after(user)).length;
    expect(Math.abs(moved - 1_000)).toBeLessThan(150);
  });

  test("whose key can't be had are counted, and that is announced", () => {
    const failures = record(a, "callbackFailed");
    const to = [
      { to: a, percent: 50 },
      { to: b, percent: 50 },
    ];
    for (const splitBy of [fail, (() => 7) as unknown as () => string]) {
      const router = routerOf([{ name: "ab", to, splitBy }]);
      const names = Array.from({ length: 10 }, () => where(router, "http://app/"));
      expect(names.filter((name) => name === "a")).toHaveLength(5);
    }
    expect(failures).toHaveLength(20);
    expect(failures[0]?.record.where).toBe("route ab: splitBy");
  });
});

/** Where `createRouter` finds something wrong. */
function problems(options: unknown): string[] {
  try {
    createRouter(options as RouterOptions);
  } catch (error) {
    if (error instanceof FairleadError) return error.problems.map(({ path }) => path);
  }
  return [];
}

describe("options that are wrong", () => {
  test("are named all at once", () => {
    const wrong = {
      nmae: "x",
      origin: "ftp://x",
      routes: [
        { hots: "x", to: a },
        { host: ["ok.test", "http://x"], path: "v1", method: "GET POST", headers: { "x-a": 3 }, when: true, to: a },
        { to: [{ to: a, percent: 50.001 }, { to: 3, percent: -1 }, 7] },
        {
          to: [
            { to: a, percent: 60 },
            { to: b, percent: 30 },
          ],
        },
        { to: [] },
        {},
        { to: a, rewritePath: "v2", splitBy: 3, affinity: {}, limits: { maxConcurrent: 0, rate: 3, burst: 1 } },
        { to: a, mirror: { to: "b", percent: 101, maxConcurrent: 0 }, deadlineMs: -1, retry: { limit: -1 }, hedge: 3 },
        { name: "twin", to: a, path: [], host: "*", headers: { "x a": "1" } },
        { name: "twin", to: a },
      ],
      default: {},
      random: 3,
    };
    expect(problems(wrong)).toEqual([
      "nmae",
      "origin",
      "random",
      "default",
      "routes[0].hots",
      "routes[1].host[1]",
      "routes[1].path",
      "routes[1].method",
      "routes[1].when",
      "routes[1].headers.x-a",
      "routes[2].to[0].percent",
      "routes[2].to[1].to",
      "routes[2].to[1].percent",
      "routes[2].to[2]",
      "routes[3].to",
      "routes[4].to",
      "routes[5].to",
      "routes[6].splitBy",
      "routes[6].rewritePath",
      "routes[6].affinity",
      "routes[6].limits.burst",
      "routes[6].limits.maxConcurrent",
      "routes[6].limits.rate",
      "routes[7].mirror.to",
      "routes[7].mirror.percent",
      "routes[7].mirror.maxConcurrent",
      "routes[7].deadlineMs",
      "routes[7].hedge",
      "routes[7].retry.limit",
      "routes[8].host",
      "routes[8].path",
      "routes[8].headers",
      "routes",
    ]);
    expect(() => createRouter(wrong as unknown as RouterOptions)).toThrow(/routes\[0\]\.hots: .*did you mean `host`/);
    expect(() => createRouter(wrong as unknown as RouterOptions)).toThrow(/add up to 100, not 90/);
  });

  test("that would leave a router with nothing are wrong too", () => {
    expect(problems({})).toEqual(["routes"]);
    expect(problems({ routes: 3 })).toEqual(["routes"]);
    expect(problems(undefined)).toContain("");
    expect(problems({ default: a, routes: [{ name: "default", to: a }] })).toEqual(["routes"]);
    expect(problems({ name: "no host", default: a })).toEqual(["name"]);
  });
});
