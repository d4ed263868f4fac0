import { describe, expect, it } from "vitest";
import { fakeView, repeat, tally } from "../../test/fakes.ts";
import { random } from "./random.ts";

describe("a random picker", () => {
  it("draws by weight", () => {
    const view = fakeView([1, 3]);
    const picker = random().build(view);
    // Standard deviation 0.2 percentage points.
    expect((tally(40_000, () => picker.pick({}, 0)).get("b1") ?? 0) / 40_000).toBeCloseTo(0.75, 2);
  });

  it("gives the load of closed ones to all others by weight, not to one neighbour", () => {
    const view = fakeView(repeat(20, () => 1));
    for (const backend of view.backends.slice(4)) backend.open = false;
    const picker = random().build(view);
    const counts = tally(40_000, () => picker.pick({}, 0));
    expect([...counts.keys()].sort()).toEqual(["b0", "b1", "b2", "b3"]);
    for (const count of counts.values()) expect(Math.abs(count / 40_000 - 0.25)).toBeLessThan(0.012);
  });

  it("finds the only open one among many, every time", () => {
    const view = fakeView(repeat(100, () => 1));
    for (const backend of view.backends.slice(1)) backend.open = false;
    const picker = random().build(view);
    expect(Object.fromEntries(tally(200, () => picker.pick({}, 0)))).toEqual({ b0: 200 });
  });

  it("says nobody when nobody admits", () => {
    const view = fakeView([1, 1]);
    expect(
      random()
        .build(view)
        .pick({ tried: new Set(view.backends) }, 0),
    ).toBeUndefined();
  });

  it("does not foretell", () => {
    expect("peek" in random().build(fakeView([1]))).toBe(false);
  });
});
