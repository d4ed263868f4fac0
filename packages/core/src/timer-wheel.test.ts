import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PlatformTimer } from "./clock.ts";
import { TimerWheel } from "./timer-wheel.ts";

/** A platform with timers that run when told, and that remembers what it was asked for. */
class Platform {
  nowMs = 0;
  readonly delaysMs: number[] = [];
  readonly #timers = new Map<object, { readonly dueMs: number; readonly callback: () => void; keepsAlive: boolean }>();

  readonly timer = (delayMs: number, callback: () => void): PlatformTimer => {
    const key = {};
    this.delaysMs.push(delayMs);
    const timer = { dueMs: this.nowMs + delayMs, callback, keepsAlive: true };
    this.#timers.set(key, timer);
    return {
      cancel: () => void this.#timers.delete(key),
      ref: (keepAlive) => {
        timer.keepsAlive = keepAlive;
      },
    };
  };

  get pending(): number {
    return this.#timers.size;
  }

  get staysAlive(): boolean {
    return [...this.#timers.values()].some(({ keepsAlive }) => keepsAlive);
  }

  advanceTo(untilMs: number): void {
    for (;;) {
      const due = [...this.#timers].sort(([, a], [, b]) => a.dueMs - b.dueMs)[0];
      if (due === undefined || due[1].dueMs > untilMs) break;
      this.#timers.delete(due[0]);
      this.nowMs = Math.max(this.nowMs, due[1].dueMs);
      due[1].callback();
    }
    this.nowMs = untilMs;
  }

  /** The process stood still: time goes on, and nothing runs. */
  stall(ms: number): void {
    this.nowMs += ms;
  }
}

function wheelOn(platform: Platform): TimerWheel {
  return new TimerWheel(() => platform.nowMs, platform.timer);
}

describe("a timer wheel", () => {
  it("runs every timer that is not cancelled, once, never early and at most 3 % late", () => {
    const plan = fc.record({
      startMs: fc.integer({ min: 0, max: 40_000 }),
      delayMs: fc.integer({ min: 0, max: 60_000 }),
      cancelAfterMs: fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(plan, { maxLength: 40 }), (plans) => {
        const platform = new Platform();
        const wheel = wheelOn(platform);
        const ranAtMs = plans.map((): number[] => []);
        const steps = plans.flatMap(({ startMs, delayMs, cancelAfterMs }, index) => {
          let cancel: (() => void) | undefined;
          const start = (): void => {
            const timer = wheel.schedule(delayMs, () => ranAtMs[index]?.push(platform.nowMs));
            cancel = () => timer.cancel();
          };
          const stop = { atMs: startMs + (cancelAfterMs ?? 0), run: () => cancel?.() };
          return cancelAfterMs === undefined ? [{ atMs: startMs, run: start }] : [{ atMs: startMs, run: start }, stop];
        });
        for (const { atMs, run } of steps.sort((a, b) => a.atMs - b.atMs)) {
          platform.advanceTo(atMs);
          run();
        }
        platform.advanceTo(200_000);
        for (const [index, { startMs, delayMs, cancelAfterMs }] of plans.entries()) {
          const ran = ranAtMs[index] ?? [];
          const latestMs = startMs + delayMs * 1.03;
          if (cancelAfterMs !== undefined && cancelAfterMs < delayMs) expect(ran).toEqual([]);
          else if (cancelAfterMs === undefined || startMs + cancelAfterMs > latestMs) expect(ran).toHaveLength(1);
          for (const atMs of ran) {
            expect(atMs).toBeGreaterThanOrEqual(startMs + delayMs);
            expect(atMs).toBeLessThanOrEqual(latestMs);
          }
        }
        expect(platform.pending).toBe(0);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("runs timers that became due together in the order of their times", () => {
    const platform = new Platform();
    const wheel = wheelOn(platform);
    const ran: number[] = [];
    for (const delayMs of [5_000, 1_000, 9_000, 30_000, 3_000]) wheel.schedule(delayMs, () => ran.push(delayMs));
    platform.stall(40_000);
    platform.advanceTo(40_000);
    expect(ran).toEqual([1_000, 3_000, 5_000, 9_000, 30_000]);
  });

  it("runs a timer that is several turns of the wheel away when it is due, not before", () => {
    const platform = new Platform();
    const ran: number[] = [];
    wheelOn(platform).schedule(300_000, () => ran.push(platform.nowMs));
    platform.advanceTo(299_999);
    expect(ran).toEqual([]);
    platform.advanceTo(300_020);
    expect(ran).toHaveLength(1);
  });

  it("is not woken for timers that were cancelled", () => {
    const platform = new Platform();
    const wheel = wheelOn(platform);
    for (let i = 0; i < 1_000; i++) wheel.schedule(10_000, () => {}).cancel();
    expect(platform.delaysMs.length).toBeLessThan(5);
    platform.advanceTo(20_000);
    expect(platform.pending).toBe(0);
  });

  it("lets a callback cancel a timer that is due at the same moment", () => {
    const platform = new Platform();
    const wheel = wheelOn(platform);
    const ran: string[] = [];
    const timers = ["a", "b"].map((name, index) =>
      wheel.schedule(1_000, () => {
        ran.push(name);
        timers[1 - index]?.cancel();
      }),
    );
    platform.advanceTo(2_000);
    expect(ran).toHaveLength(1);
  });

  it("lets a callback schedule the next timer", () => {
    const platform = new Platform();
    const wheel = wheelOn(platform);
    let rounds = 0;
    const again = (): void => {
      rounds++;
      if (rounds < 5) wheel.schedule(1_000, again);
    };
    wheel.schedule(1_000, again);
    platform.advanceTo(5_200);
    expect(rounds).toBe(5);
  });

  it("runs the others when a callback throws", () => {
    const platform = new Platform();
    const wheel = wheelOn(platform);
    const ran: string[] = [];
    for (const name of ["a", "b", "c"])
      wheel.schedule(1_000, () => {
        ran.push(name);
        if (name === "b") throw new Error("a callback that throws");
      });
    try {
      platform.advanceTo(2_000);
    } catch {
      // Where the error goes is the platform's business.
    }
    platform.advanceTo(5_000);
    expect(ran.sort()).toEqual(["a", "b", "c"]);
  });

  it.each([2 ** 31, 1e12, Number.POSITIVE_INFINITY])(
    "asks the platform for no wait that it would cut to nothing, for a timer of %d ms",
    (delayMs) => {
      const platform = new Platform();
      wheelOn(platform).schedule(delayMs, () => {});
      // `setTimeout` keeps 31 bits; beyond them it fires at once, over and over.
      expect(Math.max(...platform.delaysMs)).toBeLessThan(2 ** 31);
    },
  );
});

describe("a timer wheel and the life of the process", () => {
  it.each([10, 5_000])("keeps it alive for a timer of %d ms that somebody awaits", (delayMs) => {
    const platform = new Platform();
    const timer = wheelOn(platform).schedule(delayMs, () => {});
    expect(platform.staysAlive).toBe(true);
    timer.cancel();
    expect(platform.staysAlive).toBe(false);
  });

  it.each([10, 5_000])("does not for a background timer of %d ms", (delayMs) => {
    const platform = new Platform();
    wheelOn(platform).schedule(delayMs, () => {}, { background: true });
    expect(platform.staysAlive).toBe(false);
  });

  it("keeps it alive while one awaited timer is left among background ones", () => {
    const platform = new Platform();
    const wheel = wheelOn(platform);
    wheel.schedule(1_000, () => {}, { background: true });
    const awaited = wheel.schedule(3_000, () => {});
    expect(platform.staysAlive).toBe(true);
    platform.advanceTo(2_000);
    expect(platform.staysAlive).toBe(true);
    awaited.cancel();
    expect(platform.staysAlive).toBe(false);
  });
});
