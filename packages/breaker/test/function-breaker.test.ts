import { getEventListeners } from "node:events";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { createBreaker, isOurError } from "../src/index.ts";
import { deferred, escaped, nothing, rejection, settle } from "./support.ts";

const fail = (): Promise<never> => Promise.reject(new Error("fails"));
const throws = (): never => {
  throw new Error("cache");
};
const quiet = async (promise: Promise<unknown>): Promise<void> => void (await promise.catch(nothing));

describe("fire", () => {
  test("hands arguments, this and the answer through", async () => {
    const ours = createBreaker(function add(this: unknown, a: number, b: number) {
      return Promise.resolve([a + b, this]);
    });
    expect((await ours.fire(1, 2))[0]).toBe(3);
    const self = {};
    expect((await ours.call(self, 1, 2))[1]).toBe(self);
    expect([ours.name, ours.group]).toEqual(["add", "add"]);
    expect(createBreaker(() => 1, { name: "n", group: "g" })).toMatchObject({ name: "n", group: "g" });
  });

  test("opens, tries, closes; events and halfOpen come in time, without a call", async () => {
    const clock = virtualClock();
    let works = false;
    const ours = createBreaker(async (text: string) => (works ? text : fail()), { volumeThreshold: 2, clock });
    const seen: unknown[] = [];
    for (const event of ["fire", "success", "failure", "reject", "open", "halfOpen", "close"] as const)
      ours.on(event, (...args: unknown[]) => seen.push([event, args[0] instanceof Error ? args[0].message : args[0]]));
    await quiet(ours.fire("1"));
    await quiet(ours.fire("2"));
    expect(await rejection(ours.fire("3"))).toMatchObject({ code: "EOPENBREAKER" });
    works = true;
    await clock.advance(30_000);
    expect(ours.halfOpen).toBe(true);
    expect(await ours.fire("4")).toBe("4");
    expect(seen).toEqual([
      ["fire", ["1"]],
      ["failure", "fails"],
      ["fire", ["2"]],
      ["failure", "fails"],
      ["open", undefined],
      ["fire", ["3"]],
      ["reject", "Breaker is open"],
      ["halfOpen", 30_000],
      ["fire", ["4"]],
      ["success", "4"],
      ["close", undefined],
    ]);
    expect(clock.pending).toBe(0);
  });

  test("times out: a time-out and a failure, at the caller in time, and what comes later is not heard", async () => {
    const clock = virtualClock();
    const late = deferred<string>();
    const ours = createBreaker(() => late.promise, { timeout: 100, clock, volumeThreshold: 1 });
    const seen: unknown[] = [];
    ours.on("timeout", (error, latencyMs, args) => seen.push([(error as Error).message, latencyMs, args]));
    ours.on("success", () => seen.push("success"));
    const error = rejection(ours.fire());
    await clock.advance(100);
    expect(await error).toMatchObject({ message: "Timed out after 100ms", code: "ETIMEDOUT" });
    expect(ours.stats).toMatchObject({ fires: 1, failures: 1, timeouts: 1, successes: 0 });
    expect(ours.opened).toBe(true);
    late.resolve("late");
    await settle();
    expect(seen).toEqual([["Timed out after 100ms", 100, []]]);
  });

  test("a late rejection goes nowhere", async () => {
    const clock = virtualClock();
    const late = deferred();
    const caught = await escaped(async () => {
      const ours = createBreaker(() => late.promise, { timeout: 100, clock });
      const error = rejection(ours.fire());
      await clock.advance(100);
      await error;
      late.reject(new Error("late"));
    });
    expect(caught).toEqual([]);
  });

  test("a caller that leaves gets its own reason; the function learns of it; nobody is blamed", async () => {
    const signals: AbortSignal[] = [];
    const ours = createBreaker(
      (_id: number, signal: AbortSignal) => {
        signals.push(signal);
        return new Promise<void>(nothing);
      },
      { passSignal: true, volumeThreshold: 1 },
    );
    const ignored: unknown[] = [];
    ours.on("ignored", (error) => ignored.push(error));
    const controller = new AbortController();
    const error = rejection(ours.fireWith({ signal: controller.signal }, 1));
    controller.abort("left");
    expect(await error).toBe("left");
    expect(signals[0]?.reason).toBe("left");
    expect([ours.closed, ignored, ours.stats.failures]).toEqual([true, ["left"], 0]);
    expect(await rejection(ours.fireWith({ signal: controller.signal }, 2))).toBe("left");
    expect(signals).toHaveLength(1);
    ours.disable();
    ours.fireWith({ signal: new AbortController().signal }, 3).catch(nothing);
    ours.fire(4).catch(nothing);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false]);
  });

  test("lets go of the caller's signal when it has ended", async () => {
    const ours = createBreaker(async () => 1);
    const { signal } = new AbortController();
    await ours.fireWith({ signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

describe("fallback", () => {
  test("serves what failed, was refused or crowded out, with the arguments and the error", async () => {
    const held = deferred();
    const ours = createBreaker((what: string) => (what === "hold" ? held.promise : fail()), {
      volumeThreshold: 1,
      capacity: 1,
    });
    const seen: unknown[] = [];
    ours.on("fallback", (result) => seen.push(result));
    ours.fallback(
      ((what: string, error: Error & { code?: string }) => `${what} ${error.code ?? error.message}`) as never,
    );
    const first = ours.fire("hold");
    expect(await ours.fire("second")).toBe("second ESEMLOCKED");
    held.resolve();
    await first;
    ours.close();
    expect(await ours.fire("third")).toBe("third fails");
    ours.open();
    expect(await ours.fire("fourth")).toBe("fourth EOPENBREAKER");
    expect(seen).toEqual(["second ESEMLOCKED", "third fails", "fourth EOPENBREAKER"]);
    expect(ours.stats.fallbacks).toBe(3);
  });

  test("its own error is the caller's; it may be another breaker", async () => {
    const ours = createBreaker(fail);
    ours.fallback(() => {
      throw new RangeError("fallback");
    });
    expect(await rejection(ours.fire())).toBeInstanceOf(RangeError);
    const other = createBreaker(async (error: Error) => `other after ${error.message}`);
    ours.fallback(other as never);
    expect(await ours.fire()).toBe("other after fails");
  });
});

describe("by hand", () => {
  test("open, close, enable, disable, shutdown", async () => {
    const clock = virtualClock();
    const ours = createBreaker(async () => "works", { clock });
    ours.open();
    expect([ours.opened, ours.closed]).toEqual([true, false]);
    ours.disable();
    expect([ours.enabled, await ours.fire()]).toEqual([false, "works"]);
    ours.enable();
    expect(await rejection(ours.fire())).toMatchObject({ code: "EOPENBREAKER" });
    ours.close();
    expect([await ours.fire(), clock.pending]).toEqual(["works", 0]);
    const shut: unknown[] = [];
    ours.on("shutdown", () => shut.push("shutdown"));
    ours.open();
    ours.shutdown();
    ours.shutdown();
    const error = await rejection(ours.fire());
    expect([shut, isOurError(error), clock.pending, ours.opened]).toEqual([["shutdown"], true, 0, false]);
    for (const other of [undefined, null, "text", new Error("other")]) expect(isOurError(other)).toBe(false);
  });

  test("health checks run one at a time, with the breaker as this, until stopped", async () => {
    const clock = virtualClock();
    const ours = createBreaker(async () => 1, { clock });
    const hung = deferred();
    const seen: unknown[] = [];
    const stop = ours.healthCheck(function (this: unknown) {
      seen.push(this === ours);
      return hung.promise;
    }, 1_000);
    await clock.advance(5_000);
    expect(seen).toEqual([true]);
    hung.resolve();
    await clock.advance(1_000);
    expect(seen).toEqual([true, true]);
    stop();
    await clock.advance(5_000);
    expect([seen.length, clock.pending]).toEqual([2, 0]);
    ours.healthCheck(() => {
      throw new Error("at once");
    });
    await settle();
    expect(ours.opened).toBe(true);
    expect(() => ours.healthCheck("no" as never)).toThrow(TypeError);
    expect(() => ours.healthCheck(nothing, Number.NaN)).toThrow(TypeError);
    ours.shutdown();
  });

  test("state of opossum's own, which does not say until when, waits for its whole time; others stay what they were", () => {
    const clock = virtualClock();
    const of = (state: object) => createBreaker(async () => 1, { clock, state });
    const open = of({ closed: false, open: true, halfOpen: false, enabled: true, lastTimerAt: 1 });
    expect(open.toJSON().state.openUntilAt).toBe(clock.wallNow() + 30_000);
    expect(of({ closed: false, open: false, halfOpen: true }).halfOpen).toBe(true);
    expect(of({ closed: true, enabled: false }).enabled).toBe(false);
    expect(of({ closed: true, warmUp: true }).warmUp).toBe(true);
    expect(of({ closed: true, shutdown: true }).isShutdown).toBe(true);
  });
});

describe("the cache", () => {
  test("hands out results again for their time; calls without a key, and caches that fail, cost only a hit", async () => {
    const clock = virtualClock();
    let runs = 0;
    const run = async (_of: unknown): Promise<number> => ++runs;
    const ours = createBreaker(run, { cache: true, cacheTTL: 1_000, cacheSize: 2, clock });
    expect([await ours.fire("a"), await ours.fire("a"), await ours.fire("b")]).toEqual([1, 1, 2]);
    await ours.fire("c");
    expect(await ours.fire("a")).toBe(4);
    await clock.advance(1_000);
    expect(await ours.fire("c")).toBe(5);
    expect([await ours.fire(1n), await ours.fire(1n)]).toEqual([6, 7]);
    ours.clearCache();
    expect(await ours.fire("c")).toBe(8);
    expect(ours.stats).toMatchObject({ fires: 9, successes: 8, cacheHits: 1, cacheMisses: 6 });
    const broken = createBreaker(run, { cache: true, cacheTransport: { get: throws, set: throws, flush: throws } });
    const failures: string[] = [];
    broken.on("callbackFailed", ({ where }) => failures.push(where));
    expect(await broken.fire("a")).toBe(9);
    broken.clearCache();
    expect(failures).toEqual(["cacheTransport.get", "cacheTransport.set", "cacheTransport.flush"]);
  });

  test("coalesce: calls with one key share a run, until what resets it", async () => {
    const clock = virtualClock();
    const ends: ReturnType<typeof deferred<string>>[] = [];
    const ours = createBreaker(
      (_key: string) => {
        const end = deferred<string>();
        ends.push(end);
        return end.promise;
      },
      { coalesce: true, coalesceResetOn: ["error"], cacheGetKey: (key) => key, clock },
    );
    const [a, b, other] = [ours.fire("k"), ours.fire("k"), ours.fire("other")];
    ends[0]?.resolve("shared");
    expect([await a, await b, ends.length]).toEqual(["shared", "shared", 2]);
    expect(await ours.fire("k")).toBe("shared");
    ends[1]?.reject(new Error("fails"));
    await quiet(other);
    ours.fire("other").catch(nothing);
    expect([ends.length, ours.stats.coalesceCacheHits]).toEqual([3, 2]);
    await clock.advance(10_000);
    ours.fire("k").catch(nothing);
    expect(ends).toHaveLength(4);
    const controller = new AbortController();
    const leaves = rejection(ours.fireWith({ signal: controller.signal }, "left"));
    const stays = ours.fire("left");
    controller.abort("left");
    ends[5]?.resolve("stayed");
    expect([await leaves, await stays]).toEqual(["left", "stayed"]);
  });
});
