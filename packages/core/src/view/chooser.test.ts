import { describe, expect, it } from "vitest";
import { repeat } from "../../test/fakes.ts";
import type { Backend, BackendSpec } from "../backend.ts";
import { createBalancer } from "../balancer.ts";
import type { Balancer, BalancerOptions } from "../contract.ts";
import { createRandom } from "../random.ts";
import { first } from "../strategy/first.ts";
import { random } from "../strategy/random.ts";
import type { PickRequest, Strategy } from "../strategy/strategy.ts";
import { type VirtualClock, virtualClock } from "../testing/index.ts";

/** A balancer over backends with the ids a, b, c…, the first that admits unless told otherwise. */
function over(
  specs: readonly Partial<BackendSpec>[],
  options: Partial<BalancerOptions> = {},
): { readonly balancer: Balancer; readonly clock: VirtualClock } {
  const clock = virtualClock();
  const balancer = createBalancer({
    name: "orders",
    backends: specs.map((spec, index) => ({ url: "http://10.0.0.1", id: String.fromCharCode(97 + index), ...spec })),
    strategy: first(),
    clock,
    random: createRandom(1),
    ejection: { consecutiveFailures: 1, jitter: 0 },
    slowStart: false,
    ...options,
  });
  return { balancer, clock };
}

/** Who takes the call; the lease is given back at once. */
function chosen(balancer: Balancer, request?: PickRequest): string | undefined {
  using lease = balancer.tryAcquire(request);
  return lease?.backend.id;
}

const fail = (balancer: Balancer, id: string): void => balancer.observe(id, { outcome: "failure" });

describe("a pinned call", () => {
  it("goes to its backend, past the strategy, draining or not", () => {
    const { balancer } = over([{}, {}, { state: "draining" }]);
    expect(chosen(balancer, { pinned: "b" })).toBe("b");
    expect(chosen(balancer, { pinned: "c" })).toBe("c");
  });

  it.each([
    { pinPolicy: undefined, to: "a" },
    { pinPolicy: "redistribute" as const, to: "a" },
    { pinPolicy: "wait" as const, to: undefined },
    { pinPolicy: "fail" as const, to: undefined },
  ])("with $pinPolicy goes to $to when its backend can't", ({ pinPolicy, to }) => {
    const { balancer } = over([{}, { state: "disabled" }]);
    expect(chosen(balancer, { pinned: "b", pinPolicy })).toBe(to);
    expect(chosen(balancer, { pinned: "unknown", pinPolicy })).toBe(to);
  });
});

describe("a call over several priorities", () => {
  const LEVELS = [{}, {}, {}, {}, { priority: 1 }];

  it("stays with the first while it is healthy enough", () => {
    const { balancer } = over(LEVELS);
    expect(new Set(repeat(200, () => chosen(balancer)))).toEqual(new Set(["a"]));
  });

  it("spills over as far as the first cannot take it", () => {
    const { balancer, clock } = over(LEVELS);
    for (const id of ["a", "b"]) fail(balancer, id);
    clock.advanceSync(20);
    const spilt = repeat(4_000, () => chosen(balancer)).filter((id) => id === "e").length / 4_000;
    // 70 % healthy: 30 ± 0.7 points go to the second.
    expect(Math.abs(spilt - 0.3)).toBeLessThan(0.03);
  });

  it("stays where its key put it", () => {
    const { balancer, clock } = over(LEVELS);
    for (const id of ["a", "b"]) fail(balancer, id);
    clock.advanceSync(20);
    const byKey = repeat(300, (index) => repeat(3, () => chosen(balancer, { hashKey: `key-${index}` })));
    for (const picks of byKey) expect(new Set(picks).size).toBe(1);
    const spilt = byKey.filter(([id]) => id === "e").length / 300;
    expect(Math.abs(spilt - 0.3)).toBeLessThan(0.1);
  });

  it("goes to a lower one when the gates of the higher are closed", () => {
    const { balancer } = over([{}, { priority: 1 }, { priority: 2 }]);
    const [a, b] = balancer.backends as [Backend, Backend];
    expect(chosen(balancer, { tried: new Set([a]) })).toBe("b");
    expect(chosen(balancer, { tried: new Set([a, b]) })).toBe("c");
    expect(chosen(balancer, { tried: new Set(balancer.backends) })).toBeUndefined();
  });
});

const returning = (): Balancer => {
  const { balancer, clock } = over([{}, {}, {}]);
  fail(balancer, "c");
  clock.advanceSync(5_000);
  return balancer;
};

