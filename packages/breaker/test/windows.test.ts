import fc from "fast-check";
import { expect, test } from "vitest";
import { CallWindow } from "../src/machine/call-window.ts";
import { TimeWindow } from "../src/machine/time-window.ts";

/** A multiple of all numbers of buckets, so that no bound is a fraction. */
const WINDOW_MS = 2_520;

const call = fc.record({
  waitMs: fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 800 }) }, { weight: 1, arbitrary: fc.nat({ max: 6_000 }) }),
  failed: fc.boolean(),
  slow: fc.boolean(),
});

interface Counted {
  readonly failed: boolean;
  readonly slow: boolean;
  readonly bucket: number;
}

const countsOf = (calls: readonly Counted[]) => ({
  finished: calls.length,
  failed: calls.filter(({ failed }) => failed).length,
  slow: calls.filter(({ slow }) => slow).length,
});

test("a window of time counts what a list of all calls in its buckets would", () => {
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 30, maxLength: 100, size: "max" }),
      fc.constantFrom(1, 2, 3, 5, 7, 8, 10, 12),
      (calls, buckets) => {
        const window = new TimeWindow(WINDOW_MS, buckets, 0);
        const { finished, failed, slow } = window;
        const seen: Counted[] = [];
        let nowMs = 0;
        let originMs = 0;
        let firstBucket = 0;
        for (const { waitMs, ...what } of calls) {
          nowMs += waitMs;
          const bucketMs = WINDOW_MS / buckets;
          let bucket = firstBucket + Math.floor((nowMs - originMs) / bucketMs);
          // After a whole window without a call, buckets begin anew with the next one.
          if (bucket - (seen.at(-1)?.bucket ?? 0) >= buckets) {
            originMs = nowMs;
            firstBucket = bucket + buckets;
            bucket = firstBucket;
          }
          window.record(what.failed, what.slow, nowMs);
          seen.push({ ...what, bucket });
          const inside = seen.filter((other) => other.bucket > bucket - buckets);
          expect({ finished: window.finished, failed: window.failed, slow: window.slow }).toEqual(countsOf(inside));
        }
        window.clear(nowMs);
        expect({ finished: window.finished, failed: window.failed, slow: window.slow }).toEqual({
          finished,
          failed,
          slow,
        });
      },
    ),
  );
});

test("a window of calls counts what a list of the last ones would", () => {
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 20, maxLength: 60, size: "max" }),
      fc.integer({ min: 1, max: 12 }),
      (calls, size) => {
        const window = new CallWindow(size);
        const seen: Counted[] = [];
        for (const { failed, slow } of calls) {
          window.record(failed, slow);
          seen.push({ failed, slow, bucket: 0 });
          const { finished, failed: failures, slow: slowOnes } = window;
          expect({ finished, failed: failures, slow: slowOnes }).toEqual(countsOf(seen.slice(-size)));
        }
        window.clear();
        expect([window.finished, window.failed, window.slow]).toEqual([0, 0, 0]);
        window.record(true, false);
        expect([window.finished, window.failed, window.slow]).toEqual([1, 1, 0]);
      },
    ),
  );
});
