// Active health checks under a virtual clock: when backends are checked, and what that does to calls.
import {
  type Balancer,
  type BalancerOptions,
  type CheckSchedule,
  createBalancer,
  createRandom,
  functionCheck,
  type HealthCheck,
  type HealthCheckContext,
  roundRobin,
} from "@fairlead/core";
import { describe, expect, test } from "vitest";
import {
  constantRandom,
  deferred,
  eject,
  escaped,
  named,
  one,
  record,
  rejection,
  watch,
  world,
} from "./support/world.ts";

/** What a backend does when it is checked. */
type Behaviour = "pass" | "fail" | "hang" | (() => Promise<unknown>);

/** A balancer whose checks do what `behaviour` says, `pass` by default, and note when they were made. */
function checked(
  backends: number,
  schedule: CheckSchedule & { readonly behaviour?: Record<string, Behaviour> } = {},
  options: Partial<BalancerOptions> = {},
) {
  const { behaviour = {}, ...timing } = schedule;
  const times: Record<string, number[]> = {};
  const aborted: string[] = [];
  const check = functionCheck(({ backend, signal }) => {
    (times[backend.id] ??= []).push(clock.now());
    signal.addEventListener("abort", () => aborted.push(backend.id));
    const what = behaviour[backend.id] ?? "pass";
    if (typeof what === "function") return what();
    if (what === "hang") return new Promise(() => {});
    return what === "pass" ? Promise.resolve() : Promise.reject(new Error("503"));
  }, timing);
  const { clock, balancer } = world(backends, { healthCheck: check, ...options });
  return { clock, balancer, times, aborted, behaviour, check };
}

const health = (balancer: Balancer, id: string): string => one(balancer, id).health;
const gaps = (times: readonly number[] = []): number[] => times.slice(1).map((time, index) => time - times[index]!);
const round20 = (times: readonly number[]): number[] => times.map((time) => Math.round(time / 20) * 20);

