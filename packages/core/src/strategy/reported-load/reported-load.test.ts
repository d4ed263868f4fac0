import { describe, expect, it } from "vitest";
import { type FakeView, fakeView, repeat, tally } from "../../../test/fakes.ts";
import { createRandom } from "../../random.ts";
import { roundRobin } from "../round-robin.ts";
import type { Picker } from "../strategy.ts";
import { type ReportedLoadOptions, reportedLoad } from "./reported-load.ts";

/** Past the blackout of reports made at 0. */
const LATER_MS = 10_000;

/** Every backend reports the utilization given, at 100 requests a second; `undefined`: nothing. */
function report(view: FakeView, utilizations: readonly (number | undefined)[], atMs: number): void {
  for (const [index, cpuUtilization] of utilizations.entries()) {
    const backend = view.backends[index];
    if (backend !== undefined && cpuUtilization !== undefined)
      backend.reported = { load: { requestsPerSecond: 100, cpuUtilization }, atMs };
  }
}

/** A picker that has seen the first reports, at 0. */
function pickerFor(
  view: FakeView,
  utilizations: readonly (number | undefined)[],
  options: ReportedLoadOptions = {},
): Picker {
  const picker = reportedLoad(options).build(view);
  report(view, utilizations, 0);
  picker.pick({}, 0);
  return picker;
}

function expectShares(picker: Picker, nowMs: number, weights: readonly number[]): void {
  const counts = tally(10_000, () => picker.pick({}, nowMs));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries())
    expect(Math.abs((counts.get(`b${index}`) ?? 0) - (10_000 * weight) / total)).toBeLessThanOrEqual(3);
}

