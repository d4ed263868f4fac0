import { describe, expect, test } from "vitest";
import { machineWorld, pass, passAll, settingsOf } from "./support.ts";

const stateOf = ({ clock, machine }: ReturnType<typeof machineWorld>): string => machine.stateAt(clock.now());

/** How long it is open first, given what chance says. */
const firstLasts = (random: number, limitMs?: number): number | undefined => {
  const growth = { jitter: 0.5, limitMs };
  const world = machineWorld({ consecutiveFailures: 1, resetTimeout: 1_000, growth }, { next: () => random });
  pass(world, "failed");
  return world.machine.openUntilMs(0);
};

const halfOpen = async (probes: { count?: number; successPercentage?: number; timeoutMs?: number } = {}) => {
  const world = machineWorld({ consecutiveFailures: 1, probes });
  pass(world, "failed");
  await world.clock.advance(30_000);
  return world;
};

describe("closed", () => {
  test("opens when more than its share of the finished calls in the window has failed, and not before", () => {
    const world = machineWorld({ volumeThreshold: 4 });
    passAll(world, "wfwf");
    expect(stateOf(world)).toBe("closed");
    pass(world, "failed");
    expect(world.changes).toEqual([{ from: "closed", to: "open", reason: "3 of 5 calls failed", untilMs: 30_000 }]);
  });

  test("does not open on fewer finished calls than its threshold: one failure after a quiet time is none of its business", () => {
    const world = machineWorld();
    passAll(world, "fffffffff");
    expect(stateOf(world)).toBe("closed");
    pass(world, "failed");
    expect(stateOf(world)).toBe("open");
  });

  test("forgets what has left the window", async () => {
    const world = machineWorld({ volumeThreshold: 4 });
    passAll(world, "fff");
    await world.clock.advance(10_000);
    passAll(world, "wf");
    expect(stateOf(world)).toBe("closed");
    expect(world.machine.countsAt(world.clock.now())).toMatchObject({ finished: 2, failed: 1 });
  });

  test("does not count what is in flight, what was refused, and what was nobody's failure", () => {
    const world = machineWorld({ volumeThreshold: 4 });
    const { machine } = world;
    for (let call = 0; call < 100; call++) machine.enter(0);
    passAll(world, "nnnnnnnnnnwfff");
    expect(stateOf(world)).toBe("open");
    expect(world.changes[0]?.reason).toBe("3 of 4 calls failed");
  });

  test("by consecutive failures: five in a row over any time, a success begins anew, and shares do not matter", async () => {
    const world = machineWorld({ consecutiveFailures: 5, resetTimeout: 300_000 });
    passAll(world, "ffffwffff");
    await world.clock.advance(1_000_000);
    pass(world, "none");
    expect(stateOf(world)).toBe("closed");
    pass(world, "failed");
    expect(world.changes[0]).toMatchObject({ reason: "5 failures in a row", untilMs: 1_300_000 });
    await world.clock.advance(299_999);
    expect(pass(world, "worked")).toBe(false);
    await world.clock.advance(1);
    expect(pass(world, "failed")).toBe(true);
    expect(world.machine.openUntilMs(world.clock.now())).toBe(1_600_000);
  });

  test("by the last calls: whatever time they took", async () => {
    const world = machineWorld({ windowCalls: 4 });
    for (const verdict of ["failed", "worked", "failed", "worked", "worked"] as const) {
      pass(world, verdict);
      await world.clock.advance(60_000);
    }
    passAll(world, "ff");
    expect(stateOf(world)).toBe("closed");
    pass(world, "failed");
    expect(world.changes[0]?.reason).toBe("3 of 4 calls failed");
  });

  test("by slow calls, working or not", () => {
    const world = machineWorld({ volumeThreshold: 4, slowCalls: { aboveMs: 500, percentage: 40 } });
    passAll(world, "www", 500);
    passAll(world, "w", 501);
    expect(stateOf(world)).toBe("closed");
    passAll(world, "w", 501);
    expect(stateOf(world)).toBe("closed");
    passAll(world, "f", 501);
    expect(world.changes[0]?.reason).toBe("3 of 6 calls took longer than 500 ms");
  });

  test("does not open while it warms up", async () => {
    const world = machineWorld({ allowWarmUp: true, volumeThreshold: 1 });
    expect(world.machine.isWarmingUp(0)).toBe(true);
    passAll(world, "ffff");
    await world.clock.advance(10_000);
    pass(world, "failed");
    expect(stateOf(world)).toBe("open");
  });

  test("lets no more in at once than its capacity, whatever becomes of them", () => {
    const { machine } = machineWorld({ capacity: 2 });
    expect(machine.passes).toBe(false);
    const tickets = [machine.enter(0), machine.enter(0)];
    expect(machine.admits(0)).toBe(false);
    machine.report(tickets[0] ?? 0, "none", 0, 0);
    expect(machine.admits(0)).toBe(true);
    expect(machine.stateAt(0)).toBe("closed");
  });

  test("lets everything through and counts nothing while it is off", () => {
    const world = machineWorld({ enabled: false, volumeThreshold: 1 });
    passAll(world, "ffff");
    expect(stateOf(world)).toBe("closed");
    world.machine.enabled = true;
    const before = world.machine.enter(0);
    world.machine.enabled = false;
    world.machine.report(before, "failed", 0, 0);
    expect(world.machine.inFlight).toBe(0);
    expect(world.machine.passes).toBe(true);
    expect(pass(world, "worked")).toBe(true);
  });
});

