import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type PlatformTimer, wheelClock } from "./clock.ts";
import { LagWatch, overlap } from "./lag.ts";

/** A platform whose only timer runs when told, as late as told. */
class Platform {
  nowMs = 1_000;
  pending: { readonly dueMs: number; readonly callback: () => void; keepsAlive: boolean } | undefined;
  readonly lag: LagWatch = new LagWatch(
    () => this.nowMs,
    (delayMs, callback) => this.#timer(delayMs, callback),
  );

  #timer(delayMs: number, callback: () => void): PlatformTimer {
    expect(this.pending, "one timer at a time").toBeUndefined();
    const timer = { dueMs: this.nowMs + delayMs, callback, keepsAlive: true };
    this.pending = timer;
    return {
      cancel: () => {
        this.pending = undefined;
      },
      ref: (keepAlive) => {
        timer.keepsAlive = keepAlive;
      },
    };
  }

  /** Time goes on, and every tick comes so late. */
  run(ms: number, lateMs = 0): void {
    const endMs = this.nowMs + ms;
    while (this.pending !== undefined && this.pending.dueMs + lateMs <= endMs) this.tick(this.pending.dueMs + lateMs);
    this.nowMs = endMs;
  }

  /** The loop stands still; nothing runs. */
  stall(ms: number): void {
    this.nowMs += ms;
  }

  /** The overdue tick has its turn. */
  tick(atMs: number = this.nowMs): void {
    const timer = this.pending;
    this.pending = undefined;
    this.nowMs = atMs;
    timer?.callback();
  }

  watch(): number {
    this.lag.watch(this.nowMs);
    return this.nowMs;
  }
}

describe("a lag watch", () => {
  it("sees nothing while ticks come in time, or as late as a coarse timer", () => {
    const platform = new Platform();
    const beganMs = platform.watch();
    platform.run(500, 2);
    platform.run(400, 15.6);
    expect(platform.lag.during(beganMs, platform.nowMs)).toBe(0);
  });

  it("sees a stall from when its tick was due: at most a period less than it took", () => {
    for (const intoPeriodMs of [0, 7, 19]) {
      const platform = new Platform();
      const beganMs = platform.watch();
      platform.run(200 + intoPeriodMs);
      platform.stall(300);
      platform.tick();
      platform.run(100);
      const seenMs = platform.lag.during(beganMs, platform.nowMs);
      expect(seenMs).toBe(300 - (20 - intoPeriodMs));
    }
  });

  it("sees the stall that is not over: a response may be handled before the tick", () => {
    const platform = new Platform();
    const beganMs = platform.watch();
    platform.run(210);
    platform.stall(300);
    expect(platform.lag.during(beganMs, platform.nowMs)).toBe(290);
    // It counts once, before and after the tick.
    platform.tick();
    expect(platform.lag.during(beganMs, platform.nowMs)).toBe(290);
  });

  it("counts only what lies within the span asked for", () => {
    const platform = new Platform();
    platform.watch();
    platform.stall(120);
    platform.tick();
    const [beginMs, endMs] = [1_020, 1_120];
    platform.run(100);
    const { lag } = platform;
    expect(lag.during(beginMs - 50, endMs + 50)).toBe(100);
    expect(lag.during(beginMs + 30, endMs - 30)).toBe(40);
    expect(lag.during(beginMs + 90, endMs + 50)).toBe(10);
    expect(lag.during(endMs, endMs + 50)).toBe(0);
    expect(lag.during(beginMs - 50, beginMs)).toBe(0);
  });

  it("adds up the stalls of more than a second", () => {
    const platform = new Platform();
    const beganMs = platform.watch();
    for (let stall = 0; stall < 10; stall++) {
      platform.watch();
      platform.stall(100);
      platform.tick();
    }
    expect(platform.lag.during(beganMs, platform.nowMs)).toBe(10 * 80);
  });

  it("forgets the oldest stalls, not the newest", () => {
    const platform = new Platform();
    const beganMs = platform.watch();
    for (let stall = 0; stall < 100; stall++) {
      platform.watch();
      platform.stall(50);
      platform.tick();
    }
    expect(platform.lag.during(beganMs, platform.nowMs)).toBe(32 * 30);
    expect(platform.lag.during(platform.nowMs - 500, platform.nowMs)).toBe(10 * 30);
  });

  it("ticks for a second after the last watch, with a timer that keeps nothing alive", () => {
    const platform = new Platform();
    expect(platform.pending).toBeUndefined();
    platform.watch();
    platform.run(900);
    platform.watch();
    expect(platform.pending?.keepsAlive).toBe(false);
    platform.run(990);
    expect(platform.pending).toBeDefined();
    platform.run(40);
    expect(platform.pending).toBeUndefined();
  });

  it("takes no time without ticks for a stall, and begins again with the next watch", () => {
    const platform = new Platform();
    const beganMs = platform.watch();
    platform.run(60_000);
    expect(platform.lag.during(beganMs, platform.nowMs)).toBe(0);
    const againMs = platform.watch();
    platform.stall(320);
    platform.tick();
    expect(platform.lag.during(againMs, platform.nowMs)).toBe(300);
  });
});

describe("the time that two spans have in common", () => {
  it.each([
    [0, 10, 10, 20, 0],
    [0, 10, 5, 20, 5],
    [0, 10, 2, 4, 2],
    [2, 4, 0, 10, 2],
    [0, 10, 11, 20, 0],
  ])("of %d…%d and %d…%d is %d", (begin, end, otherBegin, otherEnd, expected) => {
    expect(overlap(begin, end, otherBegin, otherEnd)).toBe(expected);
  });
});

describe("the wheel clock's lag", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("is not measured in a web page, whose timers come late when it is hidden", () => {
    expect(wheelClock().lag).toBeInstanceOf(LagWatch);
    vi.stubGlobal("document", {});
    expect(wheelClock().lag).toBeUndefined();
  });

  // Takes 0.6 s here.
  it("shows a real stall under a real call, less a tenth at most, and lets the process end", {
    timeout: 15_000,
  }, async () => {
    // Answers after 80 ms: within the stall, which begins after 30.
    const server = createServer((_, response) => void setTimeout(() => response.end("late"), 80));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const script = fileURLToPath(new URL("../test/support/scripts/stalls.ts", import.meta.url));
    const child = spawn(process.execPath, ["--conditions=@fairlead/source", script, `http://127.0.0.1:${port}/`], {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 10_000,
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    const code = await new Promise((resolve) => child.on("close", resolve));
    server.close();
    expect(code).toBe(0);
    const { blockedMs, seenMs, tookMs } = JSON.parse(output) as Record<"blockedMs" | "seenMs" | "tookMs", number>;
    expect(blockedMs).toBeGreaterThanOrEqual(300);
    expect(seenMs).toBeGreaterThan(0.9 * blockedMs);
    // The machine may stall of its own accord; but the time before the first tick is never one.
    expect(seenMs).toBeLessThanOrEqual(tookMs - 20);
  });
});
