import type { AttemptResult, Balancer, Report } from "@fairlead/core";
import { judgeError, judgeStatus, withLoad } from "./classify.ts";
import { type Addressed, isCallersMistake } from "./outgoing.ts";

/**
 * What an attempt says of its backend, which is one of `balancer`: nothing if the caller's request or its body was at fault.
 */
export function judge(result: AttemptResult, addressed: Addressed, balancer: Balancer): Report {
  const { oneShot, made } = addressed;
  if (!result.failed) {
    const { status, headers } = result.value as Response;
    const { clock, settings } = balancer;
    const report = judgeStatus(status, status < 400 ? undefined : headers.get("retry-after"), clock);
    const { reports } = settings.strategy;
    return reports === undefined ? report : withLoad(report, headers.get(reports.header));
  }
  if ((made ?? oneShot)?.failed === true || isCallersMistake(addressed, result.error)) return { outcome: "ignored" };
  const report = judgeError(result);
  // What was read can't be sent again, though it went nowhere.
  return report.outcome === "unreached" && oneShot?.consumed === true ? { ...report, outcome: "failure" } : report;
}
