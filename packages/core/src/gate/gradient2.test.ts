import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Gradient2Options, gradient2 } from "./gradient2.ts";

interface Sample {
  readonly rtt: number;
  readonly inFlight: number;
  readonly dropped: boolean;
}

/** Netflix' code, line by line, in the words of its source. */
function netflix(samples: readonly Sample[], options: typeof DEFAULTS): number[] {
  const { initial, min, max, smoothing, queueSize, longWindow, tolerance } = options;
  let estimatedLimit = initial;
  let value = 0;
  let sum = 0;
  let count = 0;
  return samples.map(({ rtt, inFlight, dropped }) => {
    // Ours alone: a failure that came quickly is left out.
    if (dropped && rtt < value) return Math.trunc(estimatedLimit);
    if (count < 10) {
      count++;
      sum += rtt;
      value = sum / count;
    } else {
      const factor = 2 / (longWindow + 1);
      value = value * (1 - factor) + rtt * factor;
    }
    const longRtt = value;
    if (longRtt / rtt > 2) value = value * 0.95;
    if (inFlight < estimatedLimit / 2) return Math.trunc(estimatedLimit);
    const gradient = Math.max(0.5, Math.min(1.0, (tolerance * longRtt) / rtt));
    let newLimit = estimatedLimit * gradient + queueSize;
    newLimit = estimatedLimit * (1 - smoothing) + newLimit * smoothing;
    newLimit = Math.max(min, Math.min(max, newLimit));
    estimatedLimit = newLimit;
    return Math.trunc(newLimit);
  });
}

const DEFAULTS = { initial: 20, min: 20, max: 200, smoothing: 0.2, queueSize: 4, longWindow: 600, tolerance: 1.5 };

const sample = fc.record({
  rtt: fc.oneof(fc.double({ min: 0.01, max: 10_000, noNaN: true }), fc.constantFrom(10, 11, 100)),
  inFlight: fc.integer({ min: 1, max: 250 }),
  dropped: fc.boolean(),
});

const settings = fc
  .record({
    min: fc.integer({ min: 1, max: 50 }),
    more: fc.integer({ min: 0, max: 300 }),
    start: fc.double({ min: 0, max: 1, noNaN: true }),
    smoothing: fc.double({ min: 0.01, max: 1, noNaN: true }),
    queueSize: fc.integer({ min: 0, max: 20 }),
    longWindow: fc.integer({ min: 1, max: 1_000 }),
    tolerance: fc.double({ min: 1, max: 4, noNaN: true }),
  })
  .map(({ min, more, start, ...rest }) => ({
    ...rest,
    min,
    max: min + more,
    initial: min + Math.floor(start * more),
  }));

function play(samples: readonly Sample[], options: Gradient2Options): number[] {
  const limit = gradient2(options).createLimit();
  return samples.map(({ rtt, inFlight, dropped }) => {
    limit.sample(rtt, inFlight, dropped);
    return limit.limit;
  });
}

describe("gradient2", () => {
  it("is Netflix' algorithm, whatever its options and whatever happens", () => {
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 300 }), settings, (samples, options) => {
        // Sums in another order differ in their last digits, which can decide about a whole number.
        for (const [index, expected] of netflix(samples, options).entries())
          expect(Math.abs((play(samples, options)[index] ?? 0) - expected)).toBeLessThanOrEqual(1);
        const limits = play(samples, options);
        expect(Math.min(...limits)).toBeGreaterThanOrEqual(options.min);
        expect(Math.max(...limits)).toBeLessThanOrEqual(options.max);
      }),
      { seed: 17, numRuns: 60 },
    );
  });

  it("has Netflix' defaults", () => {
    const samples = Array.from({ length: 3_000 }, (_, index) => ({
      rtt: 10 + ((index * 7_919) % 40),
      inFlight: 15 + (index % 150),
      dropped: false,
    }));
    expect(play(samples, {})).toEqual(netflix(samples, DEFAULTS));
    expect(gradient2()).toMatchObject({ name: "gradient2", scope: "backend" });
  });

  it("rises to its maximum while latency is good and all places are taken", () => {
    const limit = gradient2().createLimit();
    for (let index = 0; index < 1_000; index++) limit.sample(10, limit.limit, false);
    expect(limit.limit).toBe(200);
  });

  it("falls when latency rises above the long-term one, and comes back with it", () => {
    const limit = gradient2().createLimit();
    for (let index = 0; index < 1_000; index++) limit.sample(10, limit.limit, false);
    for (let index = 0; index < 30; index++) limit.sample(60, limit.limit, false);
    const low = limit.limit;
    expect(low).toBeLessThan(60);
    for (let index = 0; index < 1_000; index++) limit.sample(10, limit.limit, false);
    expect(limit.limit).toBe(200);
  });

  it("learns nothing about the limit from callers who don't reach half of it", () => {
    const limit = gradient2({ initial: 100 }).createLimit();
    for (let index = 0; index < 100; index++) limit.sample(index < 50 ? 10 : 1_000, 49, false);
    expect(limit.limit).toBe(100);
  });

  it("does not rise because a backend fails quickly", () => {
    const limit = gradient2().createLimit();
    for (let index = 0; index < 20; index++) limit.sample(50, 1, false);
    for (let index = 0; index < 500; index++) limit.sample(1, limit.limit, true);
    expect(limit.limit).toBe(20);
  });

  it("falls because of attempts that time out", () => {
    const limit = gradient2({ initial: 150 }).createLimit();
    for (let index = 0; index < 20; index++) limit.sample(50, 1, false);
    for (let index = 0; index < 5; index++) limit.sample(10_000, limit.limit, true);
    expect(limit.limit).toBeLessThan(120);
  });

  it("begins inside its bounds, wherever they are", () => {
    expect(gradient2({ max: 25 }).createLimit().limit).toBe(20);
    expect(gradient2({ min: 1, max: 5 }).createLimit().limit).toBe(5);
    expect(gradient2({ min: 300 }).createLimit().limit).toBe(300);
  });

  it.each<[Gradient2Options, string]>([
    [{ min: 0 }, "min"],
    [{ min: 10, max: 9 }, "max"],
    [{ initial: 19 }, "initial"],
    [{ initial: 201 }, "initial"],
    [{ smoothing: 0 }, "smoothing"],
    [{ smoothing: 1.1 }, "smoothing"],
    [{ queueSize: -1 }, "queueSize"],
    [{ longWindow: 0 }, "longWindow"],
    [{ tolerance: 0.9 }, "tolerance"],
    [{ scope: "zone" as "backend" }, "scope"],
    [{ minimum: 3 } as Gradient2Options, "minimum"],
  ])("refuses %o", (options, path) => {
    expect(() => gradient2(options)).toThrow(
      expect.objectContaining({ code: "FAIRLEAD_ERR_CONFIG", problems: [expect.objectContaining({ path })] }),
    );
  });
});
