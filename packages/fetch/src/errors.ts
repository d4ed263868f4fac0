import { FairleadError } from "@fairlead/core";

/**
 * Errors as callers of `fetch` expect them: a `TypeError` where no answer could be had, with the whole story as its
 * `cause`. Timeouts keep their name, `TimeoutError`, and mistakes in options stay what they are; so does everything that
 * is not ours: the caller's abort reason, the platform's own errors.
 */
export function toFetchError(error: unknown): unknown {
  if (!(error instanceof FairleadError)) return error;
  if (error.code === "FAIRLEAD_ERR_TIMEOUT" || error.code === "FAIRLEAD_ERR_CONFIG") return error;
  return new TypeError("fetch failed", { cause: error });
}
