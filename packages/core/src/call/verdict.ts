import { catchLater } from "../telemetry/callbacks.ts";
import type { CallOptions } from "./attempt.ts";
import type { CallHost } from "./call-host.ts";
import { type AttemptResult, type Classifier, classifyResult, isReport, toReport } from "./classifier.ts";
import type { Report } from "./outcome.ts";

/** The verdict on an attempt: by the call's own classifier, else the balancer's, else the built-in one. */
export function judge(host: CallHost, ofCall: Classifier | undefined, result: AttemptResult): Report {
  return ask(host, ofCall, result) ?? ask(host, host.settings.classify, result) ?? classifyResult(result);
}

/** A classifier that throws or answers nonsense has no say. */
function ask(host: CallHost, classify: Classifier | undefined, result: AttemptResult): Report | undefined {
  if (classify === undefined) return undefined;
  const failed = (error: unknown): void => host.callbackFailed("classify", error);
  try {
    const verdict = classify(result);
    if (verdict === undefined) return undefined;
    if (isReport(verdict)) return toReport(verdict);
    catchLater(verdict, failed);
    throw new TypeError(`a classifier must return an outcome, a report or undefined, not ${String(verdict)}`);
  } catch (error) {
    failed(error);
    return undefined;
  }
}

/** Hands a value that will not be returned to the caller's `discard`. */
export function discardValue<T>(host: CallHost, options: CallOptions<T>, value: T): void {
  const failed = (error: unknown): void => host.callbackFailed("discard", error);
  const discard: ((value: T) => unknown) | undefined = options.discard;
  try {
    catchLater(discard?.(value), failed);
  } catch (error) {
    failed(error);
  }
}
