import type { RequestKind } from "../../backend.ts";
import { fillIn } from "../../option-group.ts";
import { expected, OptionCheck } from "../../options.ts";
import type { BackendStatistics, Detector, Outlier } from "./detector.ts";
import { count, shown } from "./failure-rates.ts";
import { percent } from "./outlier-settings.ts";

export interface LatencyOutliersOptions {
  /** How many times what is typical of the others is too long; > 1. Default 3. */
  readonly factor?: number | undefined;
  /** Milliseconds up to which nothing is too long, however fast the others are; ≥ 0. Default 50. */
  readonly floorMs?: number | undefined;
  /** With fewer backends of enough volume in its priority and zone than this, nobody is judged; whole, ≥ 3. Default 5. */
  readonly minBackends?: number | undefined;
  /** Successes in an interval without which a backend does not count; whole, ≥ 1. Default 100. */
  readonly requestVolume?: number | undefined;
  /** The chance in percent, 0…100, that an outlier is ejected. Default 100. */
  readonly enforcingPercent?: number | undefined;
  /** Whether to look at how long requests take (default) or how long connections take to open. */
  readonly kind?: RequestKind | undefined;
}

const DEFAULTS = {
  factor: 3,
  floorMs: 50,
  minBackends: 5,
  requestVolume: 100,
  enforcingPercent: 100,
  kind: "request" as RequestKind,
};

/**
 * Ejects those that are far slower than the others: `typical > max(factor · median, floorMs)`.
 *
 * What is typical of a backend is the geometric mean of the latencies of its successes. Latencies spread by factors, not by
 * sums: one answer of 10 s among a hundred of 10 ms raises it by 7 %, and a somewhat other mix of cheap and costly calls
 * moves it somewhat, where it could throw a median from one to the other. The median is that of the backends of the same
 * priority and zone, since the way to another zone is not the fault of those who are there: where all are slow nobody is an
 * outlier, and fewer than half of them can't hide behind each other.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function latencyOutliers(options: LatencyOutliersOptions = {}): Detector {
  const check = new OptionCheck();
  const input = check.record("", options, Object.keys(DEFAULTS)) ?? {};
  const settings = fillIn(check, "", input, DEFAULTS, {
    factor: expected.number({ above: 1 }),
    floorMs: expected.number({ min: 0 }),
    // Of two, each is as far from the middle as the other.
    minBackends: expected.integer({ min: 3 }),
    requestVolume: count,
    enforcingPercent: percent,
    kind: expected.oneOf(["request", "connection"]),
  });
  check.throwIfAny("latencyOutliers");
  return {
    name: "latencyOutliers",
    enforcingPercent: settings.enforcingPercent,
    judge: (backends) => {
      const busy = backends.filter(({ latency }) => latency[settings.kind].count >= settings.requestVolume);
      return groups(busy)
        .flatMap((group) => (group.length < settings.minBackends ? [] : tooSlow(group, settings)))
        .sort((a, b) => b.times - a.times);
    },
  };
}

/** By priority and zone. */
function groups(backends: readonly BackendStatistics[]): readonly (readonly BackendStatistics[])[] {
  const found = new Map<string, BackendStatistics[]>();
  for (const statistics of backends) {
    const { priority, zone } = statistics.backend;
    const key = `${priority} ${zone ?? ""}`;
    const group = found.get(key);
    if (group === undefined) found.set(key, [statistics]);
    else group.push(statistics);
  }
  return [...found.values()];
}

/** With how many times the median it is, so that the worst can come first. */
function tooSlow(
  group: readonly BackendStatistics[],
  { factor, floorMs, kind }: typeof DEFAULTS,
): readonly (Outlier & { readonly times: number })[] {
  const median = medianOf(group.map(({ latency }) => latency[kind].typicalMs));
  const longest = Math.max(factor * median, floorMs);
  return group
    .filter(({ latency }) => latency[kind].typicalMs > longest)
    .map(({ backend, latency }) => {
      const { typicalMs } = latency[kind];
      const reason = `typical latency ${shown(typicalMs)} ms > ${shown(longest)} ms (median ${shown(median)} ms of ${group.length})`;
      return { backend, reason, times: typicalMs / median };
    });
}

/** The upper one of the middle two: outliers are the minority. */
function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
