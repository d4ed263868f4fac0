import { catchLater } from "../telemetry/callbacks.ts";
import type { CallOptions } from "./attempt.ts";
import type { CallHost } from "./call-host.ts";
import { type AttemptResult, type Classifier, classifyResult, isReport, toReport } from "./classifier.ts";
import type { Report } from "./outcome.ts";

type Judges = Pick<CallOptions<never>, "classify" | "judge">;

/** The verdict on an attempt: the call's own classifier's, else the balancer's, else the adapter's or the built-in one. */
export function judge(host: CallHost, { classify, judge: ofAdapter }: Judges, result: AttemptResult): Report {
  const ofBalancer = host.settings.classify;
  const builtIn = classifyResult(result);
  const standard = (ofAdapter === undefined ? undefined : ask(host, ofAdapter, result, builtIn)) ?? builtIn;
  return (
    (classify === undefined ? undefined : ask(host, classify, result, standard)) ??
    (ofBalancer === undefined ? undefined : ask(host, ofBalancer, result, standard)) ??
    standard
  );
}

/** A classifier that throws or answers nonsense has no say. */
function ask(host: CallHost, classify: Classifier, result: AttemptResult, standard: Report): Report | undefined {
  try {
    const verdict = classify(result, standard);
    if (verdict === undefined) return undefined;
    return isReport(verdict) ? toReport(verdict) : refuse(host, verdict);
  } catch (error) {
    host.callbackFailed("classify", error);
    return undefined;
  }
}

function refuse(host: CallHost, verdict: unknown): never {
  catchLater(verdict, (error) => host.callbackFailed("classify", error));
  throw new TypeError(`a classifier must return an outcome, a report or undefined, not ${String(verdict)}`);
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
