import { describe, expect, it } from "vitest";
import { fakeView, tally } from "../../test/fakes.ts";
import { drawAdmitting } from "./scan.ts";

describe("a draw among those that admit", () => {
  it("follows the weights of those that do, and leaves the others out", () => {
    const view = fakeView([1, 5, 2, 7]);
    for (const index of [1, 3]) view.backends[index]!.open = false;
    const counts = tally(60_000, () => view.backends[drawAdmitting(view, {}, 0)]);
    expect([...counts.keys()].sort()).toEqual(["b0", "b2"]);
    // Standard deviation 0.2 percentage points.
    expect((counts.get("b0") ?? 0) / 60_000).toBeCloseTo(1 / 3, 2);
  });

  it("says −1 when nobody does", () => {
    const view = fakeView([1, 1]);
    for (const backend of view.backends) backend.open = false;
    expect(drawAdmitting(view, {}, 0)).toBe(-1);
  });
});
