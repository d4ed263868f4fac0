import { describe, expect, it } from "vitest";
import { fakeView, repeat, tally } from "../../test/fakes.ts";
import { leastRequest } from "./least-request.ts";

describe("a least-request picker", () => {
  it("takes the one with the fewest under way", () => {
    const view = fakeView([1, 1, 1]);
    for (const [index, requests] of [3, 1, 2].entries()) view.backends[index]!.requests = requests;
    const picker = leastRequest().build(view);
    expect(Object.fromEntries(tally(50, () => picker.pick({}, 0)))).toEqual({ b1: 50 });
  });

  it("counts load against weight", () => {
    const view = fakeView([1, 4]);
    view.backends[0]!.requests = 1;
    view.backends[1]!.requests = 3;
    expect(leastRequest().build(view).pick({}, 0)?.id).toBe("b1");
    view.backends[1]!.requests = 5;
    expect(leastRequest().build(view).pick({}, 0)?.id).toBe("b0");
  });

  it("shares by weight among equals, so that an idle upstream is not the heaviest one's alone", () => {
    const picker = leastRequest().build(fakeView([3, 2, 1]));
    const counts = tally(6_000, () => picker.pick({}, 0));
    for (const [index, wanted] of [3_000, 2_000, 1_000].entries())
      expect(Math.abs((counts.get(`b${index}`) ?? 0) - wanted)).toBeLessThanOrEqual(6);
  });

  it("reads the in-flight count of its own kind", () => {
    const view = fakeView([1, 1], { kind: "connection" });
    view.backends[0]!.connections = 5;
    view.backends[1]!.requests = 50;
    expect(leastRequest().build(view).pick({ kind: "connection" }, 0)?.id).toBe("b1");
  });

  it("breaks ties evenly", () => {
    const picker = leastRequest().build(fakeView(repeat(5, () => 1)));
    for (const count of tally(20_000, () => picker.pick({}, 0)).values())
      expect(Math.abs(count / 20_000 - 0.2)).toBeLessThan(0.015);
  });

  it("breaks ties evenly beside a closed one too, so that no neighbour gets its load", () => {
    const view = fakeView(repeat(5, () => 1));
    view.backends[1]!.open = false;
    const picker = leastRequest().build(view);
    const counts = tally(20_000, () => picker.pick({}, 0));
    expect(counts.size).toBe(4);
    for (const count of counts.values()) expect(Math.abs(count / 20_000 - 0.25)).toBeLessThan(0.015);
  });

  it("says nobody when nobody admits", () => {
    const view = fakeView([1, 1]);
    expect(
      leastRequest()
        .build(view)
        .pick({ tried: new Set(view.backends) }, 0),
    ).toBeUndefined();
  });

  it("scores what it compares", () => {
    const view = fakeView([1, 2]);
    view.backends[1]!.requests = 3;
    expect(leastRequest().build(view).scores?.(0)).toEqual([0, 1.5]);
  });

  it("foretells what it picks, turns among equals included, without a trace", () => {
    const [view, other] = [fakeView([3, 2, 1]), fakeView([3, 2, 1])];
    const [asked, unasked] = [leastRequest().build(view), leastRequest().build(other)];
    for (let pick = 0; pick < 100; pick++) {
      const peeked = [asked.peek?.({}, 0), asked.peek?.({}, 0)];
      const picked = asked.pick({}, 0);
      expect(peeked).toEqual([picked, picked]);
      expect(unasked.pick({}, 0)?.id).toBe(picked?.id);
    }
  });
});

describe("the bias of a least-request picker", () => {
  it.each([
    // Three under way at the weight of one, against ten at the weight of four: 3 and 2.5, 9 and 25.
    { bias: 1, picked: "b1" },
    { bias: 2, picked: "b0" },
  ])("of $bias raises what is under way to that power: $picked is next", ({ bias, picked }) => {
    const view = fakeView([1, 4]);
    view.backends[0]!.requests = 3;
    view.backends[1]!.requests = 10;
    expect(leastRequest({ bias }).build(view).pick({}, 0)?.id).toBe(picked);
  });

  it("of 0 leaves turns by weight, whatever is under way", () => {
    const view = fakeView([3, 1]);
    view.backends[0]!.requests = 100;
    const picker = leastRequest({ bias: 0 }).build(view);
    expect(Math.abs((tally(400, () => picker.pick({}, 0)).get("b0") ?? 0) - 300)).toBeLessThanOrEqual(2);
  });

  it("lets attempts under way settle in proportion to weight^(1/bias)", () => {
    const view = fakeView([1, 16]);
    const picker = leastRequest({ bias: 2 }).build(view);
    for (let pick = 0; pick < 500; pick++) {
      const backend = view.backends[picker.pick({}, 0)?.id === "b0" ? 0 : 1];
      if (backend !== undefined) backend.requests++;
    }
    expect(view.backends.map(({ requests }) => requests)).toEqual([100, 400]);
  });

  it("never makes a busy backend count as closed", () => {
    const view = fakeView([1e-9]);
    view.backends[0]!.requests = 2 ** 31 - 1;
    expect(leastRequest({ bias: 10 }).build(view).pick({}, 0)?.id).toBe("b0");
  });

  it("is checked together with the size of the sample", () => {
    expect(() => leastRequest({ bias: -1, sample: 1 })).toThrow(/2 problems[^]*sample[^]*bias/);
    expect(() => leastRequest({ bias: 11 })).toThrow("≥ 0 and ≤ 10");
  });
});

describe("a least-request picker above 32 backends", () => {
  it("takes the least of a sample: with one idle in 33, far more often than by chance", () => {
    const view = fakeView(repeat(33, () => 1));
    for (const backend of view.backends.slice(1)) backend.requests = 10;
    const picker = leastRequest({ sample: 32 }).build(view);
    expect((tally(1_000, () => picker.pick({}, 0)).get("b0") ?? 0) / 1_000).toBeGreaterThan(0.6);
  });

  it("draws four unless told otherwise, distinct ones: an idle one in 40 is seen in a tenth of the picks", () => {
    const view = fakeView(repeat(40, () => 1));
    for (const backend of view.backends.slice(1)) backend.requests = 10;
    const picker = leastRequest().build(view);
    expect(Math.abs((tally(20_000, () => picker.pick({}, 0)).get("b0") ?? 0) / 20_000 - 0.1)).toBeLessThan(0.01);
  });

  it("finds the only open one even if the sample misses it", () => {
    const view = fakeView(repeat(200, () => 1));
    for (const backend of view.backends.slice(1)) backend.open = false;
    const picker = leastRequest().build(view);
    expect(Object.fromEntries(tally(100, () => picker.pick({}, 0)))).toEqual({ b0: 100 });
  });

  it("compares as many different ones as it draws, however heavy one is", () => {
    const view = fakeView(repeat(33, (index) => (index === 0 ? 1e6 : 1)));
    view.backends[0]!.requests = 1_000_000_000;
    for (const backend of view.backends.slice(2)) backend.requests = 10;
    const picker = leastRequest({ sample: 32 }).build(view);
    // 32 of 33 are looked at each time: all but one of the light ones, so the idle one is missed once in 32.
    const share = (tally(3_200, () => picker.pick({}, 0)).get("b1") ?? 0) / 3_200;
    expect(share).toBeGreaterThan(0.9);
  });

  it("does not foretell", () => {
    expect(
      leastRequest()
        .build(fakeView(repeat(33, () => 1)))
        .peek?.({}, 0),
    ).toBeUndefined();
  });
});