describe("the schedule", () => {
  test("looks at each backend once per interval, at a time of its own", async () => {
    const { clock, times, balancer } = checked(3, { intervalMs: 1_000 });
    await clock.advance(10_000);
    for (const id of ["a", "b", "c"]) {
      expect(times[id]).toHaveLength(10);
      expect(new Set(round20(gaps(times[id])))).toEqual(new Set([1_000]));
    }
    expect(new Set([times["a"]![0], times["b"]![0], times["c"]![0]]).size).toBe(3);
    await balancer.close({ drainMs: 0 });
  });

  test("begins checks only every 20 ms, together", async () => {
    const { clock, times } = checked(26, { intervalMs: 1_000 });
    await clock.advance(3_000);
    expect(
      Object.values(times)
        .flat()
        .filter((time) => time % 20 !== 0),
    ).toEqual([]);
  });

  test("spreads a large set evenly over the interval", async () => {
    const starts: number[] = [];
    const { clock, balancer } = world(
      Array.from({ length: 2_000 }, (_, index) => ({ url: `http://10.0.${index >> 8}.${index & 255}` })),
      {
        healthCheck: functionCheck(async () => void starts.push(clock.now()), {
          intervalMs: 10_000,
          maxParallel: 5_000,
        }),
      },
    );
    await clock.advance(10_000);
    const tenths = Array.from(
      { length: 10 },
      (_, tenth) => starts.filter((at) => Math.floor(at / 1_000.001) === tenth).length,
    );
    expect(starts).toHaveLength(2_000);
    for (const count of tenths) expect(count).toBeGreaterThan(150);
    await balancer.close({ drainMs: 0 });
  });

  test("is another one in every process of a fleet", async () => {
    const phases = [1, 2, 3, 4, 5, 6, 7, 8].map(async (seed) => {
      const { clock, times } = checked(1, { intervalMs: 10_000 }, { random: createRandom(seed) });
      await clock.advance(10_000);
      return times["a"]![0];
    });
    expect(new Set(await Promise.all(phases)).size).toBeGreaterThanOrEqual(7);
  });

  test("is faster while health changes, and has an interval of its own for those that are down", async () => {
    const { clock, times, behaviour } = checked(1, {
      intervalMs: 10_000,
      fastIntervalMs: 1_000,
      downIntervalMs: 5_000,
      rise: 3,
      fall: 3,
    });
    await clock.advance(10_000);
    behaviour["a"] = "fail";
    await clock.advance(25_000);
    behaviour["a"] = "pass";
    await clock.advance(30_000);
    // Up, two failures to go, down twice and again until it passes, two passes to go, up.
    const seen = round20(gaps(times["a"]));
    expect(seen.slice(0, 3)).toEqual([10_000, 1_000, 1_000]);
    expect(new Set(seen.slice(3, -4))).toEqual(new Set([5_000]));
    expect(seen.slice(-4)).toEqual([1_000, 1_000, 10_000, 10_000]);
  });

  test("varies by the jitter, and by no more", async () => {
    const { clock, times } = checked(1, { intervalMs: 1_000, jitter: 0.5 }, { random: createRandom(3) });
    await clock.advance(100_000);
    const seen = gaps(times["a"]);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(480);
    expect(Math.max(...seen)).toBeLessThanOrEqual(1_520);
    expect(new Set(seen).size).toBeGreaterThan(20);
  });

  test("has at most `maxParallel` checks under way, and loses none of those that wait", async () => {
    let underWay = 0;
    let most = 0;
    const seen = new Set<string>();
    const { clock } = world(20, {
      healthCheck: functionCheck(
        async ({ backend }) => {
          seen.add(backend.id);
          most = Math.max(most, ++underWay);
          await new Promise<void>((resolve) => void clock.schedule(700, resolve));
          underWay--;
        },
        { intervalMs: 1_000, timeoutMs: 900, maxParallel: 3 },
      ),
    });
    await clock.advance(20_000);
    expect(most).toBe(3);
    expect(seen.size).toBe(20);
  });

  test("never checks a backend twice at once, though checks take longer than the interval", async () => {
    const { clock, times, behaviour } = checked(1, { intervalMs: 1_000, timeoutMs: 2_500 });
    behaviour["a"] = "hang";
    await clock.advance(20_000);
    expect(round20(gaps(times["a"])).every((gap) => gap === 2_500 || gap === 2_520 || gap === 2_480)).toBe(true);
  });

  test("goes on at its old places after a sleep of the machine", async () => {
    const { clock, times } = checked(26, { intervalMs: 10_000 });
    await clock.advance(20_000);
    for (const id of Object.keys(times)) times[id] = [];
    clock.stall(3_600_000);
    await clock.advance(10_000);
    const first = Object.values(times).flat();
    // One each at the wake-up, one each in the interval after it, and not in step.
    expect(first.length).toBeGreaterThanOrEqual(26);
    expect(first.length).toBeLessThanOrEqual(2 * 26);
    expect(new Set(first.slice(26)).size).toBeGreaterThan(13);
  });
});

describe("a check that is late", () => {
  test("has failed, is aborted, and what it finds afterwards is not heard", async () => {
    const answer = deferred();
    const { clock, balancer, aborted } = checked(1, {
      intervalMs: 10_000,
      timeoutMs: 500,
      fall: 1,
      behaviour: { a: () => answer.promise },
    });
    const told = record(balancer, "backendHealthChanged");
    await clock.advance(10_500);
    expect(aborted).toEqual(["a"]);
    expect(one(balancer, "a")).toMatchObject({
      lastCheckPassed: false,
      lastCheckReason: "no answer in 500 ms",
      lastCheckMs: 500,
    });
    answer.resolve();
    await clock.advance(0);
    expect(one(balancer, "a").checksPassed).toBe(0);
    expect(told.map((entry) => entry.record)).toEqual([
      { upstream: "orders", backend: "a", health: "down", reason: "1 check failed, the last: no answer in 500 ms" },
    ]);
  });

  test("has not failed if this process stood still meanwhile: it gets that time on top", async () => {
    const slow = (): Promise<void> => new Promise((resolve) => void clock.schedule(300, resolve));
    const { clock, balancer, times, behaviour } = checked(1, { intervalMs: 10_000, timeoutMs: 500 });
    behaviour["a"] = slow;
    while ((times["a"] ?? []).length === 0) await clock.advance(20);
    clock.stall(2_000);
    // The answer's event comes after the timeout's, which was due long ago.
    await clock.advance(300);
    expect(one(balancer, "a")).toMatchObject({ checksPassed: 1, checksFailed: 0 });
  });
});

