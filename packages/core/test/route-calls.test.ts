import {
  type Attempt,
  type Balancer,
  type CallOptions,
  createRandom,
  createRouter,
  fallbackTo,
  type RouteMatch,
  type RouteOptions,
  type Router,
  rateLimit,
} from "@fairlead/core";
import { describe, expect, test, vi } from "vitest";
import { requestOf } from "./support/requests.ts";
import { deferred, escaped, held, nothing, record, refused, rejection, settle, watch, world } from "./support/world.ts";

interface Routed {
  readonly router: Router;
  readonly match: () => RouteMatch;
  readonly call: <T>(run: (attempt: Attempt) => Promise<T>, options?: CallOptions<T>) => Promise<T>;
}

/** A router with one route, and calls along it. */
function along(route: RouteOptions): Routed {
  const router = createRouter({ routes: [{ name: "v1", ...route }], random: createRandom(1) });
  const match = (): RouteMatch => {
    const found = router.route(requestOf("http://router/"));
    if (found === undefined) throw new Error("the route takes everything");
    return found;
  };
  return { router, match, call: (run, options) => match().call(run, options) };
}

const fail = (): never => {
  throw new Error("broken");
};
const one = async (): Promise<number> => 1;
const answers = async (): Promise<string> => "answer";

function close(...balancers: Balancer[]): Promise<unknown> {
  return Promise.all(balancers.map((balancer) => balancer.close()));
}

const snapshotOf = (router: Router) => {
  const [route] = router.snapshot().routes;
  if (route === undefined) throw new Error("there is a route");
  return route;
};

