// What users of opossum 10 run into, one test each: first that opossum does so (where that can be shown), then that we don't.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { virtualClock } from "@fairlead/core/testing";
import { describe, expect, test } from "vitest";
import { createBreaker, isOurError } from "../src/index.ts";
import { balancedWorld, deferred, escaped, nothing, rejection, settle } from "./support.ts";

interface Opossum {
  fire(...args: unknown[]): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): void;
  shutdown(): void;
  open(): void;
  eventNames(): unknown[];
  readonly opened: boolean;
  readonly closed: boolean;
  readonly halfOpen: boolean;
  readonly isShutdown: boolean;
  readonly status: { readonly window: unknown[] };
}

const OpossumBreaker = createRequire(import.meta.url)("opossum") as {
  new (action: (...args: never[]) => unknown, options?: object): Opossum;
  isOurError(error: unknown): boolean;
};

/** An opossum that is shut down again. */
async function withOpossum(
  action: (...args: never[]) => unknown,
  options: object,
  use: (circuit: Opossum) => Promise<void>,
): Promise<void> {
  const circuit = new OpossumBreaker(action, options);
  try {
    await use(circuit);
  } finally {
    circuit.shutdown();
  }
}

const fail = (): Promise<never> => Promise.reject(new Error("fails"));
const hangOrFail = (hangs: boolean): Promise<unknown> => (hangs ? new Promise(nothing) : fail());
const takeTime = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 5));
const quiet = async (promise: Promise<unknown>): Promise<void> => void (await promise.catch(nothing));

