import type { RequestKind } from "../../backend.ts";
import type { Report } from "../../call/outcome.ts";
import type { Member } from "../../membership/member.ts";
import type { Random } from "../../random.ts";
import type { EjectionSettings } from "../ejection-settings.ts";
import type { OutlierDetectionSettings } from "./outlier-settings.ts";

// What the balancer knows of outlier detection: all else is in the bundles of those alone who import it.

/** Made by `outlierDetection()`. */
export interface OutlierDetection {
  /** As they apply now, defaults filled in. */
  readonly settings: OutlierDetectionSettings;
  /** What this one says, and for the rest what the one before said. */
  over(before: OutlierDetection | undefined): OutlierDetection;
  createWatch(context: WatchContext): OutlierWatch;
}

/** Why a backend was not ejected: chance said no, the limit is reached, or it is only an exercise. */
export type EjectionSkip = "enforcing" | "cap" | "dry-run";

/** Somebody to be ejected, and why. */
export interface Finding {
  readonly member: Member;
  /** The option or the detector that has found it, or `failedTest`. */
  readonly kind: string;
  /** In words, with numbers. */
  readonly reason: string;
  /** It is not ejected all the same. */
  readonly because?: EjectionSkip | undefined;
}

export interface WatchContext {
  readonly nowMs: number;
  readonly random: Random;
  members(): readonly Member[];
  callbackFailed(where: string, error: unknown): void;
}

/** Watches the backends of one upstream, beside what each of them is known by itself to have done. */
export interface OutlierWatch {
  /**
   * Takes in the verdict on an attempt that was admitted under `generation`. Returns what it gives cause for, if anything.
   *
   * @param latencyMs negative if it says nothing of the backend
   */
  take(
    member: Member,
    kind: RequestKind,
    generation: number,
    report: Report,
    latencyMs: number,
    nowMs: number,
    settings: EjectionSettings,
  ): readonly Finding[] | undefined;
  /** Whether a failure is one of those that `consecutiveFailures` counts. */
  counts(report: Report, settings: EjectionSettings): boolean;
  /** The findings to be acted on, and which of them are not to be enforced. */
  sift(findings: readonly Finding[], settings: EjectionSettings): readonly Finding[];
}