describe("open", () => {
  test("takes nobody until its time is over, and says so to whoever asks", async () => {
    const world = machineWorld({ consecutiveFailures: 1 });
    pass(world, "failed");
    await world.clock.advance(29_999);
    expect(world.machine.admits(world.clock.now())).toBe(false);
    await world.clock.advance(1);
    expect(stateOf(world)).toBe("half-open");
    expect(world.machine.admits(world.clock.now())).toBe(true);
    // Nobody has come yet: nothing is announced.
    expect(world.changes).toHaveLength(1);
  });

  test("hears nothing of those who came before: neither success nor failure", async () => {
    const world = machineWorld({ consecutiveFailures: 2 });
    const { machine, clock } = world;
    const early = [machine.enter(0), machine.enter(0), machine.enter(0)];
    passAll(world, "ff");
    machine.report(early[0] ?? 0, "worked", 0, 0);
    expect(stateOf(world)).toBe("open");
    await clock.advance(30_000);
    const probe = machine.enter(clock.now());
    machine.report(early[1] ?? 0, "worked", 0, clock.now());
    expect(stateOf(world)).toBe("half-open");
    machine.report(early[2] ?? 0, "failed", 0, clock.now());
    expect(stateOf(world)).toBe("half-open");
    machine.report(probe, "worked", 0, clock.now());
    expect(stateOf(world)).toBe("closed");
  });

  test("for longer each time, within its limit, and forgiven by time in play", async () => {
    const world = machineWorld({
      consecutiveFailures: 1,
      resetTimeout: 1_000,
      growth: { factor: 3, limitMs: 5_000, jitter: 0 },
    });
    const lasts = async (): Promise<number> => {
      pass(world, "failed");
      const leftMs = (world.machine.openUntilMs(world.clock.now()) ?? 0) - world.clock.now();
      await world.clock.advance(leftMs);
      return leftMs;
    };
    expect([await lasts(), await lasts(), await lasts(), await lasts()]).toEqual([1_000, 3_000, 5_000, 5_000]);
    pass(world, "worked");
    await world.clock.advance(3_000);
    expect(await lasts()).toBe(3_000);
    world.machine.close("by hand");
    expect(await lasts()).toBe(1_000);
  });

  test("varies by its jitter, never beyond its limit", () => {
    expect([firstLasts(0), firstLasts(0.5), firstLasts(0.75), firstLasts(0.75, 1_100)]).toEqual([
      500, 1_000, 1_250, 1_100,
    ]);
  });

  test("isolated: until a hand closes it", async () => {
    const world = machineWorld({ consecutiveFailures: 1 });
    world.machine.isolate("by hand");
    await world.clock.advance(10 ** 9);
    expect(pass(world, "worked")).toBe(false);
    world.machine.open("no matter");
    expect(world.machine.isolated).toBe(true);
    expect(world.changes).toEqual([
      { from: "closed", to: "open", reason: "by hand", untilMs: Number.POSITIVE_INFINITY },
    ]);
    world.machine.close("by hand");
    expect(pass(world, "worked")).toBe(true);
  });
});