describe("what opossum does and a breaker of ours does not", () => {
  test("calls in flight dilute the error rate: an outage of slow calls never opens it", async () => {
    await withOpossum(hangOrFail, { timeout: false, enableSnapshots: false }, async (circuit) => {
      for (let call = 0; call < 60; call++) circuit.fire(true).catch(nothing);
      for (let call = 0; call < 40; call++) await quiet(circuit.fire(false));
      expect(circuit.closed).toBe(true);
    });
    const ours = createBreaker(hangOrFail, { timeout: false });
    for (let call = 0; call < 60; call++) ours.fire(true).catch(nothing);
    for (let call = 0; call < 10; call++) await quiet(ours.fire(false));
    expect(ours.opened).toBe(true);
  });

  test("a probe that hangs keeps it half-open for ever", async () => {
    const clock = virtualClock();
    let hangs = false;
    const ours = createBreaker(() => (hangs ? new Promise<never>(nothing) : fail()), {
      timeout: false,
      volumeThreshold: 1,
      probes: { timeoutMs: 5_000 },
      clock,
    });
    await quiet(ours.fire());
    hangs = true;
    await clock.advance(30_000);
    ours.fire().catch(nothing);
    expect(await rejection(ours.fire())).toMatchObject({ code: "EOPENBREAKER" });
    await clock.advance(35_000);
    ours.fire().catch(nothing);
    expect(ours.halfOpen).toBe(true);
    expect(ours.stats.rejects).toBe(0);
    expect(ours.pendingClose).toBe(false);
  });

  test("a failure costs more the more calls are in the window, and keeps a number for each", async () => {
    const clock = virtualClock();
    let works = true;
    const ours = createBreaker(async () => (works ? 1 : fail()), { clock, errorThresholdPercentage: 99 });
    for (let call = 0; call < 20_000; call++) await ours.fire();
    const kept = ours.status.window.flatMap((bucket) => bucket.latencyTimes ?? []);
    expect(kept).toHaveLength(100);
    works = false;
    const reads = countReads(ours.status);
    for (let call = 0; call < 100; call++) await quiet(ours.fire());
    expect(reads.count).toBe(0);
    Reflect.deleteProperty(ours.status, "stats");
    expect(ours.stats).toMatchObject({ fires: 20_100, successes: 20_000, failures: 100 });
  });

  test("calls above its capacity open it", async () => {
    const options = { capacity: 1, volumeThreshold: 1 };
    await withOpossum(takeTime, { ...options, enableSnapshots: false }, async (circuit) => {
      await Promise.all(Array.from({ length: 5 }, () => quiet(circuit.fire())));
      expect(circuit.opened).toBe(true);
    });
    const ours = createBreaker(takeTime, options);
    const failures: unknown[] = [];
    ours.on("failure", (error) => failures.push(error));
    const codes = await Promise.all(
      Array.from({ length: 5 }, () =>
        ours.fire().then(
          () => "served",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(codes).toEqual(["served", "ESEMLOCKED", "ESEMLOCKED", "ESEMLOCKED", "ESEMLOCKED"]);
    expect([ours.closed, failures, ours.stats.semaphoreRejections]).toEqual([true, [], 4]);
  });

  test("a success from before it opened closes it", async () => {
    const clock = virtualClock();
    const slow = deferred();
    const ours = createBreaker((works: boolean) => (works ? slow.promise : fail()), {
      timeout: false,
      volumeThreshold: 1,
      clock,
    });
    const early = ours.fire(true);
    await quiet(ours.fire(false));
    await clock.advance(30_000);
    expect(ours.halfOpen).toBe(true);
    slow.resolve();
    await early;
    expect(ours.halfOpen).toBe(true);
  });

  test("an error that is filtered (a 404, an abort) closes it, and counts as a success", async () => {
    const clock = virtualClock();
    const ours = createBreaker((status: number) => Promise.reject(Object.assign(new Error("status"), { status })), {
      volumeThreshold: 1,
      errorFilter: (error) => (error as { status: number }).status === 404,
      clock,
    });
    const fallbacks: unknown[] = [];
    ours.fallback((status, error) => {
      fallbacks.push(status);
      throw error;
    });
    await quiet(ours.fire(404));
    expect(ours.stats).toMatchObject({ fires: 1, successes: 0, failures: 0 });
    await quiet(ours.fire(500));
    await clock.advance(30_000);
    await quiet(ours.fire(404));
    expect([ours.halfOpen, ours.pendingClose, fallbacks]).toEqual([true, true, [500]]);
  });

  test("a call that timed out frees its place although it still runs", async () => {
    const clock = virtualClock();
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const ours = createBreaker(
      async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => ends.push(resolve));
        running--;
      },
      { capacity: 1, timeout: 100, clock, errorThresholdPercentage: false },
    );
    for (let call = 0; call < 5; call++) {
      const timedOut = quiet(ours.fire());
      await clock.advance(100);
      await timedOut;
    }
    expect(most).toBe(1);
    ends[0]?.();
    await settle();
    const next = ours.fire();
    ends[1]?.();
    await next;
    expect(most).toBe(1);
  });

  test("one time-out aborts every call, and the breaker's signal stays aborted", async () => {
    const clock = virtualClock();
    const signals: AbortSignal[] = [];
    const ours = createBreaker(
      (ms: number, signal: AbortSignal) => {
        signals.push(signal);
        return new Promise<void>((resolve) => void clock.schedule(ms, resolve));
      },
      { timeout: 100, clock, passSignal: true },
    );
    const slow = rejection(ours.fire(1_000));
    await clock.advance(50);
    const fast = ours.fire(90);
    await clock.advance(90);
    await fast;
    expect(await slow).toMatchObject({ code: "ETIMEDOUT" });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(signals[0]?.reason).toMatchObject({ code: "ETIMEDOUT" });
    const later = ours.fire(10);
    await clock.advance(10);
    await later;
    expect(signals[2]?.aborted).toBe(false);
    expect([ours.getSignal(), ours.getAbortController()]).toEqual([undefined, undefined]);
  });

  test("a state that was saved while open waits for the whole reset time again, or not at all", async () => {
    const clock = virtualClock();
    const before = createBreaker(fail, { volumeThreshold: 1, clock, name: "orders" });
    await clock.advance(3_600_000);
    await quiet(before.fire());
    await clock.advance(20_000);
    const { state, status } = JSON.parse(JSON.stringify(before.toJSON()));
    expect(state).toMatchObject({ open: true, closed: false, lastTimerAt: clock.wallNow() - 20_000 });
    const after = createBreaker(async () => "works", { state, status, clock, name: "orders" });
    await clock.advance(9_999);
    expect(after.opened).toBe(true);
    await clock.advance(1);
    expect(await after.fire()).toBe("works");
    expect(after.closed).toBe(true);
  });

  test("a status given as a plain object ignores the options of the window", async () => {
    const status = { successes: 3, failures: 2, fires: 5 };
    await withOpossum(fail, { status, rollingCountBuckets: 6, enableSnapshots: false }, async (circuit) => {
      expect(circuit.status.window).toHaveLength(10);
    });
    const ours = createBreaker(fail, { status, rollingCountBuckets: 6, volumeThreshold: 6 });
    expect(ours.status.window).toHaveLength(6);
    expect(ours.stats).toMatchObject(status);
    await quiet(ours.fire());
    // 3 of 6: not more than half.
    expect(ours.closed).toBe(true);
    await quiet(ours.fire());
    expect(ours.opened).toBe(true);
    expect(createBreaker(fail, { status: ours.status }).stats.failures).toBe(4);
  });

  test("after shutdown its health check goes on, and its first failure brings it back to life", async () => {
    const clock = virtualClock();
    const ours = createBreaker(async () => 1, { clock });
    let checks = 0;
    const failures: unknown[] = [];
    ours.on("healthCheckFailed", (error) => failures.push(error));
    ours.healthCheck(() => {
      checks++;
      return fail();
    }, 1_000);
    await clock.advance(1_000);
    expect([checks, failures.length, ours.opened]).toEqual([2, 2, true]);
    ours.shutdown();
    await clock.advance(60_000);
    expect([checks, ours.isShutdown, ours.opened, clock.pending]).toEqual([2, true, false, 0]);
    ours.healthCheck(fail, 1);
    ours.open();
    ours.enable();
    expect([ours.isShutdown, ours.enabled, clock.pending]).toEqual([true, false, 0]);
    expect(await rejection(ours.fire())).toMatchObject({ code: "ESHUTDOWN" });
  });

  test("two breakers made from one options object share a cache", async () => {
    const options = { cache: true, timeout: false } as const;
    const opossumOptions = { cache: true, timeout: false, enableSnapshots: false };
    await withOpossum(
      async () => "A",
      opossumOptions,
      async (a) => {
        await a.fire();
        await withOpossum(
          async () => "B",
          opossumOptions,
          async (b) => {
            expect(await b.fire()).toBe("A");
          },
        );
      },
    );
    const a = createBreaker(async () => "A", options);
    const b = createBreaker(async () => "B", options);
    expect([await a.fire(), await b.fire()]).toEqual(["A", "B"]);
    expect(options).toEqual({ cache: true, timeout: false });
  });

  test("a listener or filter that throws leaves fire() unsettled, or makes a success a failure", async () => {
    const thrown = await escaped(async () => {
      const works = createBreaker(async (ok: boolean) => (ok ? "works" : fail()), {
        volumeThreshold: 1,
        errorFilter: () => {
          throw new Error("filter");
        },
      });
      const seen: string[] = [];
      for (const event of ["fire", "success", "failure", "open", "reject", "close", "callbackFailed"] as const) {
        works.on(event, () => {
          throw new Error(event);
        });
        works.on(event, () => seen.push(event));
      }
      const rejects: () => unknown = fail;
      works.on("success", rejects);
      expect(await works.fire(true)).toBe("works");
      expect(await rejection(works.fire(false))).toMatchObject({ message: "fails" });
      await rejection(works.fire(false));
      expect(await rejection(works.fire(true))).toMatchObject({ code: "EOPENBREAKER" });
      works.close();
      expect(works.closed).toBe(true);
      for (const event of ["fire", "success", "failure", "open", "reject", "close", "callbackFailed"])
        expect(seen).toContain(event);
    });
    expect(thrown).toEqual([]);
    const told: string[] = [];
    const told404 = createBreaker(fail, {
      errorFilter: (async () => {
        throw new Error("an async filter filters everything");
      }) as never,
      volumeThreshold: 1,
    });
    told404.on("callbackFailed", ({ where }) => told.push(where));
    await quiet(told404.fire());
    await settle();
    expect([told404.opened, told]).toEqual([true, ["errorFilter"]]);
  });

  test("a function that returns nothing at once is a failure", async () => {
    await withOpossum(
      () => undefined,
      { enableSnapshots: false },
      async (circuit) => {
        expect(String(await rejection(circuit.fire()))).toContain("TypeError");
      },
    );
    for (const value of [undefined, null, 0, "text"]) {
      const ours = createBreaker(() => value);
      expect(await ours.fire()).toBe(value);
      ours.disable();
      expect(await ours.fire()).toBe(value);
      expect(ours.stats.failures).toBe(0);
    }
    const throwing = createBreaker(() => {
      throw new Error("at once");
    });
    expect(await rejection(throwing.fire())).toMatchObject({ message: "at once" });
    expect(throwing.stats.failures).toBe(1);
    throwing.disable();
    expect(await rejection(throwing.fire())).toMatchObject({ message: "at once" });
  });

  test("made while a module loads it starts timers, which Workers forbid", () => {
    const clock = virtualClock();
    const ours = createBreaker(async () => 1, { clock, allowWarmUp: true });
    expect([clock.pending, ours.warmUp]).toEqual([0, true]);
    const script = `
      const forbidden = (name) => () => { throw new Error(name + " while loading"); };
      for (const name of ["setTimeout", "setInterval", "setImmediate"]) globalThis[name] = forbidden(name);
      const random = Math.random; Math.random = forbidden("random");
      const { createBreaker, circuitBreaker } = await import("@fairlead/breaker");
      createBreaker(async function named() {}, { allowWarmUp: true, enabled: true }); circuitBreaker();
      console.log("made");`;
    expect(inNode(script)).toBe("made");
  });

  test("a call that hangs keeps the process alive for its time-out, and an open breaker for nothing", () => {
    const script = `
      const { createBreaker } = await import("@fairlead/breaker");
      const hung = createBreaker(() => new Promise(() => {}), { timeout: 60_000 });
      hung.fire();
      const open = createBreaker(() => Promise.reject(new Error()), { volumeThreshold: 1, resetTimeout: 60_000 });
      open.fire().catch(() => {});
      open.healthCheck(async () => {}, 60_000);
      open.status.on("snapshot", () => {});
      const before = performance.now();
      process.on("exit", () => console.log(performance.now() - before < 10_000 ? "at once" : "late"));`;
    expect(inNode(script)).toBe("at once");
  });

  test("a refusal costs a stack trace", async () => {
    const ours = createBreaker(async () => 1);
    ours.open();
    const limit = Error.stackTraceLimit;
    const error = (await rejection(ours.fire())) as Error;
    expect(error).toMatchObject({ message: "Breaker is open", code: "EOPENBREAKER" });
    expect(error.stack).not.toContain("\n");
    expect(Error.stackTraceLimit).toBe(limit);
    expect([isOurError(error), OpossumBreaker.isOurError(error)]).toEqual([true, true]);
  });

  test("counts from before it opened are held against it after it has closed", async () => {
    const clock = virtualClock();
    let works = false;
    const ours = createBreaker(async () => (works ? 1 : fail()), { volumeThreshold: 4, resetTimeout: 100, clock });
    for (let call = 0; call < 4; call++) await quiet(ours.fire());
    works = true;
    await clock.advance(100);
    await ours.fire();
    works = false;
    await quiet(ours.fire());
    expect(ours.closed).toBe(true);
  });

  test("the same holds on the balanced path: in flight, late, refused and aborted calls count for nothing", async () => {
    const world = balancedWorld({ volumeThreshold: 4 }, ["a"]);
    const held = Array.from({ length: 60 }, () => world.balancer.tryAcquire());
    for (let call = 0; call < 4; call++) await quiet(world.balancer.call(fail));
    expect(world.breaker.snapshot()[0]).toMatchObject({ state: "open", inFlight: 60 });
    for (const lease of held) lease?.settle({ outcome: "success" });
    expect(world.breaker.snapshot()[0]).toMatchObject({ state: "open", inFlight: 0 });
  });
});

/** How often the status is summed up. */
function countReads(status: object): { count: number } {
  const reads = { count: 0 };
  const counting = {
    configurable: true,
    get: () => {
      reads.count++;
      return {};
    },
  };
  Object.defineProperty(status, "stats", counting);
  return reads;
}

function inNode(script: string): string {
  const args = ["--conditions=@fairlead/source", "--input-type=module", "-e", script];
  return execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8", timeout: 60_000 }).trim();
}
