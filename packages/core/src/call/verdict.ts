import { type AttemptResult, type Classifier, classifyResult, isReport, toReport } from "./classifier.ts";
import type { Report } from "./outcome.ts";

/** The verdict on an attempt: by the call's own classifier, else the balancer's, else the built-in one. */
export function judge(
  result: AttemptResult,
  ofCall: Classifier | undefined,
  ofBalancer: Classifier | undefined,
  callbackFailed: (where: string, error: unknown) => void,
): Report {
  return ask(ofCall, result, callbackFailed) ?? ask(ofBalancer, result, callbackFailed) ?? classifyResult(result);
}

/** A classifier that throws or answers nonsense has no say. */
function ask(
  classify: Classifier | undefined,
  result: AttemptResult,
  callbackFailed: (where: string, error: unknown) => void,
): Report | undefined {
  if (classify === undefined) return undefined;
  try {
    const verdict = classify(result);
    if (verdict === undefined) return undefined;
    if (isReport(verdict)) return toReport(verdict);
    throw new TypeError(`a classifier must return an outcome, a report or undefined, not ${String(verdict)}`);
  } catch (error) {
    callbackFailed("classify", error);
    return undefined;
  }
}
