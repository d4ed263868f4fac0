import { FairleadError, first, rendezvous, ringHash, roundRobin } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { type Client, type Fault, type Policy, type Scenario, type SimulationResult, simulate } from "../src/index.ts";

function scenario(part: Partial<Scenario> = {}): Scenario {
  return {
    name: "small",
    backends: [
      { name: "good", count: 3, service: { kind: "constant", meanMs: 10 } },
      { name: "bad", count: 1, service: { kind: "constant", meanMs: 10 } },
    ],
    arrivals: { callsPerSecond: 200 },
    warmUpMs: 0,
    durationMs: 5_000,
    networkMs: 0,
    clients: 2,
    ...part,
  };
}

const turns = () => ({ strategy: roundRobin(), ejection: false }) as const;
/** Calls whose attempt on the bad backend was made good by exactly one more. */
function expectRepeated(result: SimulationResult): void {
  expect(result.errors).toBe(0);
  expect(result.backends.at(-1)?.attempts).toBeGreaterThan(result.calls / 5);
  expect(result.attempts - result.calls).toBe(result.backends.at(-1)?.attempts);
}

function withoutReturns(result: SimulationResult): string {
  return JSON.stringify(result, (name, value: unknown) => (name === "sameBackendPercent" ? undefined : value));
}

const bad = (fault: Partial<Fault> & Pick<Fault, "kind">): Scenario =>
  scenario({ faults: [{ targets: "bad", ...fault } as Fault] });

const unlimited: Policy = () => ({ ...turns(), retryBudget: false });
const onlyFirst: Policy = () => ({ strategy: first() });
const mine: Policy = () => ({});

describe("an attempt", () => {
  it("that is not answered in time counts as failed after the client's timeout", async () => {
    const result = await simulate({ scenario: bad({ kind: "hang" }), policy: turns });
    expect(Math.abs(result.errorPercent - 25)).toBeLessThan(0.5);
    expect(result.p99Ms).toBe(2_000);
  });

  it("of a whole call is repeated after the client's timeout, unless the policy has one of its own", async () => {
    const whole = { scenario: bad({ kind: "hang" }), mode: "call" } as const;
    const patient = await simulate({ ...whole, policy: unlimited });
    const quick = await simulate({
      ...whole,
      policy: () => ({ ...turns(), retryBudget: false, attemptTimeoutMs: 50, retry: { delayMs: 0 } }),
    });
    expectRepeated(patient);
    expectRepeated(quick);
    expect(patient.p99Ms).toBeGreaterThan(2_009);
    expect(quick.p99Ms).toBe(60);
  });

  it("that is answered with an error is repeated if the call is idempotent", async () => {
    const whole = { mode: "call", policy: unlimited } as const;
    const repeated = await simulate({ ...whole, scenario: bad({ kind: "fail" }) });
    const once = await simulate({ ...whole, scenario: { ...bad({ kind: "fail" }), idempotent: false } });
    expectRepeated(repeated);
    expect(Math.abs(once.errorPercent - 25)).toBeLessThan(1);
    expect(once.extraPercent).toBe(0);
  });

  it("that never got there is repeated in any case", async () => {
    const result = await simulate({
      scenario: { ...bad({ kind: "dead" }), idempotent: false },
      mode: "call",
      policy: () => ({ ...turns(), requeueBudget: false }),
    });
    expectRepeated(result);
  });

  it("carries one of the keys, if there are any", async () => {
    const keys = new Set<string | undefined>();
    const policy = () => ({
      strategy: {
        name: "noting",
        build: (view: { readonly backends: readonly unknown[] }) => ({
          pick: ({ hashKey }: { readonly hashKey?: string | undefined }) => {
            keys.add(hashKey);
            return view.backends[0] as never;
          },
        }),
      },
    });
    await simulate({ scenario: scenario(), policy });
    expect([...keys]).toEqual([undefined]);
    keys.clear();
    await simulate({ scenario: scenario({ keys: { count: 3 } }), policy });
    expect(keys).toEqual(new Set(["key-1", "key-2", "key-3"]));
  });
});

describe("keys", () => {
  const keyed = scenario({ keys: { count: 50, skew: 1 } });

  it("change nothing for a policy that takes no notice of them", async () => {
    const without = await simulate({ scenario: scenario(), policy: turns });
    const result = await simulate({ scenario: keyed, policy: turns });
    expect(withoutReturns(result)).toBe(withoutReturns(without));
    expect(without.sameBackendPercent).toBeNull();
    // One of four backends, whatever it was before.
    expect(Math.abs((result.sameBackendPercent ?? 0) - 25)).toBeLessThan(6);
  });

  it("stay with their backends under a policy that hashes them, of all clients and in both modes", async () => {
    for (const mode of ["pick", "call"] as const) {
      const { sameBackendPercent, backends } = await simulate({
        scenario: keyed,
        mode,
        policy: () => ({ strategy: ringHash() }),
      });
      expect(sameBackendPercent).toBe(100);
      expect(backends.every(({ attempts }) => attempts > 0)).toBe(true);
    }
  });

  it("of a backend that is gone move once each", async () => {
    const changes = [{ kind: "remove", targets: "bad", atMs: 2_500, drainMs: 100 }] as const;
    const { timeline, errors } = await simulate({
      scenario: scenario({ keys: { count: 50 }, changes, stepMs: 2_500 }),
      policy: () => ({ strategy: rendezvous() }),
    });
    expect(errors).toBe(0);
    expect(timeline[0]?.sameBackendPercent).toBe(100);
    // Of 50 keys, a quarter or so.
    const { sameBackendPercent, attempts = 0 } = timeline[1] ?? {};
    const moved = Math.round((1 - (sameBackendPercent ?? 0) / 100) * attempts);
    expect(moved).toBeGreaterThan(5);
    expect(moved).toBeLessThan(20);
  });
});

