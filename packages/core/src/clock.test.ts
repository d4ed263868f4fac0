import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { perCallClock, systemClock, wheelClock } from "./clock.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe.each([
  { name: "the wheel clock", create: wheelClock },
  { name: "the per-call clock", create: perCallClock },
])("$name", ({ create }) => {
  it("tells monotonic time in milliseconds, and the wall's", () => {
    const clock = create();
    const startMs = clock.now();
    const wallMs = clock.wallNow();
    vi.advanceTimersByTime(1_234);
    expect(clock.now() - startMs).toBeCloseTo(1_234, 3);
    expect(clock.wallNow() - wallMs).toBe(1_234);
    expect(clock.wallNow()).toBe(Date.now());
  });

  it.each([0, 1, 10, 699, 700, 1_000, 10_000, 30_000, 300_000])(
    "runs a callback after %d ms, never early and at most 3 %% late",
    (delayMs) => {
      const clock = create();
      const startMs = clock.now();
      let ranAfterMs = -1;
      clock.schedule(delayMs, () => {
        ranAfterMs = clock.now() - startMs;
      });
      vi.advanceTimersByTime(delayMs * 1.03 + 1);
      expect(ranAfterMs).toBeGreaterThanOrEqual(delayMs - 0.001);
      expect(ranAfterMs).toBeLessThanOrEqual(delayMs * 1.03 + 1);
    },
  );

  it("runs a callback once", () => {
    const callback = vi.fn();
    create().schedule(1_000, callback);
    vi.advanceTimersByTime(60_000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it("runs nothing that was cancelled", () => {
    const clock = create();
    const callback = vi.fn();
    const timers = [5, 2_000].map((delayMs) => clock.schedule(delayMs, callback));
    for (const timer of timers) timer.cancel();
    vi.advanceTimersByTime(60_000);
    expect(callback).not.toHaveBeenCalled();
  });

  it.each([5, 2_000])("allows cancelling a timer of %d ms that has run, and cancelling twice", (delayMs) => {
    const clock = create();
    const other = vi.fn();
    const timer = clock.schedule(delayMs, () => {});
    clock.schedule(delayMs + 1_000, other);
    vi.advanceTimersByTime(delayMs + 100);
    timer.cancel();
    timer.cancel();
    vi.advanceTimersByTime(2_000);
    expect(other).toHaveBeenCalledTimes(1);
  });
});

describe("the per-call clock", () => {
  it("gives every timer a platform timer of its own", () => {
    const clock = perCallClock();
    for (let i = 0; i < 5; i++) clock.schedule(10_000, () => {});
    expect(vi.getTimerCount()).toBe(5);
  });

  it("says that nothing runs by itself where it is used, as no other clock does", () => {
    expect(perCallClock().background).toBe(false);
    expect(wheelClock().background).toBeUndefined();
  });
});

describe("the wheel clock", () => {
  it("waits on one platform timer, however many timers there are", () => {
    const clock = wheelClock();
    for (let i = 0; i < 100; i++) clock.schedule(1_000 + i * 100, () => {});
    expect(vi.getTimerCount()).toBe(1);
  });
});

describe("the system clock", () => {
  it("is one wheel for the whole process", () => {
    expect(systemClock()).toBe(systemClock());
    systemClock().schedule(1_000, () => {});
    systemClock().schedule(2_000, () => {});
    expect(vi.getTimerCount()).toBe(1);
  });

  it("has a timer per call in workerd, where no request may wait on another's", () => {
    vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
    const clock = systemClock();
    clock.schedule(1_000, () => {});
    clock.schedule(2_000, () => {});
    expect(vi.getTimerCount()).toBe(2);
  });
});
