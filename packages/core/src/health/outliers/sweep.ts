import type { Member } from "../../membership/member.ts";
import { catchLater } from "../../telemetry/callbacks.ts";
import type { Finding, WatchContext } from "./detection.ts";
import type { BackendStatistics, Detector, Outlier } from "./detector.ts";
import type { OutlierDetectionSettings } from "./outlier-settings.ts";
import { takeStatistics } from "./tally.ts";

/** Has the detectors judge what the backends did in the interval that is over, and begins the next. */
export function sweep(context: WatchContext, settings: OutlierDetectionSettings): readonly Finding[] {
  const statistics: BackendStatistics[] = [];
  for (const member of context.members()) {
    const taken = takeStatistics(member);
    if (taken !== undefined && !member.gone && !member.ejection.suspect) statistics.push(taken);
  }
  return settings.detectors.flatMap((detector) => ask(context, detector, statistics, settings));
}

/** A detector that throws or answers nonsense has no say. */
function ask(
  context: WatchContext,
  detector: Detector,
  statistics: readonly BackendStatistics[],
  settings: OutlierDetectionSettings,
): readonly Finding[] {
  const failed = (error: unknown): void => context.callbackFailed(`detector ${detector.name}`, error);
  try {
    const answer: unknown = detector.judge(statistics, settings);
    catchLater(answer, failed);
    return findingsIn(answer, detector.name, statistics);
  } catch (error) {
    failed(error);
    return [];
  }
}

/** @throws TypeError if any of it is no outlier among those that were asked about */
function findingsIn(answer: unknown, kind: string, statistics: readonly BackendStatistics[]): readonly Finding[] {
  if (!Array.isArray(answer)) throw new TypeError(`judge must return a list of outliers, not ${String(answer)}`);
  // Mostly there are none, and then nobody need be looked up.
  if (answer.length === 0) return answer;
  const known = new Set<unknown>(statistics.map(({ backend }) => backend));
  return answer.map((outlier: Partial<Outlier> | null | undefined) => {
    if (!known.has(outlier?.backend))
      throw new TypeError("an outlier must be one of the backends that it was asked about");
    const { backend, reason } = outlier as Outlier;
    if (typeof reason !== "string" || reason === "") throw new TypeError("an outlier must have a reason, in words");
    // All that are known are members.
    return { member: backend as Member, kind, reason };
  });
}
