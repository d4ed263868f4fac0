import type { Backend, RequestKind } from "../../backend.ts";
import type { OutlierDetectionSettings } from "./outlier-settings.ts";

/** How long successful attempts of one kind took, this process's own delays taken off. */
export interface LatencyStatistics {
  readonly count: number;
  /** Milliseconds; 0 without any. */
  readonly meanMs: number;
  /** e to the mean of the logarithms, milliseconds: what is typical, whatever the few longest took. 0 without any. */
  readonly typicalMs: number;
}

/** What one backend did in the interval that is over. */
export interface BackendStatistics {
  readonly backend: Backend;
  readonly successes: number;
  readonly failures: number;
  /** Those of the failures that were seen on this side: no connection, reset, timeout. */
  readonly localOriginFailures: number;
  /** By requests, and by opening connections. */
  readonly latency: Readonly<Record<RequestKind, LatencyStatistics>>;
}

export interface Outlier {
  readonly backend: Backend;
  /** With numbers, such as `success rate 50 % < 52 %`. */
  readonly reason: string;
}

/** Compares the backends with each other, and says who is unlike the others. */
export interface Detector {
  /** The kind of ejection, in events and counters. */
  readonly name: string;
  /** The chance in percent, 0…100, that an outlier is ejected. Default 100. */
  readonly enforcingPercent?: number | undefined;
  /**
   * Asked once per interval, about all backends that are in (not ejected, not on probation) and had an attempt with a
   * verdict. If fewer may be ejected than it names, it is the first ones. What it throws or answers amiss is reported, and
   * nobody is ejected then.
   */
  judge(backends: readonly BackendStatistics[], settings: OutlierDetectionSettings): readonly Outlier[];
}
