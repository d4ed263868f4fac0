import { expected, OptionCheck } from "../options.ts";
import type { CallOptions } from "./attempt.ts";
import { checkRetry } from "./retry-settings.ts";

const KEYS: readonly (keyof CallOptions<unknown>)[] = [
  "attemptTimeoutMs",
  "classify",
  "deadlineMs",
  "hashKey",
  "idempotent",
  "labels",
  "pinned",
  "pinPolicy",
  "retry",
];

/**
 * Checks what an adapter's user may say of a call, for adapters that take it beside options of their own (`also`, whose
 * values `more` may look at).
 * `call` itself does not check: it is the hot path, and typed.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function checkCallOptions(
  where: string,
  options: object,
  also: readonly string[] = [],
  more?: (check: OptionCheck, input: Readonly<Record<string, unknown>>) => void,
): void {
  const check = new OptionCheck();
  const input = check.record("", options, [...KEYS, ...also]) ?? {};
  check.optional("attemptTimeoutMs", input["attemptTimeoutMs"], expected.durationOrOff);
  check.optional("classify", input["classify"], expected.func);
  check.optional("deadlineMs", input["deadlineMs"], expected.durationOrOff);
  check.optional("hashKey", input["hashKey"], expected.anyText);
  check.optional("idempotent", input["idempotent"], expected.boolean);
  check.optional("labels", input["labels"], expected.labels);
  check.optional("pinned", input["pinned"], expected.anyText);
  check.optional("pinPolicy", input["pinPolicy"], expected.oneOf(["redistribute", "wait", "fail"]));
  checkRetry(check, input["retry"]);
  more?.(check, input);
  check.throwIfAny(where);
}
