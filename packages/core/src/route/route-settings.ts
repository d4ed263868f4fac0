import type { Affinity } from "../affinity/affinity.ts";
import { checkCallOptions } from "../call/check-options.ts";
import type { Balancer } from "../contract.ts";
import type { RateLimit } from "../gate/rate/rate-gate.ts";
import { type Expected, expected, type OptionCheck } from "../options.ts";
import { CONDITION_KEYS, type ConditionOptions, checkConditions, pathText } from "./condition-options.ts";
import { WHOLE } from "./portion.ts";
import type { RouteLimitOptions } from "./route-limits.ts";
import type { RouteOptions } from "./route-options.ts";
import type { RouteCallOptions } from "./router.ts";
import type { Share, SplitBy } from "./split.ts";

/** The options of a route, checked and complete. */
export interface RouteSettings {
  readonly name: string;
  readonly conditions: ConditionOptions;
  /** At least one. */
  readonly shares: readonly Share[];
  readonly splitBy: SplitBy | undefined;
  readonly rewritePath: string | undefined;
  readonly mirror: (Share & { readonly maxConcurrent: number }) | undefined;
  readonly affinity: Affinity | undefined;
  readonly limits: RouteLimitOptions | undefined;
  /** `undefined`: it says nothing. */
  readonly calls: RouteCallOptions | undefined;
}

const CALL_KEYS: readonly (keyof RouteCallOptions)[] = [
  "attemptTimeoutMs",
  "classify",
  "deadlineMs",
  "fallback",
  "hedge",
  "labels",
  "retry",
];
const OWN_KEYS: readonly (keyof RouteOptions)[] = [
  "name",
  "to",
  "splitBy",
  "rewritePath",
  "mirror",
  "affinity",
  "limits",
];
const KEYS: readonly string[] = [...OWN_KEYS, ...CONDITION_KEYS, ...CALL_KEYS];

const MIRROR_CONCURRENCY = 100;

/** `undefined`: there is no saying where its requests go; then there are problems. */
export function resolveRoute(
  check: OptionCheck,
  path: string,
  value: unknown,
  defaultName: string,
): RouteSettings | undefined {
  const input = check.record(path, value, KEYS);
  if (input === undefined) return undefined;
  checkConditions(check, path, input);
  const shares = resolveShares(check, `${path}.to`, input["to"]);
  const settings = {
    name: check.optional(`${path}.name`, input["name"], expected.text) ?? defaultName,
    conditions: input,
    splitBy: check.optional(`${path}.splitBy`, input["splitBy"], expected.func) as SplitBy | undefined,
    rewritePath: check.optional(`${path}.rewritePath`, input["rewritePath"], pathText),
    mirror: resolveMirror(check, `${path}.mirror`, input["mirror"]),
    affinity: check.optional(`${path}.affinity`, input["affinity"], affinityValue),
    limits: resolveLimits(check, `${path}.limits`, input["limits"]),
    calls: resolveCalls(check, path, input),
  };
  return shares === undefined ? undefined : { ...settings, shares };
}

export const balancerValue: Expected<Balancer> = expected.having<Balancer>("call", "a balancer");

function resolveShares(check: OptionCheck, path: string, value: unknown): readonly Share[] | undefined {
  if (!Array.isArray(value)) {
    const to = check.required(path, value, shareTarget);
    return to === undefined ? undefined : [{ to, parts: WHOLE }];
  }
  const shares = value.flatMap(
    (item, index) => resolveShare(check, `${path}[${index}]`, item, ["to", "percent"]) ?? [],
  );
  const parts = shares.reduce((sum, share) => sum + share.parts, 0);
  if (shares.length < value.length) return undefined;
  if (parts !== WHOLE) check.problem(path, value, `percentages that add up to 100, not ${parts / (WHOLE / 100)}`);
  return shares.length === 0 ? undefined : shares;
}

function resolveShare(check: OptionCheck, path: string, value: unknown, keys: readonly string[]): Share | undefined {
  const input = check.record(path, value, keys);
  const to = input && check.required(`${path}.to`, input["to"], balancerValue);
  const percent = input && check.required(`${path}.percent`, input["percent"], percentage);
  return to === undefined || percent === undefined ? undefined : { to, parts: Math.round((percent * WHOLE) / 100) };
}

function resolveMirror(check: OptionCheck, path: string, value: unknown): RouteSettings["mirror"] {
  if (value === undefined) return undefined;
  const share = resolveShare(check, path, value, ["to", "percent", "maxConcurrent"]);
  const { maxConcurrent } = Object(value) as { readonly maxConcurrent?: unknown };
  const most = check.optional(`${path}.maxConcurrent`, maxConcurrent, expected.integer({ min: 1 }));
  return share === undefined ? undefined : { ...share, maxConcurrent: most ?? MIRROR_CONCURRENCY };
}

function resolveLimits(check: OptionCheck, path: string, value: unknown): RouteLimitOptions | undefined {
  const input = value === undefined ? undefined : check.record(path, value, ["maxConcurrent", "rate"]);
  if (input === undefined) return undefined;
  const wanted = expected.having<RateLimit>("createGate", "a rate limit, such as rateLimit({ perSecond: 10 })");
  return {
    maxConcurrent: check.optional(`${path}.maxConcurrent`, input["maxConcurrent"], expected.integer({ min: 1 })),
    rate: check.optional(`${path}.rate`, input["rate"], wanted),
  };
}

function resolveCalls(check: OptionCheck, path: string, input: Record<string, unknown>): RouteCallOptions | undefined {
  const said = CALL_KEYS.flatMap((key) => (input[key] === undefined ? [] : [[key, input[key]] as const]));
  if (said.length === 0) return undefined;
  const calls = Object.fromEntries(said);
  check.within(path, () => checkCallOptions(path, calls));
  return calls;
}

const shareTarget: Expected<Balancer> = {
  description: "a balancer, or a list of { to, percent }",
  accepts: (value: unknown): value is Balancer => balancerValue.accepts(value),
};

const percentage: Expected<number> = {
  description: "a number from 0 to 100, in steps of 0.01",
  accepts: (value: unknown): value is number =>
    typeof value === "number" &&
    value >= 0 &&
    value <= 100 &&
    // 0.07 · 100 is a little more than 7.
    Math.abs(value * 100 - Math.round(value * 100)) < 1e-6,
};

const affinityValue: Expected<Affinity> = {
  description: 'an affinity, such as headerAffinity("x-session")',
  accepts: (value: unknown): value is Affinity =>
    typeof value === "object" && value !== null && ["key", "session"].includes((value as Partial<Affinity>).kind ?? ""),
};