describe("a check in a process that is always late", () => {
  test("fails all the same", async () => {
    const { clock, balancer } = checked(1, { intervalMs: 5_000, timeoutMs: 500, behaviour: { a: "hang" } });
    for (let step = 0; step < 100; step++) {
      clock.stall(100);
      await clock.advance(1);
    }
    expect(one(balancer, "a").checksFailed).toBeGreaterThanOrEqual(1);
  });
});

describe("a check that throws, rejects with anything or never settles", () => {
  test("has failed, and nothing escapes", async () => {
    const caught = await escaped(async () => {
      const { clock, balancer } = checked(5, {
        intervalMs: 1_000,
        timeoutMs: 500,
        fall: 1,
        behaviour: {
          a: () => {
            throw new TypeError("thrown");
          },
          b: () => Promise.reject(Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } })),
          c: () => Promise.reject("nothing but a text"),
          d: () => Promise.reject(undefined),
          e: () => Promise.resolve(false),
        },
      });
      await clock.advance(3_000);
      const reasons = balancer.snapshot().backends.map(({ lastCheckReason }) => lastCheckReason);
      expect(reasons).toEqual(["thrown", "ECONNREFUSED", "nothing but a text", "undefined", "false"]);
      await balancer.close({ drainMs: 0 });
    });
    expect(caught).toEqual([]);
  });
});

describe("a backend that fails its checks", () => {
  test("gets no calls after `fall` of them, and calls again after `rise` that pass", async () => {
    const { clock, balancer, behaviour } = checked(
      2,
      { intervalMs: 1_000, fall: 3, rise: 2 },
      { strategy: roundRobin() },
    );
    const told = record(balancer, "backendHealthChanged");
    await clock.advance(1_000);
    behaviour["a"] = "fail";
    await clock.advance(2_000);
    expect(health(balancer, "a")).toBe("healthy");
    await clock.advance(1_000);
    expect(health(balancer, "a")).toBe("down");
    const picked = Array.from({ length: 20 }, () => balancer.tryAcquire()?.backend.id);
    expect(new Set(picked)).toEqual(new Set(["b"]));
    expect(balancer.tryAcquire({ pinned: "a", pinPolicy: "fail" })).toBeUndefined();
    behaviour["a"] = "pass";
    await clock.advance(2_000);
    expect(health(balancer, "a")).toBe("healthy");
    const again = Array.from({ length: 40 }, () => balancer.tryAcquire()?.backend.id);
    expect(again).toContain("a");
    expect(told.map(({ record: { backend, health: now, reason } }) => [backend, now, reason])).toEqual([
      ["a", "down", "3 checks failed, the last: 503"],
      ["a", "up", "2 checks passed, the last: ok"],
    ]);
    await balancer.close({ drainMs: 0 });
  });

  test("warms up when it is back, and its load history is forgotten", async () => {
    const { clock, balancer, behaviour } = checked(2, { intervalMs: 1_000, fall: 1, rise: 1 });
    const lease = balancer.tryAcquire({ pinned: "a" })!;
    await clock.advance(400);
    lease.settle({ outcome: "success" });
    lease.release();
    behaviour["a"] = "fail";
    await clock.advance(1_000);
    behaviour["a"] = "pass";
    await clock.advance(1_000);
    expect(one(balancer, "a").ewmaMs).toBe(0);
    expect(balancer.explain().backends[0]!.weight).toBeLessThan(0.3);
    expect(balancer.explain().backends[1]!.weight).toBe(1);
  });

  test("finishes the calls that it has", async () => {
    const { clock, balancer, behaviour } = checked(1, { intervalMs: 1_000, fall: 1 });
    const answer = deferred<string>();
    const call = watch(balancer.call(() => answer.promise));
    behaviour["a"] = "fail";
    await clock.advance(2_000);
    expect(health(balancer, "a")).not.toBe("healthy");
    answer.resolve("done");
    await clock.advance(0);
    expect(call).toMatchObject({ state: "fulfilled", value: "done" });
  });

  test("is explained", async () => {
    const { clock, balancer, behaviour } = checked(3, { intervalMs: 1_000, fall: 3 });
    behaviour["a"] = "fail";
    await clock.advance(4_000);
    expect(balancer.explain().backends[0]).toMatchObject({
      admitted: false,
      reason: expect.stringMatching(/^down: \d checks failed, the last: 503$/),
    });
    expect(one(balancer, "a")).toMatchObject({
      lastCheckPassed: false,
      lastCheckReason: "503",
      lastCheckMs: 0,
      certificateExpiresAt: null,
    });
    expect(one(balancer, "a").lastCheckAt).toBeGreaterThan(Date.UTC(2026, 0, 1));
    expect(balancer.snapshot().healthCheck).toBe("functionCheck");
  });

  test("wakes those who wait when it is back", async () => {
    const { clock, balancer, behaviour } = checked(
      1,
      { intervalMs: 1_000, fall: 1, rise: 1 },
      { panicThreshold: 0, queue: { timeoutMs: 5_000 } },
    );
    behaviour["a"] = "fail";
    await clock.advance(1_000);
    const call = watch(balancer.call(async ({ backend }) => backend.id));
    await clock.advance(100);
    expect(call.state).toBe("pending");
    behaviour["a"] = "pass";
    await clock.advance(1_000);
    expect(call.value).toBe("a");
  });

  test("is picked again within `rise` intervals once it works", async () => {
    const schedule = { intervalMs: 2_000, downIntervalMs: 1_000, fastIntervalMs: 500, rise: 3, fall: 2 };
    for (const seed of [1, 2, 3, 4, 5]) {
      const { clock, balancer, behaviour } = checked(3, schedule, {
        strategy: roundRobin(),
        random: createRandom(seed),
      });
      behaviour["b"] = "fail";
      await clock.advance(10_000);
      expect(health(balancer, "b")).toBe("down");
      await clock.advance(seed * 77);
      behaviour["b"] = "pass";
      // The next check while down, then two at the fast interval, each at most 20 ms late.
      await clock.advance(1_000 + 2 * 500 + 60);
      // roundRobin: within 2·W + n picks; its weight is at a tenth, so W / w = 21.
      const picked = Array.from({ length: 2 * 21 + 3 }, () => balancer.tryAcquire()?.backend.id);
      expect(picked).toContain("b");
    }
  });
});

