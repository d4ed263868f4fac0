import { switchable } from "../option-group.ts";
import { expected, OptionCheck } from "../options.ts";
import { CALL_SWITCHES } from "../settings.ts";
import type { CallOptions } from "./attempt.ts";
import { CLASSIFIER } from "./classifier.ts";
import { checkRetry } from "./retry-settings.ts";

const KEYS: readonly (keyof CallOptions<unknown>)[] = [
  "attemptTimeoutMs",
  "classify",
  "deadlineLimitMs",
  "deadlineMs",
  "fallback",
  "fallbackKey",
  "hedge",
  "hashKey",
  "idempotent",
  "labels",
  "pinned",
  "pinPolicy",
  "retry",
];

const NOTHING_SAID: CallOptions<unknown> = {};

/**
 * Checks what an adapter's user may say of a call, for adapters that take it beside options of their own (`also`), which
 * `checkMore` checks.
 * `call` itself does not check: it is the hot path, and typed.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function checkCallOptions(
  where: string,
  options: object,
  also: readonly string[] = [],
  checkMore?: (check: OptionCheck, input: Record<string, unknown>) => void,
): void {
  const check = new OptionCheck();
  const input = check.record("", options, [...KEYS, ...also]) ?? {};
  check.optional("attemptTimeoutMs", input["attemptTimeoutMs"], expected.durationOrOff);
  check.optional("classify", input["classify"], CLASSIFIER);
  check.optional("deadlineLimitMs", input["deadlineLimitMs"], expected.number({ above: 0 }));
  check.optional("deadlineMs", input["deadlineMs"], expected.durationOrOff);
  check.optional("hashKey", input["hashKey"], expected.anyText);
  check.optional("idempotent", input["idempotent"], expected.boolean);
  check.optional("labels", input["labels"], expected.labels);
  check.optional("pinned", input["pinned"], expected.anyText);
  check.optional("pinPolicy", input["pinPolicy"], expected.oneOf(["redistribute", "wait", "fail"]));
  check.optional("fallbackKey", input["fallbackKey"], expected.anyText);
  switchable(check, input, NOTHING_SAID, CALL_SWITCHES);
  checkRetry(check, input["retry"]);
  checkMore?.(check, input);
  check.throwIfAny(where);
}
