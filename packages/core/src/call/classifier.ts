import type { Expected } from "../options.ts";
import { OUTCOMES, type Outcome, type Report, SUCCESS } from "./outcome.ts";

/** How an attempt ended, as the function that made it saw it. */
export interface AttemptResult {
  /** What `run` resolved to; absent if it rejected. */
  readonly value?: unknown;
  /** What `run` rejected with. */
  readonly error?: unknown;
  readonly failed: boolean;
  /** Whether the request may have been sent: `false` only if that is known for sure. */
  readonly sent: boolean;
}

/**
 * Decides who is to blame. `standard` is the built-in verdict, an adapter's included; `undefined` leaves it to the next in
 * line: option of the call, of the balancer, built-in.
 */
export type Classifier = (result: AttemptResult, standard: Report) => Report | Outcome | undefined;

export const CLASSIFIER: Expected<Classifier> = {
  description: "a function, such as outcomeRules({ … })",
  accepts: (value: unknown): value is Classifier => typeof value === "function",
};

/** Errors that say no connection came about, so that nothing was sent: libuv's, undici's, the TLS handshake's. */
const UNREACHED_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/** The built-in verdict: a value is a success; an error is a failure, or `unreached` where that is known. */
export function classifyResult({ failed, error, sent }: AttemptResult): Report {
  if (!failed) return SUCCESS;
  const errorCode = errorCodeOf(error);
  const unreached = !sent || (errorCode !== undefined && UNREACHED_CODES.has(errorCode)) || failedToConnect(error);
  return { outcome: unreached ? "unreached" : "failure", origin: "local", errorCode };
}

/** How deep causes are followed: fetch wraps once, user code perhaps once more. */
const DEEPEST_CAUSE = 5;

interface Cause {
  readonly code?: unknown;
  readonly name?: unknown;
  readonly syscall?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** The error, what caused it, and so on. */
function chainOf(error: unknown): readonly Cause[] {
  const chain: Cause[] = [];
  for (let current = error; typeof current === "object" && current !== null && chain.length < DEEPEST_CAUSE; ) {
    const cause: Cause = current;
    chain.push(cause);
    // Happy eyeballs rejects with one error per address.
    current = cause.cause ?? (Array.isArray(cause.errors) ? cause.errors[0] : undefined);
  }
  return chain;
}

/** The first `code` along the chain of causes, else the name of the innermost that has one. */
export function errorCodeOf(error: unknown): string | undefined {
  let deepest: string | undefined;
  for (const { code, name } of chainOf(error)) {
    if (typeof code === "string" && code !== "") return code;
    if (typeof name === "string") deepest = name;
  }
  return deepest;
}

/** The system call says so where the code does not: `ETIMEDOUT` and `ECONNRESET` come from connecting and from reading. */
function failedToConnect(error: unknown): boolean {
  return chainOf(error).some(({ syscall }) => syscall === "connect");
}

export function toReport(verdict: Report | Outcome): Report {
  return typeof verdict === "string" ? { outcome: verdict } : verdict;
}

function isOutcome(value: unknown): value is Outcome {
  return OUTCOMES.some((outcome) => outcome === value);
}

/** Whether user code gave an answer that can be used. */
export function isReport(verdict: unknown): verdict is Report | Outcome {
  if (typeof verdict === "string") return isOutcome(verdict);
  return typeof verdict === "object" && verdict !== null && isOutcome((verdict as Report).outcome);
}
