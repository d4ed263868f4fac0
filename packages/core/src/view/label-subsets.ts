import { expected, OptionCheck } from "../options.ts";

type Labels = Readonly<Record<string, string>>;

export interface LabelSubsetsOptions {
  /** The labels of a call that choose backends; others are left alone. At least one. */
  readonly keys: readonly string[];
  /**
   * Where a call goes that asks for what no backend has: to any backend (default), to none (it fails with
   * `FAIRLEAD_ERR_NO_BACKEND`), or to those with these labels.
   */
  readonly fallback?: "any" | "none" | Labels | undefined;
}

/** Which backends may take a call, by the labels that it asks for. */
export interface LabelSubsets {
  readonly name: string;
  /** What of the call's labels matters, in one text; empty if nothing. */
  keyOf(labels: Labels): string;
  /** Whether a backend has everything that `key` asks for. */
  matches(key: string, labels: Labels): boolean;
  /** The key of the backends to take instead; empty: any; `undefined`: none. */
  readonly fallback: string | undefined;
}

/**
 * A call with labels goes only to backends that have the same: a version, a stage, a tenant's own backends. Each such
 * subset has its own priorities, panic and shares, as if it were an upstream.
 *
 * Source: Envoy `subset_lb.cc` (selectors with a fallback policy).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function labelSubsets(options: LabelSubsetsOptions): LabelSubsets {
  const check = new OptionCheck();
  const input = check.record("", options, ["keys", "fallback"]) ?? {};
  const keys = [...(check.required("keys", input["keys"], someTexts) ?? [])].sort();
  const fallback = check.optional("fallback", input["fallback"], anyNoneOrLabels) ?? "any";
  if (typeof fallback === "object" && !Object.keys(fallback).some((key) => keys.includes(key))) {
    check.problem("fallback", fallback, `labels of which at least one is among the keys (${keys.join(", ")})`);
  }
  check.throwIfAny("labelSubsets");
  const keyOf = (labels: Labels): string => {
    const wanted = keys.flatMap((key) => (Object.hasOwn(labels, key) ? [[key, labels[key]]] : []));
    return wanted.length === 0 ? "" : JSON.stringify(wanted);
  };
  return {
    name: "labelSubsets",
    keyOf,
    matches: (key, labels) =>
      key === "" || (JSON.parse(key) as [string, string][]).every(([label, value]) => labels[label] === value),
    fallback: fallback === "none" ? undefined : fallback === "any" ? "" : keyOf(fallback),
  };
}

const someTexts = {
  description: "a list of at least one label",
  accepts: (value: unknown): value is readonly string[] =>
    Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string" && item !== ""),
};

const anyNoneOrLabels = {
  description: '"any", "none" or an object of texts',
  accepts: (value: unknown): value is "any" | "none" | Labels =>
    value === "any" || value === "none" || expected.labels.accepts(value),
};
