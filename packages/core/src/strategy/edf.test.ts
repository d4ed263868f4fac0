import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FakeView, fakeView, repeat, tally } from "../../test/fakes.ts";
import { createRandom, type Random } from "../random.ts";
import { type DeadlinePlaces, Deadlines } from "./edf.ts";

const weightsArbitrary = fc.array(fc.double({ min: 0.01, max: 10, noNaN: true }), { minLength: 2, maxLength: 50 });

const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);

/** The most turns that each open backend waited, over so many picks; `before` each of them something may change. */
function longestWaits(view: FakeView, picks: number, next: () => Deadlines, before: () => void): number[] {
  const waits = view.weights.map(() => 0);
  const longest = view.weights.map(() => 0);
  for (let count = 0; count < picks; count++) {
    before();
    const picked = next().pick({}, 0);
    for (const [index, backend] of view.backends.entries()) {
      // Who is closed does not wait.
      waits[index] = backend === picked || !backend.open ? 0 : (waits[index] ?? 0) + 1;
      longest[index] = Math.max(longest[index] ?? 0, waits[index] ?? 0);
    }
  }
  return longest;
}

function expectBound(weights: readonly number[], longest: readonly number[]): void {
  for (const [index, wait] of longest.entries())
    expect(wait).toBeLessThanOrEqual(sum(weights) / (weights[index] ?? 1) + weights.length);
}

/** Opens and closes some; how many are open wanders between none and all. */
function flip(view: FakeView, random: Random): void {
  const share = random.next();
  for (const backend of view.backends) if (random.next() < 0.1) backend.open = random.next() < share;
}