describe("a backend whose ejection is over", () => {
  it("gets the next call that may be repeated, whatever the strategy would say", () => {
    expect(chosen(returning(), { replayable: true })).toBe("c");
  });

  it("gets one at a time", () => {
    const balancer = returning();
    using probe = balancer.tryAcquire({ replayable: true });
    expect(probe?.backend.id).toBe("c");
    expect(chosen(balancer, { replayable: true })).toBe("a");
  });

  it.each<[string, PickRequest]>([
    ["that may not be repeated", {}],
    ["of a key", { replayable: true, hashKey: "k" }],
    ["of a socket", { replayable: true, kind: "connection" }],
  ])("gets no call %s out of turn", (_, request) => {
    expect(chosen(returning(), request)).toBe("a");
  });

  it("gets no retry", () => {
    const balancer = returning();
    const [a, b] = balancer.backends as [Backend, Backend];
    expect(chosen(balancer, { replayable: true, tried: new Set([a]) })).toBe("b");
    expect(chosen(balancer, { replayable: true, tried: new Set([a, b]) })).toBeUndefined();
  });

  it("is like any other after a success", () => {
    const balancer = returning();
    const lease = balancer.tryAcquire({ replayable: true });
    lease?.settle({ outcome: "success" });
    lease?.release();
    expect(chosen(balancer, { replayable: true })).toBe("a");
    expect(balancer.snapshot().backends[2]?.health).toBe("healthy");
  });
});

describe("an ejection", () => {
  it("closes the gate at once, before the view is made anew", () => {
    const { balancer } = over([{}, {}, {}]);
    expect(chosen(balancer)).toBe("a");
    fail(balancer, "a");
    expect(chosen(balancer)).toBe("b");
  });

  it("that leaves nobody is seen at once: panic begins with the same pick", () => {
    const { balancer } = over([{}, {}]);
    expect(chosen(balancer)).toBe("a");
    for (const id of ["a", "b"]) fail(balancer, id);
    expect(chosen(balancer)).toBe("a");
    expect(balancer.snapshot().panic).toEqual([0]);
  });

  it("in panic leaves each failed backend one attempt at a time", () => {
    const { balancer } = over([{}, {}]);
    for (const id of ["a", "b"]) fail(balancer, id);
    expect(repeat(4, () => balancer.tryAcquire()?.backend.id)).toEqual(["a", "b", undefined, undefined]);
  });
});

const raise = (): never => {
  throw new Error("a strategy that throws");
};

const picking = (pick: (request: PickRequest) => unknown): Strategy => ({
  name: "odd",
  build: () => ({ pick: pick as () => Backend | undefined }),
});

describe("a strategy that misbehaves", () => {
  const stranger = over([{}]).balancer.backends[0] as Backend;
  it.each<[string, Strategy]>([
    ["throws while building", { name: "odd", build: raise }],
    ["throws while picking", picking(raise)],
    ["picks a backend of another balancer", picking(() => stranger)],
    ["picks what is no backend", picking(() => ({ id: "a" }))],
    ["picks null", picking(() => null)],
  ])("and %s never keeps a call from being served, and is told of", (_, strategy) => {
    const { balancer } = over([{ weight: 3 }, { weight: 1 }], { strategy });
    const failures: string[] = [];
    balancer.on("callbackFailed", ({ where }) => failures.push(where));
    const picks = repeat(2_000, () => chosen(balancer));
    // The way out is a draw by weight: 75 ± 1 %.
    expect(Math.abs(picks.filter((id) => id === "a").length / 2_000 - 0.75)).toBeLessThan(0.05);
    expect(picks).not.toContain(undefined);
    expect(new Set(failures)).toEqual(new Set(["strategy odd"]));
  });

  it("and picks a closed one does not get it", () => {
    const { balancer } = over([{}, {}]);
    const [a] = balancer.backends as [Backend];
    balancer.configure({ strategy: picking(() => a) });
    expect(chosen(balancer, { tried: new Set([a]) })).toBe("b");
  });
});

describe("a strategy that is replaced", () => {
  it("is used from the next pick on", () => {
    const { balancer } = over([{}, {}, {}]);
    expect(new Set(repeat(50, () => chosen(balancer))).size).toBe(1);
    balancer.configure({ strategy: random() });
    expect(new Set(repeat(50, () => chosen(balancer))).size).toBe(3);
  });

  it("in a derived balancer leaves the others theirs", () => {
    const { balancer } = over([{}, {}, {}]);
    const derived = balancer.derive({ strategy: random() });
    expect(new Set(repeat(50, () => chosen(derived))).size).toBe(3);
    expect(new Set(repeat(50, () => chosen(balancer))).size).toBe(1);
  });
});