describe("when too few are up", () => {
  test("those that are down take one call at a time each, and as many as any once they have shown that they work", async () => {
    const { clock, balancer } = checked(2, { intervalMs: 1_000, fall: 1, behaviour: { a: "fail", b: "fail" } });
    await clock.advance(1_000);
    expect(balancer.snapshot().panic).toEqual([0]);
    expect(health(balancer, "a")).toBe("panic");
    const first = balancer.tryAcquire()!;
    const second = balancer.tryAcquire()!;
    expect(new Set([first.backend.id, second.backend.id])).toEqual(new Set(["a", "b"]));
    expect(balancer.tryAcquire()).toBeUndefined();
    first.settle({ outcome: "success" });
    second.settle({ outcome: "failure" });
    second.release();
    // The checks are wrong about the first, and know it not.
    await clock.advance(20);
    const more = Array.from({ length: 10 }, () => balancer.tryAcquire()!.backend.id);
    expect(more.filter((id) => id === first.backend.id).length).toBeGreaterThanOrEqual(9);
    expect(balancer.tryAcquire({ pinned: second.backend.id, pinPolicy: "fail" }) === undefined).toBe(
      more.includes(second.backend.id),
    );
  });

  test("one that worked in panic is out of play again when the panic is over", async () => {
    const { clock, balancer, behaviour } = checked(2, {
      intervalMs: 1_000,
      fall: 1,
      rise: 1,
      behaviour: { a: "fail", b: "fail" },
    });
    await clock.advance(1_000);
    const lease = balancer.tryAcquire({ pinned: "a" })!;
    lease.settle({ outcome: "success" });
    lease.release();
    behaviour["b"] = "pass";
    await clock.advance(1_000);
    expect(balancer.snapshot().panic).toEqual([]);
    expect(health(balancer, "a")).toBe("down");
    expect(balancer.tryAcquire({ pinned: "a", pinPolicy: "fail" })).toBeUndefined();
  });
});

