import { describe, expect, it } from "vitest";
import { virtualClock } from "./virtual-clock.ts";

describe("a virtual clock", () => {
  it("stands still until told to go on", async () => {
    const clock = virtualClock({ nowMs: 5, wallMs: 1_000 });
    expect([clock.now(), clock.wallNow()]).toEqual([5, 1_000]);
    await clock.advance(10);
    expect([clock.now(), clock.wallNow()]).toEqual([15, 1_010]);
  });

  it("runs timers at their own time, in order, first come first served at the same", async () => {
    const clock = virtualClock();
    const ran: string[] = [];
    for (const [name, delayMs] of [
      ["c", 30],
      ["a", 10],
      ["d", 30],
      ["b", 20],
    ] as const)
      clock.schedule(delayMs, () => ran.push(`${name}@${clock.now()}`));
    await clock.advance(30);
    expect(ran).toEqual(["a@10", "b@20", "c@30", "d@30"]);
  });

  it("runs what is due at the end of its way, and nothing after", async () => {
    const clock = virtualClock();
    const ran: number[] = [];
    for (const delayMs of [10, 11]) clock.schedule(delayMs, () => ran.push(delayMs));
    await clock.advance(10);
    expect(ran).toEqual([10]);
    expect(clock.pending).toBe(1);
  });

  it("runs no timer that was cancelled", async () => {
    const clock = virtualClock();
    let ran = false;
    const timer = clock.schedule(10, () => (ran = true));
    timer.cancel();
    expect(clock.pending).toBe(0);
    await clock.advance(100);
    expect(ran).toBe(false);
  });

  it("lets promises settle between timers, and runs what they schedule on the way", async () => {
    const clock = virtualClock();
    const atMs: number[] = [];
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.schedule(ms, resolve));
    const work = async (): Promise<void> => {
      for (let round = 0; round < 3; round++) {
        await sleep(10);
        await Promise.resolve();
        atMs.push(clock.now());
      }
    };
    const done = work();
    await clock.advance(100);
    await done;
    expect(atMs).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(100);
  });

  it("goes on at once for synchronous code", () => {
    const clock = virtualClock();
    const atMs: number[] = [];
    const again = (): void => {
      atMs.push(clock.now());
      if (atMs.length < 3) clock.schedule(10, again);
    };
    clock.schedule(10, again);
    clock.advanceSync(25);
    expect(atMs).toEqual([10, 20]);
    expect(clock.now()).toBe(25);
  });

  it("moves its wall clock apart from its own time", async () => {
    const clock = virtualClock();
    clock.setWall(0);
    await clock.advance(5);
    expect([clock.now(), clock.wallNow()]).toEqual([5, 5]);
    clock.setWall(-100);
    expect([clock.now(), clock.wallNow()]).toEqual([5, -100]);
  });

  it("stands still with its timers, and knows for how long of any span", async () => {
    const clock = virtualClock({ nowMs: 100 });
    const ranAtMs: number[] = [];
    clock.schedule(10, () => ranAtMs.push(clock.now()));
    clock.stall(50);
    expect([clock.now(), ranAtMs]).toEqual([150, []]);
    await clock.advance(20);
    expect([clock.now(), ranAtMs]).toEqual([170, [150]]);
    clock.stall(5);
    const spans = [clock.lag.during(0, 1_000), clock.lag.during(120, 130), clock.lag.during(140, 172)];
    expect(spans).toEqual([55, 10, 12]);
    expect(clock.lag.during(150, 170)).toBe(0);
  });
});
