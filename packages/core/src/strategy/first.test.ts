import { describe, expect, it } from "vitest";
import { fakeView } from "../../test/fakes.ts";
import { first } from "./first.ts";

describe("a picker of the first", () => {
  it("stays with the first that admits, whatever the weights and loads", () => {
    const view = fakeView([1, 100, 1]);
    view.backends[0]!.requests = 1_000;
    const picker = first().build(view);
    expect(picker.pick({}, 0)?.id).toBe("b0");
    view.backends[0]!.open = false;
    expect(picker.pick({}, 0)?.id).toBe("b1");
    view.backends[0]!.open = true;
    expect(picker.pick({}, 0)?.id).toBe("b0");
  });

  it("goes on in the order of the set where one was tried", () => {
    const view = fakeView([1, 1, 1]);
    const picker = first().build(view);
    expect(picker.pick({ tried: new Set([view.backends[0]!]) }, 0)?.id).toBe("b1");
    expect(picker.peek?.({ tried: new Set(view.backends.slice(0, 2)) }, 0)?.id).toBe("b2");
    expect(picker.pick({ tried: new Set(view.backends) }, 0)).toBeUndefined();
  });
});