describe("a backend that must be checked first", () => {
  const first = { intervalMs: 10_000, initial: "check-first" } as const;

  test("takes no calls before one check has passed, which is soon; then it is up", async () => {
    const { clock, balancer } = checked(2, first);
    expect(health(balancer, "a")).toBe("pending");
    expect(balancer.explain().backends[0]).toMatchObject({ admitted: false, reason: "not checked yet" });
    expect(balancer.tryAcquire()).toBeUndefined();
    await clock.advance(1_000);
    expect(health(balancer, "a")).toBe("healthy");
    // All are new: nobody has to be spared.
    expect(balancer.explain().backends.map(({ weight }) => weight)).toEqual([1, 1]);
  });

  test("is waited for, as a discovery is, while nobody else is there", async () => {
    const open = deferred();
    const { clock, balancer } = checked(1, { ...first, behaviour: { a: () => open.promise } });
    const call = watch(balancer.call(async ({ backend }) => backend.id));
    await clock.advance(3_000);
    expect(call.state).toBe("pending");
    open.resolve();
    await clock.advance(0);
    expect(call.value).toBe("a");
  });

  test("is not waited for beyond the deadline, and the error says why", async () => {
    const { clock, balancer } = checked(1, { ...first, timeoutMs: 9_000, behaviour: { a: "hang" } });
    const failed = rejection(balancer.call(async () => 1, { deadlineMs: 2_000 }));
    await clock.advance(2_000);
    expect(await failed).toMatchObject({
      code: "FAIRLEAD_ERR_NO_BACKEND",
      message: expect.stringMatching(/no backend has passed its first check/),
    });
  });

  test("counts neither as healthy nor as failed", async () => {
    const open = deferred();
    const { clock, balancer } = checked(3, { ...first, behaviour: { a: () => open.promise, b: () => open.promise } });
    await clock.advance(1_000);
    expect(balancer.snapshot().panic).toEqual([]);
    expect(balancer.tryAcquire()?.backend.id).toBe("c");
  });

  test("is down if that check fails, but calls wait until all have been looked at", async () => {
    const open = deferred();
    const { clock, balancer } = checked(2, { ...first, behaviour: { a: "fail", b: () => open.promise } });
    const call = watch(balancer.call(async ({ backend }) => backend.id));
    await clock.advance(2_000);
    expect(health(balancer, "a")).toBe("down");
    expect(call.state).toBe("pending");
    open.resolve();
    await clock.advance(0);
    expect(call.value).toBe("b");
  });

  test("warms up if others were there before", async () => {
    const { clock, balancer } = checked(1, first);
    await clock.advance(1_000);
    balancer.set(named(2));
    expect(health(balancer, "b")).toBe("pending");
    await clock.advance(1_000);
    expect(health(balancer, "b")).toBe("healthy");
    expect(balancer.explain().backends[1]!.weight).toBeLessThan(0.3);
  });
});

describe("a backend that begins down", () => {
  test("needs all of `rise`", async () => {
    const { clock, balancer } = checked(2, { intervalMs: 1_000, initial: "down", rise: 3 }, { panicThreshold: 0 });
    expect(health(balancer, "a")).toBe("down");
    expect(balancer.explain().backends[0]!.reason).toBe("down: no check has passed yet");
    await clock.advance(2_000);
    expect(health(balancer, "a")).toBe("down");
    await clock.advance(1_020);
    expect(health(balancer, "a")).toBe("healthy");
  });
});

describe("grace for those that have just joined", () => {
  test("keeps failed checks from counting until it is over", async () => {
    const { clock, balancer, behaviour } = checked(
      1,
      { intervalMs: 1_000, fall: 1 },
      { membership: { graceMs: 5_000 } },
    );
    behaviour["a"] = "fail";
    await clock.advance(4_900);
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", lastCheckPassed: false });
    expect(one(balancer, "a").checksFailed).toBeGreaterThan(3);
    await clock.advance(1_100);
    expect(health(balancer, "a")).not.toBe("healthy");
  });

  test("keeps one pending that must be checked first", async () => {
    const { clock, balancer, behaviour } = checked(
      2,
      { intervalMs: 1_000, initial: "check-first" },
      { membership: { graceMs: 5_000 } },
    );
    behaviour["a"] = "fail";
    await clock.advance(4_000);
    expect(health(balancer, "a")).toBe("pending");
    expect(balancer.explain().backends[0]!.reason).toBe("no check has passed yet, the last: 503");
    behaviour["a"] = "pass";
    await clock.advance(1_020);
    expect(health(balancer, "a")).toBe("healthy");
  });
});

