import type { Report } from "../../call/outcome.ts";
import type { Member } from "../../membership/member.ts";
import type { Finding } from "./detection.ts";
import type { OutlierDetectionSettings } from "./outlier-settings.ts";
import { add, GATEWAY_FAILURES, isLocal, LOCAL_ORIGIN_FAILURES } from "./tally.ts";

/** An attempt that works ends every row. */
export function endRows(tally: Float64Array): void {
  tally[GATEWAY_FAILURES] = 0;
  tally[LOCAL_ORIGIN_FAILURES] = 0;
}

/**
 * Counts a failure among those in a row. What has reached its number gives cause for an ejection, and begins anew.
 *
 * Source: Envoy `outlier_detection_impl.cc` (`putHttpResponseCode`, `putResultNoLocalExternalSplit` and
 * `putResultWithLocalExternalSplit`): a failure that is no gateway's ends their row; local ones count as gateway failures
 * unless they are split off, and then say nothing about rows of answers.
 */
export function countInRow(
  member: Member,
  tally: Float64Array,
  report: Report,
  settings: OutlierDetectionSettings,
): readonly Finding[] | undefined {
  const { status = 0 } = report;
  const local = isLocal(report);
  const gateway = local ? !settings.splitLocalOriginErrors : status >= 502 && status <= 504;
  if (gateway) add(tally, GATEWAY_FAILURES, 1);
  else if (!local) tally[GATEWAY_FAILURES] = 0;
  if (local) add(tally, LOCAL_ORIGIN_FAILURES, 1);
  else tally[LOCAL_ORIGIN_FAILURES] = 0;
  const ofGateway = takeRow(tally, GATEWAY_FAILURES, settings.consecutiveGatewayFailures);
  const ofLocal = takeRow(tally, LOCAL_ORIGIN_FAILURES, settings.consecutiveLocalOriginFailures);
  if (ofGateway === 0 && ofLocal === 0) return undefined;
  const last = report.status ?? report.errorCode ?? report.outcome;
  const found = (kind: string, inRow: number, what: string): Finding[] =>
    inRow === 0 ? [] : [{ member, kind, reason: `${inRow} ${what} in a row, the last: ${last}` }];
  return [
    ...found("consecutiveGatewayFailures", ofGateway, "gateway failures"),
    ...found("consecutiveLocalOriginFailures", ofLocal, "failures of local origin"),
  ];
}

/** How many there are in a row, if that is enough; their count begins anew. Else 0. */
function takeRow(tally: Float64Array, cell: number, limit: number | false): number {
  const inRow = tally[cell] ?? 0;
  if (limit === false || inRow < limit) return 0;
  tally[cell] = 0;
  return inRow;
}
