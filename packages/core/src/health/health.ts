/**
 * What active checks say of a backend.
 *
 * - `unchecked`: nobody checks it; it takes calls.
 * - `pending`: takes no calls until its first check has passed. Not counted among the failed ones.
 * - `up`: takes calls; `failures` checks in a row have failed since.
 * - `down`: failed; in play only in panic. `successes` checks in a row have passed since.
 */
export type Health =
  | { readonly kind: "unchecked"; readonly reason: string }
  | { readonly kind: "pending"; readonly reason: string }
  | { readonly kind: "up"; readonly reason: string; readonly failures: number }
  | { readonly kind: "down"; readonly reason: string; readonly failures: number; readonly successes: number };

export const UNCHECKED: Health = { kind: "unchecked", reason: "not checked any more" };
export const UP: Health = { kind: "up", reason: "taken to be up", failures: 0 };

/** How many checks in a row change a backend's health. */
export interface Thresholds {
  /** Passed ones that bring it up. */
  readonly rise: number;
  /** Failed ones that take it down. */
  readonly fall: number;
}

/** What one check has found. */
export interface Finding {
  readonly passed: boolean;
  /** In a word or two, such as `200` or `ECONNREFUSED`. */
  readonly reason: string;
  /** When the backend's certificate ends, milliseconds since 1970, if the check has seen one. */
  readonly certificateExpiresAt?: number | undefined;
}

/**
 * The health after one more check: the only place that changes it. A single check decides on a backend of which nothing is
 * known; after that it takes `fall` failed ones in a row, or `rise` passed ones.
 *
 * Source: HAProxy `src/check.c` (rise, fall), Envoy `health_checker_impl.cc` (the first check decides).
 */
export function afterCheck(health: Health, finding: Finding, { rise, fall }: Thresholds): Health {
  const { passed } = finding;
  if (health.kind === "up") {
    if (!passed) return failed(health.failures + 1, fall, finding);
    return health.failures === 0 ? health : { kind: "up", reason: inWords(1, "passed", finding), failures: 0 };
  }
  if (health.kind === "down") {
    if (!passed) return failed(health.failures + 1, 0, finding);
    if (health.successes + 1 < rise) return { ...health, successes: health.successes + 1 };
    return { kind: "up", reason: inWords(rise, "passed", finding), failures: 0 };
  }
  return passed ? { kind: "up", reason: inWords(1, "passed", finding), failures: 0 } : failed(1, 0, finding);
}

function failed(failures: number, fall: number, finding: Finding): Health {
  const reason = inWords(failures, "failed", finding);
  return failures < fall ? { kind: "up", reason, failures } : { kind: "down", reason, failures, successes: 0 };
}

function inWords(count: number, what: string, { reason }: Finding): string {
  return `${count} check${count === 1 ? "" : "s"} ${what}, the last: ${reason}`;
}