describe("a call", () => {
  it("that nobody answers is ended with the run", async () => {
    const result = await simulate({
      scenario: { ...bad({ kind: "hang" }), durationMs: 500 },
      mode: "call",
      policy: () => ({ ...turns(), attemptTimeoutMs: false, deadlineMs: false }),
    });
    expect(Math.abs(result.errorPercent - 25)).toBeLessThan(2);
    expect(result.p99Ms).toBeGreaterThan(59_500);
  });

  it("that no backend takes is refused", async () => {
    const gone = scenario({ changes: [{ kind: "remove", targets: ["good", "bad"], atMs: 2_500 }] });
    for (const mode of ["pick", "call"] as const) {
      const { calls, refused, timeline } = await simulate({ scenario: gone, mode });
      expect(refused).toBeGreaterThan(calls * 0.45);
      expect(timeline.at(-1)).toMatchObject({ errorPercent: 100, p99Ms: 0, attempts: 0 });
    }
  });
});

describe("time", () => {
  it("of faults and phases begins with the measurement; without a beginning a fault is there before", async () => {
    const slow = { kind: "slow", targets: "good", factor: 100 } as const;
    const phases = [
      { name: "first", fromMs: 0, toMs: 1_000 },
      { name: "rest", fromMs: 1_000 },
    ];
    const run = (faults: readonly Fault[], warmUpMs: number) =>
      simulate({
        scenario: scenario({ faults, warmUpMs, phases, arrivals: { callsPerSecond: 5 } }),
        policy: onlyFirst,
      });
    const later = await run([{ ...slow, fromMs: 1_000 }], 2_000);
    expect(later.phases.map(({ name, p50Ms }) => [name, p50Ms])).toEqual([
      ["first", 10],
      ["rest", 1_000],
    ]);
    const before = await run([{ ...slow, toMs: 1_000 }], 2_000);
    expect(before.phases.map(({ p50Ms }) => p50Ms)).toEqual([1_000, 10]);
  });

  it("of a pause comes round", async () => {
    const pauses = [
      { kind: "pause", targets: ["good", "bad"], fromMs: 0, forMs: 250, everyMs: 1_000, toMs: 2_500 },
    ] as const;
    const { timeline } = await simulate({ scenario: scenario({ faults: pauses, stepMs: 250 }) });
    const paused = timeline.flatMap(({ p50Ms }, step) => (p50Ms > 50 ? [step] : []));
    expect(paused).toEqual([0, 4, 8]);
  });

  it("is cut into steps, the last as long as what is left", async () => {
    const { timeline } = await simulate({ scenario: scenario({ durationMs: 1_000, stepMs: 300 }) });
    expect(timeline.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
      [0, 300],
      [300, 600],
      [600, 900],
      [900, 1_000],
    ]);
  });
});

describe("a policy", () => {
  it("is asked once for each client, which knows its zone", async () => {
    const clients: Client[] = [];
    const note = (client: Client) => {
      clients.push(client);
      return {};
    };
    const backends = ["a", "b"].map((zone) => ({ name: zone, count: 1, zone }));
    const { sameZonePercent } = await simulate({
      scenario: scenario({ clients: 3, clientZones: ["a", "b"], backends }),
      policy: note,
    });
    expect(clients.map(({ index, zone }) => [index, zone])).toEqual([
      [0, "a"],
      [1, "b"],
      [2, "a"],
    ]);
    // Without zones in the policy, half of the calls go elsewhere.
    expect(Math.abs((sameZonePercent ?? 0) - 50)).toBeLessThan(5);
  });

  it("gives the result its name", async () => {
    const quick = { scenario: scenario({ durationMs: 10 }) };
    expect((await simulate(quick)).policy).toBe("defaults");
    expect((await simulate({ ...quick, policy: mine })).policy).toBe("mine");
    expect((await simulate({ ...quick, policy: mine, policyName: "other" })).policy).toBe("other");
  });

  it("that is wrong is refused, and so is a scenario", async () => {
    const wrongPolicy = simulate({ scenario: scenario(), policy: () => ({ panicThreshold: 200 }) });
    await expect(wrongPolicy).rejects.toThrow(/panicThreshold: got 200/);
    await expect(wrongPolicy).rejects.toBeInstanceOf(FairleadError);
    await expect(simulate({ scenario: scenario({ durationMs: -1 }) })).rejects.toThrow(/durationMs: got -1/);
    await expect(simulate({ scenario: scenario(), seed: 0.5 })).rejects.toThrow(/seed: got 0.5/);
  });

  it("can be watched at work", async () => {
    const ejected = new Set<string>();
    await simulate({
      scenario: bad({ kind: "fail" }),
      policy: () => ({ strategy: roundRobin() }),
      onClient: (balancer, { index }) => {
        balancer.on("backendEjected", ({ backend }) => ejected.add(`${backend} by ${index}`));
      },
    });
    expect([...ejected].sort()).toEqual(["bad-1 by 0", "bad-1 by 1"]);
  });
});
