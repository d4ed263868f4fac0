import type { Classifier, Report } from "@fairlead/core";

/** What a client of HTTP gets, in short. */
export interface Reply {
  readonly status: number;
  readonly from?: string;
  readonly retryAfterMs?: number | undefined;
}

/** What a client of HTTP would say of a value `{ status }`. */
export const byStatus: Classifier = ({ value, failed }): Report | undefined => {
  if (failed) return undefined;
  const { status, retryAfterMs } = value as Reply;
  if (status === 429) return { outcome: "overload", status, origin: "backend", retryAfterMs };
  if (status === 503 && retryAfterMs !== undefined)
    return { outcome: "overload", status, origin: "backend", retryAfterMs };
  return status >= 500 ? { outcome: "failure", status, origin: "backend" } : { outcome: "success", status };
};