describe("a route that limits what is under way", () => {
  test("turns away what goes beyond, by its first balancer, until a body has ended", async () => {
    const { balancer } = world(1);
    const sheds = record(balancer, "callShed");
    const { router, call } = along({ to: balancer, limits: { maxConcurrent: 2 } });
    const ends: ((late?: { outcome: "failure" }) => void)[] = [];
    const held2 = async (attempt: Attempt): Promise<string> => {
      ends.push(attempt.hold());
      return "headers";
    };
    expect(await Promise.all([call(held2), call(held2)])).toEqual(["headers", "headers"]);
    expect(snapshotOf(router).underWay).toBe(2);
    expect(await rejection(call(held2))).toMatchObject({
      code: "FAIRLEAD_ERR_LIMIT",
      limit: "route-concurrency",
      message: expect.stringContaining("orders: route v1: there are 2 calls under way"),
    });
    ends[0]?.();
    ends[0]?.();
    expect(snapshotOf(router).underWay).toBe(1);
    expect(await call(held2)).toBe("headers");
    for (const end of ends) end();
    expect(snapshotOf(router)).toMatchObject({ underWay: 0, shed: { concurrency: 1, rate: 0 }, matched: 4 });
    expect(sheds.map(({ record: shed }) => shed)).toEqual([{ upstream: "orders", limit: "route-concurrency" }]);
    expect(balancer.snapshot().limits.shed["route-concurrency"]).toBe(1);
    expect(held(balancer)).toBe(0);
    await balancer.close();
  });

  test("counts a call once, however many attempts it takes and wherever its answer comes from", async () => {
    const { balancer } = world(2);
    const other = world(1, { name: "other" }).balancer;
    const { router, call } = along({ to: balancer, limits: { maxConcurrent: 5 }, fallback: fallbackTo(other) });
    let release = nothing;
    const run = async (attempt: Attempt): Promise<string> => {
      expect(snapshotOf(router).underWay).toBe(1);
      if (attempt.balancer !== other) throw refused();
      release = attempt.hold();
      return "from the other";
    };
    expect(await call(run, { retry: false, fallback: fallbackTo(other) })).toBe("from the other");
    expect(snapshotOf(router).underWay).toBe(1);
    release();
    expect(snapshotOf(router).underWay).toBe(0);
    await Promise.all([balancer.close(), other.close()]);
  });

  test("asks the fallback of what it turns away, which needs no place", async () => {
    const { balancer } = world(1);
    const other = world(1, { name: "other" }).balancer;
    const { router, call } = along({ to: balancer, limits: { maxConcurrent: 1 } });
    const gate = deferred<string>();
    const first = call(() => gate.promise);
    const visits: string[] = [];
    const run = async (attempt: Attempt): Promise<string> => {
      visits.push(attempt.balancer.name);
      attempt.hold()();
      return "from the other";
    };
    expect(await call(run, { fallback: fallbackTo(other) })).toBe("from the other");
    expect(visits).toEqual(["other"]);
    expect(snapshotOf(router)).toMatchObject({ underWay: 1, shed: { concurrency: 1 } });
    gate.resolve("first");
    expect(await first).toBe("first");
    expect(snapshotOf(router).underWay).toBe(0);
    expect(balancer.snapshot().calls).toMatchObject({ calls: 2, succeeded: 1, fallbacks: 1 });
    await close(balancer, other);
  });

  test("has a place back once, though an attempt that lost goes on after the answer", async () => {
    const { balancer, clock } = world(2);
    const { router, call } = along({ to: balancer, limits: { maxConcurrent: 1 } });
    const gate = deferred();
    let release = nothing;
    const run = async (attempt: Attempt): Promise<string> => {
      if (attempt.number === 1) await gate.promise;
      release = attempt.hold();
      return attempt.backend.id;
    };
    const answer = watch(call(run, { idempotent: true, attemptTimeoutMs: 100, retry: { delayMs: 0 } }));
    await clock.advance(100);
    expect(answer.value).toBe("b");
    release();
    expect(snapshotOf(router).underWay).toBe(0);
    // It has timed out, and does not know that nobody wants what it has to say.
    gate.resolve();
    await settle();
    expect(snapshotOf(router).underWay).toBe(0);
    release();
    expect([snapshotOf(router).underWay, held(balancer)]).toEqual([0, 0]);
    await balancer.close();
  });

  test("gives places of failed, aborted and refused calls back", async () => {
    const { balancer } = world(1);
    const { router, call } = along({ to: balancer, limits: { maxConcurrent: 1 } });
    const controller = new AbortController();
    const aborted = watch(
      call((attempt) => new Promise((_, reject) => attempt.onAbort(reject)), { signal: controller.signal }),
    );
    controller.abort("enough");
    await settle();
    expect(aborted.error).toBe("enough");
    await rejection(call(() => Promise.reject(new Error("no")), { retry: false }));
    expect(snapshotOf(router).underWay).toBe(0);
    await balancer.close();
    expect(await rejection(call(async () => 1))).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    expect(snapshotOf(router).underWay).toBe(0);
  });
});

