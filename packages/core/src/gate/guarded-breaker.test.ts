import { describe, expect, it, vi } from "vitest";
import type { Breaker } from "./breaker.ts";
import { guardBreaker } from "./guarded-breaker.ts";

const working: Breaker = {
  state: "half-open",
  admits: (nowMs) => nowMs > 10,
  enter: (nowMs) => nowMs + 1,
  report: () => {},
  [Symbol.dispose]: () => {},
};

describe("the guard of a breaker that works", () => {
  it("hands everything through", () => {
    const inner = { ...working, report: vi.fn(), [Symbol.dispose]: vi.fn() };
    const failed = vi.fn();
    const breaker = guardBreaker(() => inner, failed);
    expect(breaker?.state).toBe("half-open");
    expect(breaker?.stateFor(5, {})).toBe("half-open");
    expect([breaker?.admits(10, {}), breaker?.admits(11, {})]).toEqual([false, true]);
    expect(breaker?.enter(5, {})).toBe(6);
    breaker?.report(6, { outcome: "failure" }, 7, 2);
    expect(inner.report).toHaveBeenCalledWith(6, { outcome: "failure" }, 7, 2);
    breaker?.[Symbol.dispose]();
    expect(inner[Symbol.dispose]).toHaveBeenCalledTimes(1);
    expect(failed).not.toHaveBeenCalled();
  });
});

describe("the guard of a breaker that throws", () => {
  const error = new Error("broken breaker");
  const raise = (): never => {
    throw error;
  };
  const broken: Breaker = {
    get state(): never {
      return raise();
    },
    get passes(): never {
      return raise();
    },
    admits: raise,
    enter: raise,
    report: raise,
    [Symbol.dispose]: raise,
  };

  it("admits, lets nothing through, and tells of every exception", () => {
    const failed = vi.fn();
    const breaker = guardBreaker(() => broken, failed);
    expect(breaker?.state).toBe("closed");
    expect(breaker?.stateFor(0, {})).toBe("closed");
    expect(breaker?.passes).toBe(true);
    expect(breaker?.admits(0, {})).toBe(true);
    expect(breaker?.enter(0, {})).toBe(0);
    breaker?.report(0, { outcome: "success" }, 0, 0);
    breaker?.[Symbol.dispose]();
    expect(failed.mock.calls.map(([where]) => where as string)).toEqual([
      "breaker.state",
      "breaker.state",
      "breaker.passes",
      "breaker.admits",
      "breaker.enter",
      "breaker.report",
      "breaker.dispose",
    ]);
    for (const [, reason] of failed.mock.calls) expect(reason).toBe(error);
  });

  it("is none if the breaker could not be made", () => {
    const failed = vi.fn();
    expect(guardBreaker(raise, failed)).toBeUndefined();
    expect(failed).toHaveBeenCalledExactlyOnceWith("breaker.create", error);
  });
});
