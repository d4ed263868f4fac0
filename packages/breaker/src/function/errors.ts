import { withoutStack } from "@fairlead/core";
import { Opossum, STILL } from "../circuit/opossum.ts";

/** opossum's codes: open, too late, too many at once, shut down. */
export type BreakerErrorCode = "EOPENBREAKER" | "ETIMEDOUT" | "ESEMLOCKED" | "ESHUTDOWN";

export interface BreakerError extends Error {
  readonly code: BreakerErrorCode;
}

/** Whether an error came from a breaker, ours or opossum's, and not from the function that it guards. */
export function isOurError(error: unknown): error is BreakerError {
  return typeof error === "object" && error !== null && Opossum.isOurError(error);
}

export function breakerError(message: string, code: BreakerErrorCode): BreakerError {
  const error = withoutStack(() => new Error(message));
  brand ??= readBrand();
  return Object.assign(error, brand === undefined ? { code } : { code, [brand]: true });
}

/** What opossum knows its errors by. Not exported, so it is read off one, when one is first needed. */
let brand: symbol | undefined;

const nothing = (): void => {};

function readBrand(): symbol | undefined {
  const full = new Opossum(nothing, {
    capacity: 0,
    timeout: false,
    // One rejection does not open it, which would start a timer.
    volumeThreshold: 2,
    enableSnapshots: false,
    rotateBucketController: STILL,
  });
  let found: symbol | undefined;
  full.on("semaphoreLocked", (error: Error) => {
    found = Object.getOwnPropertySymbols(error).find(({ description }) => description === "our-error");
  });
  full.fire().catch(nothing);
  full.shutdown();
  return found;
}