const succeed = (balancer: Balancer, id: string, outcome: "success" | "failure" = "success"): void => {
  using lease = balancer.tryAcquire({ pinned: id });
  lease?.settle({ outcome });
};

describe("calls that succeed", () => {
  test("stand for checks of a backend that is up, if that is wanted", async () => {
    const { clock, balancer, times } = checked(2, { intervalMs: 1_000, liveSuccesses: true });
    for (let second = 0; second < 10; second++) {
      succeed(balancer, "a");
      await clock.advance(1_000);
    }
    expect(times["a"] ?? []).toEqual([]);
    expect(times["b"]).toHaveLength(10);
    await clock.advance(2_000);
    expect(times["a"]!.length).toBeGreaterThanOrEqual(1);
  });

  test("don't if others failed, or a check did", async () => {
    const { clock, balancer, times, behaviour } = checked(2, { intervalMs: 1_000, liveSuccesses: true, fall: 3 });
    behaviour["b"] = "fail";
    await clock.advance(1_000);
    for (let second = 0; second < 5; second++) {
      for (const id of ["a", "b"]) succeed(balancer, id);
      succeed(balancer, "a", "failure");
      await clock.advance(1_000);
    }
    expect(times["a"]).toHaveLength(6);
    expect(times["b"]).toHaveLength(6);
    expect(health(balancer, "b")).toBe("down");
  });

  test("don't count unless it is wanted: a health endpoint may know more", async () => {
    const { clock, balancer, times } = checked(1, { intervalMs: 1_000 });
    for (let second = 0; second < 5; second++) {
      succeed(balancer, "a");
      await clock.advance(1_000);
    }
    expect(times["a"]).toHaveLength(5);
  });
});

describe("a backend that calls have ejected", () => {
  test("is brought back by a check that passes", async () => {
    const { clock, balancer } = checked(3, { intervalMs: 1_000 }, { ejection: { baseMs: 60_000 } });
    const told = record(balancer, "backendEjected", "backendReturned");
    eject(balancer, "a");
    expect(health(balancer, "a")).toBe("ejected");
    await clock.advance(1_000);
    expect(health(balancer, "a")).toBe("healthy");
    expect(told.map(({ event }) => event)).toEqual(["backendEjected", "backendReturned"]);
    expect(balancer.explain().backends[0]!.weight).toBeLessThan(0.3);
  });

  test("is not where that is off", async () => {
    const { clock, balancer } = checked(3, { intervalMs: 1_000, unejects: false }, { ejection: { baseMs: 60_000 } });
    eject(balancer, "a");
    await clock.advance(5_000);
    expect(health(balancer, "a")).toBe("ejected");
  });

  test("is not by a check that had begun before", async () => {
    const open = deferred();
    const { clock, balancer, times, behaviour } = checked(3, { intervalMs: 10_000 }, { ejection: { baseMs: 60_000 } });
    behaviour["a"] = () => open.promise;
    while (times["a"] === undefined) await clock.advance(20);
    eject(balancer, "a");
    open.resolve();
    await clock.advance(0);
    expect(one(balancer, "a")).toMatchObject({ health: "ejected", checksPassed: 1 });
  });

  test("is let out by `enable`, which overrules no check", async () => {
    const { clock, balancer, behaviour } = checked(3, { intervalMs: 1_000, fall: 1 }, { ejection: { baseMs: 60_000 } });
    behaviour["a"] = "fail";
    await clock.advance(1_000);
    eject(balancer, "b");
    balancer.enable("a");
    balancer.enable("b");
    expect(balancer.snapshot().backends.map((backend) => backend.health)).toEqual(["down", "healthy", "healthy"]);
  });
});

