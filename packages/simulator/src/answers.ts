import type { Report } from "@fairlead/core";

/** How attempts end, as clients see it. One object each: they are compared and handed on, never copied. */
export const SERVED: Report = { outcome: "success", origin: "backend", status: 200 };
export const REFUSED: Report = { outcome: "unreached", origin: "local", errorCode: "ECONNREFUSED" };
export const RESET: Report = { outcome: "failure", origin: "local", errorCode: "ECONNRESET" };
export const TIMED_OUT: Report = { outcome: "failure", origin: "local", errorCode: "FAIRLEAD_ERR_TIMEOUT" };

const failures = new Map<number, Report>();

/** An error status. Those below 500 are the caller's doing, as they are to `createFetch`, but for 429. */
export function failedWith(status: number): Report {
  let report = failures.get(status);
  if (report === undefined) {
    const outcome = status === 429 ? "overload" : status >= 500 ? "failure" : "success";
    report = { outcome, origin: "backend", status };
    failures.set(status, report);
  }
  return report;
}