describe("a route that limits how fast calls come", () => {
  test("turns away what comes too fast, and says when to come again", async () => {
    const { balancer, clock } = world(1);
    const { router, call } = along({ to: balancer, limits: { rate: rateLimit({ perSecond: 10, burst: 2 }) } });
    expect(await Promise.all([call(one), call(one)])).toEqual([1, 1]);
    const error = await rejection(call(one));
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_LIMIT", limit: "route-rate", retryAfterMs: 100 });
    expect(snapshotOf(router).shed).toEqual({ concurrency: 0, rate: 1 });
    expect(balancer.snapshot().limits.shed["route-rate"]).toBe(1);
    await clock.advance(100);
    expect(await call(one)).toBe(1);
    await balancer.close();
  });

  test("by key limits each key", async () => {
    const { balancer } = world(1);
    const rate = rateLimit({ perSecond: 1, burst: 1, key: ({ hashKey }) => hashKey });
    const { call } = along({ to: balancer, limits: { rate } });
    expect(await call(one, { hashKey: "x" })).toBe(1);
    expect(await call(one, { hashKey: "y" })).toBe(1);
    expect(await rejection(call(one, { hashKey: "x" }))).toMatchObject({ limit: "route-rate" });
    await balancer.close();
  });

  test("keeps what may wait, within the call's one deadline", async () => {
    const { balancer, clock } = world(1);
    const limits = { rate: rateLimit({ perSecond: 10, burst: 1, delay: true }) };
    const { call } = along({ to: balancer, limits });
    const remaining: number[] = [];
    const run = async ({ remainingMs }: Attempt): Promise<number> => remaining.push(remainingMs);
    await call(run, { deadlineMs: 500 });
    const later = watch(call(run, { deadlineMs: 500 }));
    const never = watch(call(run, { deadlineMs: 150 }));
    await settle();
    expect([later.state, never.state]).toEqual(["pending", "rejected"]);
    expect(never.error).toMatchObject({ limit: "route-rate" });
    await clock.advance(100);
    await settle();
    expect(remaining).toEqual([500, 400]);
    const controller = new AbortController();
    const left = watch(call(run, { signal: controller.signal }));
    const closed = watch(call(run));
    controller.abort("left");
    await settle();
    expect(left.error).toBe("left");
    expect(await rejection(call(run, { signal: controller.signal }))).toBe("left");
    await balancer.close({ drainMs: 0 });
    await settle();
    expect(closed.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    expect(clock.pending).toBe(0);
  });
});

test("calls that wait for their turn on a balancer outlast another one of the route", async () => {
  const { balancer: a, clock } = world(1, { name: "a" });
  const { balancer: b } = world(1, { name: "b", clock });
  const shares = [
    { to: a, percent: 50 },
    { to: b, percent: 50 },
  ];
  const names = ["a", "b", "a", "b"];
  const rate = rateLimit({ perSecond: 10, burst: 1, delay: true });
  const { call } = along({ to: shares, splitBy: () => undefined, limits: { rate } });
  const calls = names.map(() => watch(call(async ({ balancer }) => balancer.name)));
  await settle();
  await a.close();
  await settle();
  await clock.advance(300);
  expect(calls.filter(({ value }) => value === "b")).toHaveLength(2);
  const errors = calls.flatMap(({ error }) => error ?? []);
  expect(errors.map(String)).toContain("FairleadError: a: the balancer is closed");
  expect(new Set(errors.map(String)).size).toBe(1);
  await b.close();
  expect(clock.pending).toBe(0);
});

/** A route whose calls are all mirrored. */
function mirrored(backends = 1) {
  const { balancer, clock } = world(1);
  const mirror = world(backends, { name: "mirror", clock }).balancer;
  return { balancer, mirror, clock, ...along({ to: balancer, mirror: { to: mirror, percent: 100 } }) };
}

describe("a mirror", () => {
  test("gets the same call once, and what it answers is discarded", async () => {
    const { balancer, mirror, router, call } = mirrored();
    const discarded: string[] = [];
    const discard = (value: string): void => void discarded.push(value);
    const seen: string[] = [];
    const answer = call(
      async (attempt) => {
        seen.push(attempt.balancer.name);
        return attempt.backend.id;
      },
      { discard, hashKey: "k" },
    );
    expect(await answer).toBe("a");
    await settle();
    expect([seen, discarded]).toEqual([["orders", "mirror"], ["a"]]);
    expect(snapshotOf(router).mirror).toEqual({ upstream: "mirror", mirrored: 1, dropped: 0, underWay: 0 });
    expect([held(balancer), held(mirror)]).toEqual([0, 0]);
    await close(balancer, mirror);
  });

  test("that is slow keeps nobody waiting, outlives the caller's deadline, and is given up by its own", async () => {
    const { balancer, mirror, clock, router, call } = mirrored();
    const run = (attempt: Attempt): Promise<string> =>
      attempt.balancer === mirror ? new Promise(nothing) : Promise.resolve("answer");
    const controller = new AbortController();
    expect(await call(run, { deadlineMs: 50, signal: controller.signal })).toBe("answer");
    controller.abort();
    await clock.advance(9_999);
    await settle();
    expect(snapshotOf(router).mirror?.underWay).toBe(1);
    await clock.advance(1);
    await settle();
    expect(snapshotOf(router).mirror?.underWay).toBe(0);
    await Promise.all([balancer.close(), mirror.close({ drainMs: 0 })]);
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("mirror"))],
    ["was never reached", () => Promise.reject(refused())],
    [
      "throws",
      () => {
        throw new Error("mirror");
      },
    ],
  ])("that %s is asked once, and nobody hears of it", async (_, end: () => Promise<never>) => {
    const { balancer, mirror, call } = mirrored(3);
    const visits: string[] = [];
    const run = (attempt: Attempt): Promise<string> => {
      visits.push(attempt.balancer.name);
      return attempt.balancer === mirror ? end() : Promise.resolve("answer");
    };
    expect(
      await escaped(async () => expect(await call(run, { idempotent: true, retry: { limit: 5 } })).toBe("answer")),
    ).toEqual([]);
    expect(visits).toEqual(["orders", "mirror"]);
    expect(mirror.snapshot().calls).toMatchObject({ calls: 1, failed: 1, retries: 0, requeues: 0 });
    await close(balancer, mirror);
  });

  test("that is closed, or whose way to discard fails, changes nothing", async () => {
    const { balancer, mirror, call } = mirrored();
    expect(await escaped(async () => expect(await call(answers, { discard: fail })).toBe("answer"))).toEqual([]);
    await mirror.close();
    expect(await escaped(async () => expect(await call(answers)).toBe("answer"))).toEqual([]);
    await close(balancer);
  });

  test("has room for so many at once, until their bodies have ended", async () => {
    const { balancer, mirror, router, call } = mirrored();
    const bounded = along({ to: balancer, mirror: { to: mirror, percent: 100, maxConcurrent: 2 } });
    const ends: (() => void)[] = [];
    const run = async (attempt: Attempt): Promise<string> => {
      if (attempt.balancer === mirror) ends.push(attempt.hold());
      return "answer";
    };
    for (let request = 0; request < 5; request++) expect(await bounded.call(run)).toBe("answer");
    expect(snapshotOf(bounded.router).mirror).toMatchObject({ mirrored: 2, dropped: 3, underWay: 2 });
    ends.pop()?.();
    await bounded.call(run);
    expect(snapshotOf(bounded.router).mirror).toMatchObject({ mirrored: 3, dropped: 3, underWay: 2 });
    for (const end of ends) end();
    for (let request = 0; request < 101; request++) expect(await call(run)).toBe("answer");
    await settle();
    expect(snapshotOf(router).mirror).toMatchObject({ mirrored: 100, dropped: 1 });
    for (const end of ends) end();
    expect(held(mirror)).toBe(0);
    await close(balancer, mirror);
  });

  test("gets an exact share, and nothing that can be sent once, is a tunnel, or was turned away", async () => {
    const { balancer, mirror } = mirrored();
    const { router, call } = along({
      to: balancer,
      mirror: { to: mirror, percent: 20 },
      limits: { rate: rateLimit({ perSecond: 1, burst: 102 }) },
    });
    for (let request = 0; request < 100; request++) await call(answers);
    expect(snapshotOf(router).mirror?.mirrored).toBe(20);
    await call(answers, { oneShot: true });
    await call(answers, { kind: "connection" });
    for (let request = 0; request < 10; request++) await rejection(call(answers));
    expect(snapshotOf(router)).toMatchObject({ matched: 112, mirror: { mirrored: 20 } });
    await close(balancer, mirror);
  });

  test("is made by what the client has for it", async () => {
    const { balancer, mirror, match } = mirrored();
    const own = vi.fn(async () => "mirrored");
    expect(await match().call(async () => "answer", {}, own)).toBe("answer");
    expect(own).toHaveBeenCalledOnce();
    await close(balancer, mirror);
  });

  test("ends with its balancer, which the caller's call outlives", async () => {
    const { balancer, mirror, router, call } = mirrored();
    const gate = deferred<string>();
    const run = (attempt: Attempt): Promise<string> =>
      attempt.balancer === mirror ? new Promise((_, reject) => attempt.onAbort(reject)) : gate.promise;
    const answer = call(run);
    await mirror.close({ drainMs: 0 });
    await settle();
    expect(snapshotOf(router).mirror?.underWay).toBe(0);
    gate.resolve("answer");
    expect(await answer).toBe("answer");
    await balancer.close();
  });
});