describe("turns by deadline", () => {
  it("give every backend its share to within two turns, at any moment", () => {
    fc.assert(
      fc.property(weightsArbitrary, (weights) => {
        const view = fakeView(weights);
        const deadlines = new Deadlines(view, new WeakMap());
        const counts = weights.map(() => 0);
        for (let pick = 1; pick <= 1_000; pick++) {
          const index = view.backends.indexOf(deadlines.pick({}, 0) as (typeof view.backends)[0]);
          counts[index] = (counts[index] ?? 0) + 1;
        }
        // Time = the number of turns had, per unit of weight, to within one turn of each.
        for (const [index, count] of counts.entries()) {
          const weight = weights[index] ?? 0;
          const slack = 2 + (weights.length * weight) / sum(weights);
          expect(Math.abs(count - (1_000 * weight) / sum(weights))).toBeLessThanOrEqual(slack);
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it("let nobody wait for longer than W + n turns, whoever opens and closes meanwhile", () => {
    fc.assert(
      fc.property(weightsArbitrary, fc.integer(), (weights, seed) => {
        const view = fakeView(weights, { seed });
        const random = createRandom(seed + 1);
        const deadlines = new Deadlines(view, new WeakMap());
        const flipSome = (): void => flip(view, random);
        expectBound(
          weights,
          longestWaits(view, 1_000, () => deadlines, flipSome),
        );
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it("keep to that while the view changes with every call", () => {
    fc.assert(
      fc.property(weightsArbitrary, fc.integer(), (weights, seed) => {
        const view = fakeView(weights, { seed });
        const random = createRandom(seed + 1);
        const places: DeadlinePlaces = new WeakMap();
        const build = (): Deadlines => new Deadlines(view, places);
        const flipSome = (): void => flip(view, random);
        expectBound(weights, longestWaits(view, 1_000, build, flipSome));
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it("forget nobody whose fellows come and go, and whose weight changes, with every call", () => {
    const all = fakeView(repeat(10, () => 1));
    const random = createRandom(5);
    const places: DeadlinePlaces = new WeakMap();
    let waited = 0;
    for (let call = 0; call < 5_000; call++) {
      const backends = all.backends.filter((_, index) => index === 0 || random.next() < 0.7);
      const weights = backends.map(() => 0.5 + random.next());
      const picked = new Deadlines({ ...all, backends, weights }, places).pick({}, 0);
      waited = picked === all.backends[0] ? 0 : waited + 1;
      // The weights at their worst: W = (0.5 + 9 · 1.5) ÷ 0.5.
      expect(waited).toBeLessThanOrEqual(28 + 10);
    }
  });

  it("leave the others their proportions while one is closed", () => {
    const view = fakeView([3, 2, 1]);
    view.backends[0]!.open = false;
    const deadlines = new Deadlines(view, new WeakMap());
    const counts = tally(3_000, () => deadlines.pick({}, 0));
    expect(counts.get("b0")).toBeUndefined();
    expect(Math.abs((counts.get("b1") ?? 0) - 2_000)).toBeLessThanOrEqual(1);
  });

  it("go on by turns among the few that are open of many, and give no neighbour the load of the closed", () => {
    const view = fakeView(repeat(500, () => 1));
    for (const [index, backend] of view.backends.entries()) backend.open = index % 100 === 7;
    const deadlines = new Deadlines(view, new WeakMap());
    const counts = tally(500, () => deadlines.pick({}, 0));
    expect(counts.size).toBe(5);
    for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThanOrEqual(1);
  });

  it("give those that come back one turn each before their next wait, no burst", () => {
    const view = fakeView(repeat(200, () => 1));
    for (const backend of view.backends.slice(2)) backend.open = false;
    const deadlines = new Deadlines(view, new WeakMap());
    for (let pick = 0; pick < 1_000; pick++) deadlines.pick({}, 0);
    for (const backend of view.backends) backend.open = true;
    for (const count of tally(400, () => deadlines.pick({}, 0)).values())
      expect(Math.abs(count - 2)).toBeLessThanOrEqual(1);
  });

  it("say nobody when nobody admits, and go on afterwards", () => {
    const view = fakeView(repeat(50, (index) => 1 + index));
    const deadlines = new Deadlines(view, new WeakMap());
    for (const backend of view.backends) backend.open = false;
    expect(deadlines.pick({}, 0)).toBeUndefined();
    expect(deadlines.peek({}, 0)).toBeUndefined();
    for (const backend of view.backends) backend.open = true;
    expect(tally(1_275, () => deadlines.pick({}, 0)).size).toBe(50);
  });

  it("are foretold exactly, without a trace", () => {
    fc.assert(
      fc.property(weightsArbitrary, fc.integer(), (weights, seed) => {
        const view = fakeView(weights, { seed });
        const other = fakeView(weights, { seed });
        const random = createRandom(seed);
        const asked = new Deadlines(view, new WeakMap());
        const unasked = new Deadlines(other, new WeakMap());
        for (let pick = 0; pick < 200; pick++) {
          flip(view, random);
          for (const [index, backend] of view.backends.entries()) other.backends[index]!.open = backend.open;
          const peeked = asked.peek({}, 0);
          expect(asked.pick({}, 0)).toBe(peeked);
          expect(unasked.pick({}, 0)?.id).toBe(peeked?.id);
        }
      }),
      { seed: 4, numRuns: 50 },
    );
  });

  it("begin anywhere: a fleet's first picks are spread by weight", () => {
    const weights = [1, 2, 3, 4];
    const counts = tally(4_000, (seed) => new Deadlines(fakeView(weights, { seed }), new WeakMap()).pick({}, 0));
    // The heaviest comes somewhat early: a first deadline is even over a period, not memoryless. Nobody is left out.
    for (const index of weights.keys()) expect(counts.get(`b${index}`) ?? 0).toBeGreaterThan(200);
    const equal = tally(4_000, (seed) => new Deadlines(fakeView([1, 1, 1, 1], { seed }), new WeakMap()).pick({}, 0));
    // Standard deviation 27.
    for (const count of equal.values()) expect(Math.abs(count - 1_000)).toBeLessThan(137);
  });

  it("keep to weights a million million times apart, and survive those further apart", () => {
    for (const light of [1e-9, 1e-300, Number.MIN_VALUE]) {
      const view = fakeView([light, 1e9]);
      const deadlines = new Deadlines(view, new WeakMap());
      expect(tally(1_000, () => deadlines.pick({}, 0)).get("b1") ?? 0).toBeGreaterThanOrEqual(999);
      view.backends[1]!.open = false;
      expect(deadlines.pick({}, 0)?.id).toBe("b0");
    }
  });

  it("share by the new weights after these change", () => {
    const view = fakeView([1, 1]);
    const deadlines = new Deadlines(view, new WeakMap());
    for (let pick = 0; pick < 7; pick++) deadlines.pick({}, 0);
    deadlines.reweigh([9, 1]);
    expect(Math.abs((tally(1_000, () => deadlines.pick({}, 0)).get("b0") ?? 0) - 900)).toBeLessThanOrEqual(1);
  });
});