describe("members that come and go", () => {
  test("one that leaves is not checked any more, and its check under way is aborted and not heard", async () => {
    const open = deferred();
    const { clock, balancer, times, aborted } = checked(2, {
      intervalMs: 1_000,
      timeoutMs: 900,
      behaviour: { b: () => open.promise },
    });
    while (times["b"] === undefined) await clock.advance(20);
    const held = balancer.tryAcquire({ pinned: "b" });
    balancer.set(named(1));
    expect(aborted).toEqual(["b"]);
    open.resolve();
    await clock.advance(5_000);
    expect(times["b"]).toHaveLength(1);
    expect(one(balancer, "b")).toMatchObject({ state: "removed", checksPassed: 0 });
    held?.release();
  });

  test("one that comes back begins anew, and an old check's result is not taken for its", async () => {
    const open = deferred();
    const { clock, balancer, times, behaviour } = checked(2, {
      intervalMs: 10_000,
      initial: "check-first",
      timeoutMs: 9_000,
    });
    behaviour["b"] = () => open.promise;
    while (times["b"] === undefined) await clock.advance(20);
    using _ = balancer.tryAcquire({ pinned: "a" });
    balancer.set(named(1));
    balancer.set(named(2));
    open.resolve();
    await clock.advance(0);
    expect(health(balancer, "b")).toBe("pending");
    behaviour["b"] = "pass";
    await clock.advance(1_000);
    expect(health(balancer, "b")).toBe("healthy");
  });

  test("what was found of an address that has changed is not heard, and the new one is looked at at once", async () => {
    const open = deferred();
    const { clock, balancer, times, behaviour } = checked(2, { intervalMs: 10_000, fall: 1 });
    behaviour["b"] = () => open.promise;
    while (times["b"] === undefined) await clock.advance(20);
    balancer.set([...named(1), { id: "b", url: "http://elsewhere.test" }]);
    behaviour["b"] = "pass";
    open.reject(new Error("gone"));
    await clock.advance(20);
    expect(one(balancer, "b")).toMatchObject({ health: "healthy", checksFailed: 0, checksPassed: 1 });
  });

  test("a new weight or label keeps what was found", async () => {
    const open = deferred();
    const { clock, balancer, times, behaviour } = checked(2, { intervalMs: 10_000 });
    behaviour["b"] = () => open.promise;
    while (times["b"] === undefined) await clock.advance(20);
    balancer.set([...named(1), { id: "b", url: "http://b.test", weight: 3 }]);
    open.resolve();
    await clock.advance(0);
    expect(one(balancer, "b").checksPassed).toBe(1);
  });
});

describe("a change of the options", () => {
  test("goes on with what is known, and aborts the old checks", async () => {
    const { clock, balancer, aborted, behaviour, times } = checked(5, { intervalMs: 1_000, fall: 2, timeoutMs: 1_000 });
    Object.assign(behaviour, { a: "fail", b: "hang" });
    await clock.advance(2_000);
    expect(health(balancer, "a")).toBe("down");
    await clock.advance(500);
    const before = aborted.length;
    balancer.configure({ healthCheck: functionCheck(async () => {}, { intervalMs: 2_000, rise: 2 }) });
    expect(aborted.length).toBeGreaterThan(before);
    expect(health(balancer, "a")).toBe("down");
    const made = Object.values(times).flat().length;
    await clock.advance(10_000);
    expect(Object.values(times).flat()).toHaveLength(made);
    expect(health(balancer, "a")).toBe("healthy");
  });

  test("to the same check, or of something else, disturbs nothing", async () => {
    const { clock, balancer, check, times } = checked(1, { intervalMs: 1_000 });
    await clock.advance(2_000);
    balancer.configure({ healthCheck: check });
    balancer.configure({ deadlineMs: 5_000 });
    await clock.advance(3_000);
    expect(times["a"]).toHaveLength(5);
  });

  test("to none takes back what checks said", async () => {
    const { clock, balancer, behaviour } = checked(3, { intervalMs: 1_000, fall: 1 });
    behaviour["a"] = "fail";
    await clock.advance(1_000);
    const told = record(balancer, "backendHealthChanged");
    balancer.configure({ healthCheck: false });
    expect(health(balancer, "a")).toBe("healthy");
    expect(told.map(({ record: { backend, health: now, reason } }) => [backend, now, reason])).toEqual([
      ["a", "up", "not checked any more"],
    ]);
    expect(balancer.snapshot().healthCheck).toBeNull();
    expect(clock.pending).toBe(0);
  });

  test("from none takes nobody out of play who takes calls", async () => {
    const { balancer } = world(2);
    balancer.configure({ healthCheck: functionCheck(async () => {}, { initial: "check-first" }) });
    expect(health(balancer, "a")).toBe("healthy");
    balancer.set(named(3));
    expect(health(balancer, "c")).toBe("pending");
    await balancer.close({ drainMs: 0 });
  });

  test("that is no health check is refused", () => {
    const { balancer } = world(1);
    expect(() => balancer.configure({ healthCheck: { name: "no" } as never })).toThrow(/healthCheck.*httpCheck/);
    expect(() => createBalancer({ name: "x", backends: ["http://a"], healthCheck: true as never })).toThrow(
      /healthCheck/,
    );
    expect(() => functionCheck(3 as never, { fall: 0 })).toThrow(/2 problems/);
  });
});

