import { expected, OptionCheck, type PickRequest } from "@fairlead/core";
import { type BreakerRules, type BreakerSettings, RULE_KEYS, resolveRules } from "../settings.ts";
import type { BreakerSnapshot } from "./snapshot.ts";

export interface CircuitBreakerOptions extends BreakerRules {
  /** What has a breaker of its own: each backend (default), the upstream as a whole, or requests by a key. */
  readonly scope?: "backend" | "upstream" | KeyedScope | undefined;
  /** What `snapshot()` of an earlier one said: openings last for what is left of them. */
  readonly state?: readonly BreakerSnapshot[] | undefined;
}

/** A breaker for each key, such as a route. */
export interface KeyedScope {
  /** The key of a request, by its labels or `hashKey`; `undefined`: no breaker for it. Must be cheap and always say the same. */
  readonly key: (request: PickRequest) => string | undefined;
  /** Whether each backend has a breaker per key (default), or the upstream. */
  readonly per?: "backend" | "upstream" | undefined;
  /** Keys that are remembered, per backend or upstream; 1 to 65,536. Default 1,000. */
  readonly maxKeys?: number | undefined;
}

/** Where breakers are: of whom, and by which key. */
export interface Scope {
  readonly per: "backend" | "upstream";
  readonly key: ((request: PickRequest) => string | undefined) | undefined;
  readonly maxKeys: number;
}

export interface CircuitBreakerSettings {
  /** The rules as they were given: what a later change does not name stays so. */
  readonly given: BreakerRules;
  readonly rules: BreakerSettings;
  readonly scope: Scope;
  readonly state: readonly BreakerSnapshot[];
}

export const MOST_KEYS = 65_536;

/** @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems */
export function resolveCircuitBreaker(options: CircuitBreakerOptions): CircuitBreakerSettings {
  const check = new OptionCheck();
  const input = check.record("", options, [...RULE_KEYS, "scope", "state"]) ?? {};
  const { scope, state, ...given } = input;
  const settings = {
    given,
    rules: resolveRules(check, given),
    scope: resolveScope(check, scope),
    state: resolveState(check, state),
  };
  check.throwIfAny("circuitBreaker");
  return settings;
}

/** The rules after a change: what a patch leaves out stays as it was given. */
export function reconfigureRules(
  given: BreakerRules,
  patch: BreakerRules,
): { given: BreakerRules; rules: BreakerSettings } {
  const check = new OptionCheck();
  const input = { ...given, ...check.record("", patch, RULE_KEYS) };
  const rules = resolveRules(check, input);
  check.throwIfAny("circuitBreaker: configure");
  return { given: input, rules };
}

function resolveScope(check: OptionCheck, value: unknown): Scope {
  const plain = { per: "backend", key: undefined, maxKeys: 0 } as const;
  if (value === undefined || value === "backend") return plain;
  if (value === "upstream") return { ...plain, per: "upstream" };
  if (typeof value !== "object") {
    check.problem("scope", value, '"backend", "upstream", or an object with a `key`');
    return plain;
  }
  const input = check.record("scope", value, ["key", "per", "maxKeys"]) ?? {};
  return {
    per: check.optional("scope.per", input["per"], expected.oneOf(["backend", "upstream"])) ?? "backend",
    key: check.required("scope.key", input["key"], expected.func) as Scope["key"],
    maxKeys: check.optional("scope.maxKeys", input["maxKeys"], expected.integer({ min: 1, max: MOST_KEYS })) ?? 1_000,
  };
}

function resolveState(check: OptionCheck, value: unknown): readonly BreakerSnapshot[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isSnapshot)) return value;
  check.problem("state", value, "a list of breakers, as `snapshot()` gives it");
  return [];
}

function isSnapshot(value: unknown): value is BreakerSnapshot {
  if (typeof value !== "object" || value === null) return false;
  const { upstream, backend, key, state, isolated, openUntilAt, level } = value as Partial<Record<string, unknown>>;
  return (
    typeof upstream === "string" &&
    [backend, key].every((name) => name === null || typeof name === "string") &&
    (state === "closed" || state === "open" || state === "half-open") &&
    typeof isolated === "boolean" &&
    (openUntilAt === null || Number.isFinite(openUntilAt)) &&
    Number.isInteger(level) &&
    (level as number) >= 0
  );
}
