import { describe, expect, it } from "vitest";
import { createBalancer } from "./balancer.ts";
import type { BalancerOptions } from "./contract.ts";
import { FairleadError } from "./errors.ts";
import { DEFAULT_EJECTION } from "./health/ejection-settings.ts";
import { createRandom } from "./random.ts";
import { leastRequest } from "./strategy/least-request.ts";
import { peakEwma } from "./strategy/peak-ewma.ts";
import { virtualClock } from "./testing/index.ts";

const URL_A = "http://10.0.0.1:8080";

/** The error that these options cause; they are wrong on purpose, so their type is not asked for. */
function errorOf(options: Readonly<Record<string, unknown>>): FairleadError {
  return thrownBy(() => createBalancer(options as unknown as BalancerOptions));
}

function thrownBy(run: () => unknown): FairleadError {
  try {
    run();
  } catch (error) {
    if (error instanceof FairleadError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const good = { name: "orders", backends: [URL_A] };

describe("good options", () => {
  it("need no more than a name and a backend", () => {
    const balancer = createBalancer({ ...good, clock: virtualClock() });
    expect(balancer.origin).toBe("http://orders");
    expect(balancer.settings).toMatchObject({
      strategy: { name: "peakEwma" },
      retry: { limit: 2, retryOnTimeout: true, delayMs: 25, backoffLimitMs: 1_000, rateLimitScope: "upstream" },
      connectTimeoutMs: 1_000,
      attemptTimeoutMs: 10_000,
      deadlineMs: 30_000,
      bodyIdleTimeoutMs: 300_000,
      ejection: { consecutiveFailures: 5, baseMs: 5_000, maxMs: 300_000, jitter: 0.2 },
      slowStart: { windowMs: 10_000, aggression: 1, minWeight: 0.1 },
      panicThreshold: 50,
      retryBudget: { ratio: 0.2, minPerSecond: 1, burst: 10 },
      requeueBudget: { ratio: 1, minPerSecond: 1, burst: 10 },
      pauseLimitMs: 60_000,
      queue: { size: 1_000, timeoutMs: 1_000 },
    });
    expect([...(balancer.settings.retry?.statusCodes ?? [])]).toEqual([408, 421, 425, 502, 503, 504]);
  });

  it("keep zeros, and what is switched off stays off", () => {
    const { settings } = createBalancer({
      ...good,
      clock: virtualClock(),
      ejection: { jitter: 0 },
      retry: { limit: 0, delayMs: 0 },
      retryBudget: { ratio: 0, minPerSecond: 0, burst: 0 },
      requeueBudget: false,
      slowStart: false,
      panicThreshold: 0,
      attemptTimeoutMs: false,
      deadlineMs: false,
    });
    expect(settings.ejection?.jitter).toBe(0);
    expect(settings.retry).toMatchObject({ limit: 0, delayMs: 0, backoffLimitMs: 1_000 });
    expect(settings.retryBudget).toEqual({ ratio: 0, minPerSecond: 0, burst: 0 });
    expect(settings).toMatchObject({
      requeueBudget: undefined,
      slowStart: undefined,
      panicThreshold: 0,
      attemptTimeoutMs: false,
      deadlineMs: false,
    });
  });

  it("take an undefined option as one left out", () => {
    const { settings } = createBalancer({ ...good, clock: virtualClock(), retry: undefined, deadlineMs: undefined });
    expect(settings).toMatchObject({ retry: { limit: 2 }, deadlineMs: 30_000 });
  });

  it("let the longest ejection grow with a long first one", () => {
    const { settings } = createBalancer({ ...good, clock: virtualClock(), ejection: { baseMs: 400_000 } });
    expect(settings.ejection?.maxMs).toBe(400_000);
  });
});

describe("bad options", () => {
  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ["no backends at all", { name: "orders" }, "backends"],
    ["an empty list of backends", { name: "orders", backends: [] }, "backends"],
    ["backends that are no list", { name: "orders", backends: URL_A }, "backends"],
    ["backends and a discovery", { ...good, discovery: { name: "x", watch: () => [] } }, "discovery"],
    ["a discovery without watch", { name: "orders", discovery: { name: "x" } }, "discovery"],
    ["no name", { backends: [URL_A] }, "name"],
    ["an empty name", { ...good, name: "" }, "name"],
    ["a name that cannot be a host", { ...good, name: "my orders" }, "name"],
    ["an origin with a path", { ...good, origin: "http://orders/v1" }, "origin"],
    ["an origin that is no URL", { ...good, origin: "orders" }, "origin"],
    ["an origin of another scheme", { ...good, origin: "ftp://orders" }, "origin"],
    ["a strategy by name", { ...good, strategy: "roundRobin" }, "strategy"],
    ["a strategy that was not called", { ...good, strategy: peakEwma }, "strategy"],
    ["a breaker without create", { ...good, breaker: {} }, "breaker"],
    ["a clock without schedule", { ...good, clock: { now: () => 0 } }, "clock"],
    ["a random that is a function", { ...good, random: () => 0.5 }, "random"],
    ["a classifier that is no function", { ...good, classify: "failure" }, "classify"],
    ["retry: true", { ...good, retry: true }, "retry"],
    ["a fractional retry limit", { ...good, retry: { limit: 1.5 } }, "retry.limit"],
    ["a negative retry limit", { ...good, retry: { limit: -1 } }, "retry.limit"],
    ["a status that is no error", { ...good, retry: { statusCodes: [200] } }, "retry.statusCodes"],
    ["statuses that are no list", { ...good, retry: { statusCodes: 503 } }, "retry.statusCodes"],
    ["retryOnTimeout as text", { ...good, retry: { retryOnTimeout: "yes" } }, "retry.retryOnTimeout"],
    ["an unknown scope", { ...good, retry: { rateLimitScope: "host" } }, "retry.rateLimitScope"],
    ["a negative back-off", { ...good, retry: { delayMs: -1 } }, "retry.delayMs"],
    ["ejection after no failure", { ...good, ejection: { consecutiveFailures: 0 } }, "ejection.consecutiveFailures"],
    ["an ejection of no time", { ...good, ejection: { baseMs: 0 } }, "ejection.baseMs"],
    ["a maximum below the base", { ...good, ejection: { baseMs: 10_000, maxMs: 5_000 } }, "ejection.maxMs"],
    ["jitter above 1", { ...good, ejection: { jitter: 1.1 } }, "ejection.jitter"],
    ["a slow start of no time", { ...good, slowStart: { windowMs: 0 } }, "slowStart.windowMs"],
    ["a slow start from no weight", { ...good, slowStart: { minWeight: 0 } }, "slowStart.minWeight"],
    ["a slow start above full weight", { ...good, slowStart: { minWeight: 1.1 } }, "slowStart.minWeight"],
    ["a slow start with no aggression", { ...good, slowStart: { aggression: 0 } }, "slowStart.aggression"],
    ["a panic threshold above 100", { ...good, panicThreshold: 101 }, "panicThreshold"],
    ["a panic threshold that is NaN", { ...good, panicThreshold: Number.NaN }, "panicThreshold"],
    ["a negative budget", { ...good, retryBudget: { ratio: -0.1 } }, "retryBudget.ratio"],
    ["an endless floor", { ...good, requeueBudget: { minPerSecond: Infinity } }, "requeueBudget.minPerSecond"],
    ["a fractional burst", { ...good, retryBudget: { burst: 0.5 } }, "retryBudget.burst"],
    ["a negative pause limit", { ...good, pauseLimitMs: -1 }, "pauseLimitMs"],
    ["a queue of minus one", { ...good, queue: { size: -1 } }, "queue.size"],
    ["a queue that is a number", { ...good, queue: 100 }, "queue"],
    ["a timeout of 0", { ...good, attemptTimeoutMs: 0 }, "attemptTimeoutMs"],
    ["a timeout of NaN", { ...good, deadlineMs: Number.NaN }, "deadlineMs"],
    ["a timeout of true", { ...good, connectTimeoutMs: true }, "connectTimeoutMs"],
    ["a timeout that timers would cut to nothing", { ...good, bodyIdleTimeoutMs: 2 ** 31 }, "bodyIdleTimeoutMs"],
  ])("%s: one problem, at its path", (_, options, path) => {
    const error = errorOf(options);
    expect(error.code).toBe("FAIRLEAD_ERR_CONFIG");
    expect(error.problems.map((problem) => problem.path)).toEqual([path]);
    expect(error.message).toContain(`${path}: got `);
  });

  it("are all named in one error", () => {
    const error = errorOf({
      name: "orders",
      backends: [
        { url: "10.0.0.1:8080" },
        { url: URL_A, weight: 0 },
        { url: URL_A, weight: Number.NaN },
        { url: URL_A, weight: -1 },
        URL_A,
        URL_A,
      ],
      retires: { limit: 3 },
      panicThreshold: -1,
      ejection: { consecutiveFailure: 3 },
    });
    expect(error.problems.map(({ path }) => path).sort()).toEqual(
      [
        "backends[0].url",
        "backends[1].weight",
        "backends[2].weight",
        "backends[3].weight",
        "backends[5].id",
        "ejection.consecutiveFailure",
        "panicThreshold",
        "retires",
      ].sort(),
    );
    for (const { path, got, expected } of error.problems)
      expect(error.message).toContain(`${path}: got ${got}, expected ${expected}`);
    expect(error.message).toContain('createBalancer "orders": 8 problems');
  });

  it.each([
    ["retrys", "retry"],
    ["backend", "backends"],
    ["Strategy", "strategy"],
    ["attemptTimeout", "attemptTimeoutMs"],
    ["slowstart", "slowStart"],
  ])("get a guess of what was meant: %s → %s", (key, meant) => {
    const error = errorOf({ ...good, [key]: undefined });
    expect(error.problems).toEqual([{ path: key, got: "undefined", expected: "no such option", didYouMean: meant }]);
    expect(error.message).toContain(`did you mean \`${meant}\`?`);
  });

  it("get no guess where nothing is near", () => {
    const error = errorOf({ ...good, colour: "red" });
    expect(error.problems[0]).not.toHaveProperty("didYouMean");
  });

  it.each([null, undefined, 1, "orders", []])("are told from no options at all: %s", (options) => {
    const error = errorOf(options as never);
    expect(error.code).toBe("FAIRLEAD_ERR_CONFIG");
  });
});

describe("options with secrets", () => {
  const SECRET = "s3cr3t";
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["credentials in a URL", { backends: [`http://admin:${SECRET}@10.0.0.1`] }],
    ["a user name alone", { backends: [`http://${SECRET}@10.0.0.1`] }],
    ["credentials in a URL with a query", { backends: [`http://admin:${SECRET}@10.0.0.1/?a=b`] }],
    ["credentials in a URL with a fragment", { backends: [`http://admin:${SECRET}@10.0.0.1/#a`] }],
    ["credentials in a URL of another scheme", { backends: [`ftp://admin:${SECRET}@10.0.0.1`] }],
    ["credentials in what is no URL", { backends: [`http://admin:${SECRET}@10.0.0.1:99999`] }],
    ["a token in a query", { backends: [`http://10.0.0.1/?token=${SECRET}`] }],
    ["one URL in place of a list", { backends: `http://admin:${SECRET}@10.0.0.1` }],
    ["credentials in an origin", { backends: [URL_A], origin: `http://admin:${SECRET}@orders/path` }],
    ["a key of the wrong type", { backends: [{ url: URL_A, tls: { key: [SECRET] } }] }],
    ["a certificate authority among numbers", { backends: [{ url: URL_A, tls: { ca: [SECRET, 1] } }] }],
    ["a misspelt key", { backends: [{ url: URL_A, tls: { kye: SECRET } }] }],
    ["an unknown option", { backends: [URL_A], password: SECRET }],
  ])("are refused without showing %s", (_, options) => {
    const error = errorOf({ name: "orders", ...options });
    expect(error.problems).not.toEqual([]);
    expect(JSON.stringify(error.problems)).not.toContain(SECRET);
    expect(error.message).not.toContain(SECRET);
  });
});