describe("half-open", () => {
  test("one probe: its success closes, with nothing held against it, its failure opens again", async () => {
    const world = await halfOpen();
    const { machine, clock } = world;
    const probe = machine.enter(clock.now());
    expect(machine.admits(clock.now())).toBe(false);
    machine.report(probe, "failed", 0, clock.now());
    expect(machine.openUntilMs(clock.now())).toBe(60_000);
    await clock.advance(30_000);
    expect(pass(world, "worked")).toBe(true);
    expect(stateOf(world)).toBe("closed");
    expect(machine.countsAt(clock.now())).toMatchObject({ finished: 0, failed: 0 });
    expect(world.changes.map(({ to, reason }) => [to, reason])).toEqual([
      ["open", "1 failure in a row"],
      ["half-open", "it has been open for its time"],
      ["open", "1 of 1 probes failed"],
      ["half-open", "it has been open for its time"],
      ["closed", "1 of 1 probes worked"],
    ]);
  });

  test("many probes: closes as soon as enough have worked, opens as soon as too few can", async () => {
    const works = await halfOpen({ count: 4, successPercentage: 50 });
    passAll(works, "fwf");
    expect(stateOf(works)).toBe("half-open");
    pass(works, "worked");
    expect(stateOf(works)).toBe("closed");
    const fails = await halfOpen({ count: 4, successPercentage: 50 });
    expect(passAll(fails, "fwffw")).toEqual([true, true, true, true, false]);
    expect(stateOf(fails)).toBe("open");
  });

  test("a probe that is nobody's failure gives its place back", async () => {
    const world = await halfOpen();
    passAll(world, "nnn");
    expect(stateOf(world)).toBe("half-open");
    expect(pass(world, "worked")).toBe(true);
  });

  test("a probe that works too slowly has failed", async () => {
    const world = machineWorld({ consecutiveFailures: 1, slowCalls: { aboveMs: 100 } });
    pass(world, "failed");
    await world.clock.advance(30_000);
    pass(world, "worked", 101);
    expect(stateOf(world)).toBe("open");
  });

  test("a probe that never reports has failed after its time: the breaker is open from then on, and not stuck", async () => {
    const world = await halfOpen({ timeoutMs: 5_000 });
    const { machine, clock } = world;
    const hung = machine.enter(clock.now());
    await clock.advance(4_999);
    expect([stateOf(world), machine.admits(clock.now())]).toEqual(["half-open", false]);
    await clock.advance(1);
    expect([stateOf(world), machine.openUntilMs(clock.now())]).toEqual(["open", 65_000]);
    await clock.advance(29_999);
    expect(machine.admits(clock.now())).toBe(false);
    machine.report(hung, "worked", 0, clock.now());
    expect(stateOf(world)).toBe("open");
    expect(world.changes.at(-1)).toMatchObject({ reason: "a probe had no verdict in time", untilMs: 65_000 });
    await clock.advance(1);
    expect(pass(world, "worked")).toBe(true);
    expect(stateOf(world)).toBe("closed");
  });

  test("some of many probes that never report count as failed; what they say later is not heard", async () => {
    const world = await halfOpen({ count: 4, successPercentage: 50, timeoutMs: 5_000 });
    const { machine, clock } = world;
    const hung = [machine.enter(clock.now()), machine.enter(clock.now())];
    pass(world, "worked");
    await clock.advance(5_000);
    const last = machine.enter(clock.now());
    for (const ticket of hung) machine.report(ticket, "failed", 0, clock.now());
    expect(machine.admits(clock.now())).toBe(false);
    machine.report(last, "worked", 0, clock.now());
    expect(stateOf(world)).toBe("closed");
  });

  test("rules that change meanwhile begin a new round of probes", async () => {
    const world = await halfOpen({ count: 3 });
    world.machine.enter(world.clock.now());
    world.machine.settings = settingsOf({ consecutiveFailures: 1, probes: { count: 1 } });
    expect(pass(world, "worked")).toBe(true);
    expect(stateOf(world)).toBe("closed");
  });
});

describe("state of an earlier process", () => {
  test("an opening lasts for what is left of it, not for its time, and not at all if it is over", async () => {
    const before = machineWorld({ consecutiveFailures: 1 });
    pass(before, "failed");
    await before.clock.advance(20_000);
    const saved = before.machine.saveAt(before.clock.now());
    expect(saved).toEqual({
      state: "open",
      isolated: false,
      openUntilAt: before.clock.wallNow() + 10_000,
      level: 1,
    });
    const after = machineWorld();
    after.clock.setWall(before.clock.wallNow() + 4_000);
    after.machine.restore(saved);
    expect(after.machine.openUntilMs(0)).toBe(6_000);
    const late = machineWorld();
    late.clock.setWall(before.clock.wallNow() + 60_000);
    late.machine.restore(saved);
    expect(stateOf(late)).toBe("half-open");
  });

  test("a wall clock that was wrong can't open it for longer than it would be now", () => {
    const world = machineWorld();
    world.machine.restore({ state: "open", isolated: false, openUntilAt: 8.64e15, level: 0 });
    expect(world.machine.openUntilMs(0)).toBe(30_000);
  });

  test("isolation and half-openness stay what they are", () => {
    const before = machineWorld();
    before.machine.isolate("by hand");
    const after = machineWorld();
    after.machine.restore(before.machine.saveAt(0));
    expect(after.machine.isolated).toBe(true);
    const half = machineWorld();
    half.machine.restore({ state: "half-open", isolated: false, openUntilAt: null, level: 2 });
    expect(stateOf(half)).toBe("half-open");
  });
});
