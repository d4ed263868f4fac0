import { nearest, OptionCheck } from "../options.ts";
import { parseStatusRange } from "../status-ranges.ts";
import { type Classifier, errorCodeOf } from "./classifier.ts";
import { OUTCOMES, type Outcome } from "./outcome.ts";

/** Outcomes that differ from the built-in ones. */
export interface OutcomeRules {
  /** By status: `404`, `500-503` or `5xx`. One status beats a range, a range a class, and a narrow range a wide one. */
  readonly statuses?: Readonly<Record<string, Outcome>> | undefined;
  /** By the code of an error, or its name where it has no code, as `errorCodeOf` finds it: `ECONNRESET`. */
  readonly errors?: Readonly<Record<string, Outcome>> | undefined;
}

/**
 * A classifier by rules: `classify: outcomeRules({ statuses: { "404": "failure" }, errors: { ECONNRESET: "ignored" } })`.
 *
 * A rule changes the outcome of the built-in report and leaves the rest of it: status, error code, Retry-After, load. So
 * whether a call is repeated because of a status is still said by `retry.statusCodes`. Statuses are those of `fetch` and
 * undici, and of any value with a numeric `status` or `statusCode`. A rule for an error overrules what is known of sending,
 * too: only what stays `unreached` is repeated whatever the call.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function outcomeRules(rules: OutcomeRules): Classifier {
  const check = new OptionCheck();
  const input = check.record("", rules, ["statuses", "errors"]) ?? {};
  const statuses = byStatus(check, input["statuses"]);
  const errors = new Map(entriesOf(check, "errors", input["errors"]));
  check.throwIfAny("outcomeRules");
  return ({ failed, value, error }, standard) => {
    const status = failed ? undefined : statusOf(value);
    const outcome = failed ? errors.get(errorCodeOf(error) ?? "") : statuses.get(status);
    if (outcome === undefined) return undefined;
    return failed ? { ...standard, outcome } : { ...standard, outcome, status };
  };
}

/** How much a rule says of one status: a class least. */
const CLASS = 0;
const RANGE = 1;
const EXACT = 2;

/** One entry per status that a rule is about. */
function byStatus(check: OptionCheck, value: unknown): ReadonlyMap<number | undefined, Outcome> {
  const rules = entriesOf(check, "statuses", value).flatMap(([text, outcome]) => {
    const range = parseStatusRange(text);
    if (range === undefined) {
      check.problem(`statuses.${text}`, text, "a status (404), a range (500-503) or a class (5xx), from 100 to 599");
      return [];
    }
    const precision = text.endsWith("xx") ? CLASS : range.from === range.to ? EXACT : RANGE;
    return [{ ...range, outcome, precision }];
  });
  // What says more of a status comes later, and stays.
  rules.sort((a, b) => a.precision - b.precision || b.to - b.from - (a.to - a.from));
  const outcomes = new Map<number, Outcome>();
  for (const { from, to, outcome } of rules)
    for (let status = from; status <= to; status++) outcomes.set(status, outcome);
  return outcomes;
}

function entriesOf(check: OptionCheck, path: string, value: unknown): [string, Outcome][] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    check.problem(path, value, "an object of outcomes");
    return [];
  }
  const entries = Object.entries(value);
  for (const [key, outcome] of entries) {
    if (OUTCOMES.includes(outcome)) continue;
    const meant = typeof outcome === "string" ? nearest(outcome, OUTCOMES) : undefined;
    check.problem(
      `${path}.${key}`,
      outcome,
      `one of ${OUTCOMES.map((word) => JSON.stringify(word)).join(", ")}`,
      meant,
    );
  }
  return entries;
}

/** The status of what a call returns: a fetch `Response`, undici's data, or anything of that shape. */
function statusOf(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { status, statusCode } = value as { readonly status?: unknown; readonly statusCode?: unknown };
  if (typeof status === "number") return status;
  return typeof statusCode === "number" ? statusCode : undefined;
}