const create = () => createBalancer({ ...good, clock: virtualClock(), random: createRandom(1) });

describe("options that change later", () => {
  it("are taken whole or not at all", () => {
    const balancer = create();
    const before = balancer.settings;
    const error = thrownBy(() => balancer.configure({ panicThreshold: 10, pauseLimitMs: -1 }));
    expect(error.problems.map(({ path }) => path)).toEqual(["pauseLimitMs"]);
    expect(balancer.settings).toEqual(before);
  });

  it("keep what the patch does not name, inside groups too", () => {
    const balancer = create();
    balancer.configure({ ejection: { baseMs: 1_000 }, retry: { limit: 5 } });
    balancer.configure({ ejection: { jitter: 0 } });
    expect(balancer.settings.ejection).toEqual({ ...DEFAULT_EJECTION, baseMs: 1_000, jitter: 0 });
    expect(balancer.settings.retry).toMatchObject({ limit: 5, delayMs: 25 });
  });

  it("are refused where they cannot change", () => {
    const balancer = create();
    expect(thrownBy(() => balancer.configure({ name: "other" } as never)).problems[0]?.path).toBe("name");
    expect(thrownBy(() => balancer.derive({ ejection: false } as never)).problems[0]?.path).toBe("ejection");
  });

  it.each([[["http://"]], [[{ url: URL_A, weight: 0 }]], [[URL_A, URL_A]], ["http://10.0.0.1"], [undefined], [null]])(
    "are refused as a set: %s",
    (backends) => {
      const balancer = create();
      const error = thrownBy(() => balancer.set(backends as never));
      expect(error.code).toBe("FAIRLEAD_ERR_CONFIG");
      expect(balancer.backends.map(({ id }) => id)).toEqual(["10.0.0.1:8080"]);
    },
  );

  it.each([0, -1, Number.NaN, Infinity, "2"])("are refused as a weight: %s", (weight) => {
    const balancer = create();
    expect(thrownBy(() => balancer.setWeight("10.0.0.1:8080", weight as number)).problems[0]?.path).toBe("weight");
    expect(balancer.backends[0]?.weight).toBe(1);
  });
});

describe("options of strategies", () => {
  it.each([
    [() => peakEwma({ spread: 0.5 }), "spread"],
    [() => peakEwma({ spread: Number.NaN }), "spread"],
    [() => peakEwma({ spred: 2 } as never), "spred"],
    [() => leastRequest({ sample: 1 }), "sample"],
    [() => leastRequest({ sample: 33 }), "sample"],
    [() => leastRequest({ sample: 2.5 }), "sample"],
    [() => leastRequest({ bios: 1 } as never), "bios"],
  ])("are checked alike (%#)", (make, path) => {
    const error = thrownBy(make);
    expect(error.code).toBe("FAIRLEAD_ERR_CONFIG");
    expect(error.problems.map((problem) => problem.path)).toEqual([path]);
  });
});