describe("the end", () => {
  test("of the balancer leaves no timer and no check", async () => {
    const { clock, balancer, aborted, times } = checked(5, { intervalMs: 1_000, behaviour: { a: "hang", b: "hang" } });
    await clock.advance(1_500);
    await balancer.close({ drainMs: 0 });
    expect(clock.pending).toBe(0);
    expect(new Set(aborted)).toEqual(new Set(["a", "b"]));
    const made = Object.values(times).flat().length;
    await clock.advance(10_000);
    expect(Object.values(times).flat()).toHaveLength(made);
  });

  test("stops checks before calls are waited for", async () => {
    const { clock, balancer, times } = checked(1, { intervalMs: 1_000 });
    const lease = balancer.tryAcquire()!;
    const closing = balancer.close();
    await clock.advance(5_000);
    expect(times).toEqual({});
    lease.release();
    await closing;
  });
});

describe("a clock without background timers", () => {
  test("runs no checks; every backend takes calls, and the snapshot says so", () => {
    const { clock } = world(0 + 1);
    const balancer = createBalancer({
      name: "edge",
      backends: named(2),
      clock: { ...clock, now: () => 0, background: false },
      healthCheck: functionCheck(async () => {}, { initial: "check-first" }),
    });
    expect(clock.pending).toBe(0);
    expect(balancer.snapshot()).toMatchObject({
      healthCheck: null,
      backends: [{ health: "healthy", lastCheckAt: null }, {}],
    });
    expect(balancer.tryAcquire()).toBeDefined();
  });
});

const fail = (): never => {
  throw new Error("own");
};

describe("a health check of one's own", () => {
  test("says what it wants, when it wants", () => {
    const told: string[] = [];
    let context: HealthCheckContext | undefined;
    const own: HealthCheck = {
      name: "own",
      start: (given) => {
        context = given;
        return {
          add: ({ id }) => void told.push(`+${id}`),
          remove: ({ id }) => void told.push(`-${id}`),
          close: () => void told.push("end"),
        };
      },
    };
    const { balancer } = world(2, { healthCheck: own });
    const [a] = balancer.backends;
    context!.report(a as never, { health: { kind: "down", reason: "told so", failures: 1, successes: 0 } });
    expect(health(balancer, "a")).toBe("down");
    expect(balancer.explain().backends[0]!.reason).toBe("down: told so");
    balancer.set(named(1));
    balancer.configure({ healthCheck: false });
    context!.report(a as never, { health: { kind: "down", reason: "too late", failures: 1, successes: 0 } });
    expect(health(balancer, "a")).toBe("healthy");
    expect(told).toEqual(["+a", "+b", "-b", "end"]);
  });

  test("may throw everywhere, and hurts nobody", async () => {
    const { balancer } = world(2, {
      healthCheck: { name: "own", start: () => ({ add: fail, remove: fail, close: fail }) },
    });
    const told = record(balancer, "callbackFailed");
    balancer.set(named(1));
    await balancer.call(async () => 1);
    await balancer.close({ drainMs: 0 });
    expect(told.map(({ record: { where } }) => where)).toEqual(["health check", "health check"]);
    const other = world(2, { healthCheck: { name: "own", start: fail }, random: constantRandom(0.5) }).balancer;
    expect(await other.call(async () => 1)).toBe(1);
    expect(other.snapshot().healthCheck).toBeNull();
  });
});