describe("a picker by reported load", () => {
  it("shares by requests per second over utilization", () => {
    expectShares(pickerFor(fakeView([1, 1, 1]), [0.2, 0.4, 0.8]), LATER_MS, [4, 2, 1]);
  });

  it("honours configured weights besides", () => {
    expectShares(pickerFor(fakeView([1, 3]), [0.5, 0.25]), LATER_MS, [1, 6]);
  });

  it("gives a backend without reports the mean of the others", () => {
    expectShares(pickerFor(fakeView([1, 1, 1]), [0.2, 0.6, undefined]), LATER_MS, [3, 1, 2]);
  });

  it("holds a weight to 0.01 to 10 times the mean", () => {
    const view = fakeView(repeat(20, () => 1));
    const picker = pickerFor(view, [1e-6, ...repeat(19, () => 1e5)]);
    const counts = tally(10_000, () => picker.pick({}, LATER_MS));
    // The mean is a twentieth of the sole large one: 10 against 19 times 0.01.
    expect(Math.abs((counts.get("b0") ?? 0) - (10_000 * 10) / 10.19)).toBeLessThanOrEqual(3);
    expect(counts.get("b1")).toBeGreaterThan(0);
  });

  it.each([
    { name: "without reports", utilizations: [undefined, undefined, undefined] },
    { name: "with reports of one alone", utilizations: [0.1, undefined, undefined] },
  ])("is round robin to the letter $name", ({ utilizations }) => {
    for (const weights of [
      [5, 1, 1],
      [1, Math.E, Math.PI],
    ]) {
      const plain = roundRobin().build(fakeView(weights));
      const view = fakeView(weights);
      report(view, utilizations, 0);
      const picker = reportedLoad().build(view);
      for (let pick = 0; pick < 100; pick++)
        expect(picker.pick({}, pick * 1_000)?.id).toBe(plain.pick({}, pick * 1_000)?.id);
    }
  });

  it("waits for the blackout, and goes by configured weights again when reports expire", () => {
    const view = fakeView([1, 1]);
    const picker = pickerFor(view, [0.1, 0.9], { blackoutMs: 5_000, expiryMs: 60_000 });
    expectShares(picker, 4_999, [1, 1]);
    expectShares(picker, 6_000, [9, 1]);
    expectShares(picker, 59_999, [9, 1]);
    expectShares(picker, 61_000, [1, 1]);
  });

  it("takes in new reports once per update, no sooner", () => {
    const view = fakeView([1, 1]);
    const picker = pickerFor(view, [0.1, 0.9], { blackoutMs: 0, updateMs: 2_000 });
    report(view, [0.9, 0.1], 100);
    expectShares(picker, 1_999, [9, 1]);
    expectShares(picker, 2_000, [1, 9]);
  });

  it("lets nobody wait for longer than W + n turns while weights change with every call", () => {
    const view = fakeView(repeat(8, () => 1));
    const random = createRandom(3);
    const picker = pickerFor(
      view,
      repeat(8, () => 0.5),
      { blackoutMs: 0, updateMs: 100 },
    );
    const last = new Map<string, number>();
    for (let call = 1; call < 3_000; call++) {
      report(
        view,
        repeat(8, () => 0.25 + random.next() * 0.5),
        call * 100,
      );
      last.set(picker.pick({}, call * 100)?.id ?? "", call);
      // The weights at their worst: W = (1 + 7 · 3) ÷ 1.
      if (call > 30) for (const { id } of view.backends) expect(call - (last.get(id) ?? 0)).toBeLessThanOrEqual(22 + 8);
    }
  });

  it("keeps what it knows of a backend when the view changes", () => {
    const strategy = reportedLoad();
    const view = fakeView([1, 1]);
    report(view, [0.1, 0.9], 0);
    strategy.build(view).pick({}, 0);
    expectShares(strategy.build(view), LATER_MS, [9, 1]);
  });

  it("survives reports that no parser has seen", () => {
    const view = fakeView([1, 1, 1]);
    const picker = reportedLoad({ blackoutMs: 0, metrics: ["constructor"] }).build(view);
    const loads = [
      { requestsPerSecond: 1e308, cpuUtilization: 1e-308 },
      { requestsPerSecond: Number.NaN, cpuUtilization: 1, namedUtilization: {} },
      { requestsPerSecond: 1e-308, cpuUtilization: 1e308, errorsPerSecond: 1e308 },
    ];
    for (const [index, load] of loads.entries()) view.backends[index]!.reported = { load, atMs: 0 };
    expect(tally(300, () => picker.pick({}, 0)).size).toBe(3);
  });

  it("foretells its picks until new weights are due", () => {
    const view = fakeView([1, 1, 1]);
    const picker = pickerFor(view, [0.2, 0.4, 0.8]);
    picker.pick({}, LATER_MS);
    for (let pick = 0; pick < 50; pick++) {
      const peeked = picker.peek?.({}, LATER_MS);
      expect(picker.pick({}, LATER_MS)).toBe(peeked);
    }
    expect(picker.peek?.({}, LATER_MS + 1_000)).toBeUndefined();
  });

  it("scores by the weights in force", () => {
    const view = fakeView([1, 3]);
    const picker = pickerFor(view, [0.5, 0.25]);
    expect(picker.scores?.(0)).toEqual([1, 3]);
    picker.pick({}, LATER_MS);
    expect(picker.scores?.(0)).toEqual([100, 600]);
  });
});

describe("the strategy by reported load", () => {
  it("says where reports are, and reads them", () => {
    const { reports } = reportedLoad();
    expect(reports?.header).toBe("endpoint-load-metrics");
    expect(reports?.parse("TEXT cpu_utilization=0.5")).toEqual({ cpuUtilization: 0.5 });
    expect(reportedLoad({ header: "X-Load" }).reports?.header).toBe("x-load");
  });

  it("names everything that is wrong with its options", () => {
    const wrong = { blackoutMs: -1, expiryMs: 0, updateMs: 99, errorPenalty: -1, metrics: [""], header: "a b" };
    expect(() => reportedLoad(wrong)).toThrow(/6 problems/);
  });
});
