import type { RequestKind } from "../../backend.ts";
import type { Report } from "../../call/outcome.ts";
import type { Member } from "../../membership/member.ts";
import type { EjectionSettings } from "../ejection-settings.ts";
import { countInRow, endRows } from "./consecutive.ts";
import type { EjectionSkip, Finding, OutlierWatch, WatchContext } from "./detection.ts";
import { EjectionCap } from "./ejection-cap.ts";
import { DEFAULT_DETECTION, type OutlierDetectionSettings } from "./outlier-settings.ts";
import { sweep } from "./sweep.ts";
import { countFailure, countSuccess, isLocal, tallyOf } from "./tally.ts";

/**
 * Counts what every backend does. An interval is judged at the first report after it, so that no timer is needed.
 *
 * Source: Envoy `outlier_detection_impl.cc`. It keeps two buckets per backend, since other threads go on counting while it
 * judges; here nothing does, so one is enough.
 */
export class Watch implements OutlierWatch {
  readonly #context: WatchContext;
  #sweptAtMs: number;

  constructor(context: WatchContext) {
    this.#context = context;
    this.#sweptAtMs = context.nowMs;
    // What was counted before detection was last turned off is long over.
    for (const member of context.members()) member.tally = undefined;
  }

  take(
    member: Member,
    kind: RequestKind,
    generation: number,
    report: Report,
    latencyMs: number,
    nowMs: number,
    settings: EjectionSettings,
  ): readonly Finding[] | undefined {
    const detection = detectionOf(settings);
    const compares = detection.detectors.length > 0;
    let found: readonly Finding[] | undefined;
    if (compares && nowMs - this.#sweptAtMs >= settings.intervalMs) {
      this.#sweptAtMs = nowMs;
      found = sweep(this.#context, detection);
    }
    const { ejection } = member;
    // What began in an earlier state, and tests of those that are out, say nothing of how it does among the others.
    if (generation === ejection.generation && !ejection.suspect) {
      const { outcome } = report;
      const tally = tallyOf(member);
      if (outcome === "success") {
        endRows(tally);
        if (compares) countSuccess(tally, kind, latencyMs);
      } else if (outcome === "failure" || outcome === "unreached") {
        if (compares) countFailure(tally, isLocal(report));
        const inRow = countInRow(member, tally, report, detection);
        if (inRow !== undefined) found = [...(found ?? []), ...inRow];
      }
    }
    return found === undefined || found.length === 0 ? undefined : this.sift(found, settings);
  }

  counts(report: Report, settings: EjectionSettings): boolean {
    return !detectionOf(settings).splitLocalOriginErrors || !isLocal(report);
  }

  sift(findings: readonly Finding[], settings: EjectionSettings): readonly Finding[] {
    const detection = detectionOf(settings);
    const cap = new EjectionCap(this.#context.members(), detection);
    const ejected = new Set<Member>();
    return findings.flatMap((finding) => {
      // One ejection at a time, however many have found it: its time must not grow twice.
      if (ejected.has(finding.member) || finding.member.ejection.ejected) return [];
      const because = this.#skips(finding, cap, detection);
      if (because !== undefined) return [{ ...finding, because }];
      if (isIn(finding)) cap.take();
      ejected.add(finding.member);
      return [finding];
    });
  }

  #skips({ member, kind }: Finding, cap: EjectionCap, settings: OutlierDetectionSettings): EjectionSkip | undefined {
    if (settings.dryRun) return "dry-run";
    if (isIn({ member }) && !cap.free) return "cap";
    const percent = enforcingPercentOf(kind, settings);
    return percent >= 100 || this.#context.random.next() * 100 < percent ? undefined : "enforcing";
  }
}

/** Who is out already and has failed its test needs no other place. */
function isIn({ member }: Pick<Finding, "member">): boolean {
  return member.ejection.reason === undefined;
}

function enforcingPercentOf(kind: string, { detectors, enforcing }: OutlierDetectionSettings): number {
  const ofRow: number | undefined = (enforcing as Readonly<Record<string, number>>)[kind];
  return ofRow ?? detectors.find(({ name }) => name === kind)?.enforcingPercent ?? 100;
}

function detectionOf({ detection }: EjectionSettings): OutlierDetectionSettings {
  return detection === undefined ? DEFAULT_DETECTION : detection.settings;
}
