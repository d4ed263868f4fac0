import type { AdminState, BackendSpec, TlsOptions } from "../backend.ts";
import { fillIn } from "../option-group.ts";
import { expected, OptionCheck } from "../options.ts";
import { urlOf } from "../url.ts";
import type { SpecCache } from "./spec-cache.ts";

/** A checked specification with every default filled in. */
export interface ResolvedSpec extends BackendSpec {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  readonly priority: number;
  readonly zone: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: AdminState;
}

export const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

/** Priorities are small numbers; a larger one is a mistake (Envoy allows 128 levels). */
const LARGEST_PRIORITY = 127;
/** Beyond this a weight is a mistake, and sums of weights would lose precision. */
const LARGEST_WEIGHT = 1e9;

/** What a specification may say, beside `url` and `tls`. */
const WANTED = /* @__PURE__ */ (() => ({
  id: expected.text,
  weight: expected.number({ above: 0, max: LARGEST_WEIGHT }),
  priority: expected.integer({ min: 0, max: LARGEST_PRIORITY }),
  zone: expected.text,
  labels: expected.labels,
  host: expected.headerValue,
  maxConcurrent: expected.integer({ min: 1 }),
  maxConnections: expected.integer({ min: 1 }),
  state: expected.oneOf(["enabled", "degraded", "draining", "disabled"]),
}))();
const SPEC_KEYS: readonly string[] = /* @__PURE__ */ (() => ["url", ...Object.keys(WANTED), "tls"])();
const NOTHING_SAID: Partial<BackendSpec> = {};
const WANTED_TLS = {
  ca: expected.textOrTexts,
  cert: expected.secretText,
  key: expected.secretText,
  serverName: expected.text,
  rejectUnauthorized: expected.boolean,
};
const NO_TLS: TlsOptions = {};

/**
 * Checks a whole set; problems go to `check`, and what is wrong is left out of the result. Entries that `cache` knows as
 * they are keep their resolved form: an unchanged set is recognised by it.
 */
export function resolveSpecs(
  check: OptionCheck,
  path: string,
  specs: unknown,
  cache?: SpecCache,
): readonly ResolvedSpec[] {
  if (!Array.isArray(specs)) {
    check.problem(path, specs, "a list of backends");
    return [];
  }
  const unchanged = cache?.unchanged(specs);
  if (unchanged !== undefined) return unchanged;
  const resolved: ResolvedSpec[] = [];
  /** How many had been resolved when one was left out. */
  const leftOut: number[] = [];
  const fresh = new Set<string>();
  for (let index = 0; index < specs.length; index++) {
    const value: unknown = specs[index];
    const known = cache?.find(value, index);
    const spec = known ?? resolveSpec(check, `${path}[${index}]`, value);
    if (spec === undefined) {
      leftOut.push(resolved.length);
      continue;
    }
    resolved.push(spec);
    if (known !== undefined) continue;
    fresh.add(spec.id);
    cache?.keep(value, spec);
  }
  const pathOf = (index: number): string => `${path}[${index + leftOut.filter((count) => count <= index).length}]`;
  const distinct = withoutDoubles(check, resolved, fresh, pathOf);
  cache?.turn(distinct);
  return distinct;
}

/** Only ids that were not known can be there twice. */
function withoutDoubles(
  check: OptionCheck,
  specs: readonly ResolvedSpec[],
  fresh: ReadonlySet<string>,
  pathOf: (index: number) => string,
): readonly ResolvedSpec[] {
  if (fresh.size === 0) return specs;
  const first = new Map<string, number>();
  return specs.filter(({ id }, index) => {
    if (!fresh.has(id)) return true;
    const before = first.get(id);
    if (before === undefined) {
      first.set(id, index);
      return true;
    }
    const wanted = `an id of its own: ${pathOf(before)} has the same; two backends on one address need an \`id\` each`;
    check.problem(`${pathOf(index)}.id`, id, wanted);
    return false;
  });
}

/**
 * A whole set, or one error with all problems.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function checkSpecs(what: string, specs: unknown, cache?: SpecCache): readonly ResolvedSpec[] {
  const check = new OptionCheck();
  const resolved = resolveSpecs(check, "backends", specs, cache);
  check.throwIfAny(what);
  return resolved;
}

function resolveSpec(check: OptionCheck, path: string, value: unknown): ResolvedSpec | undefined {
  const before = check.count;
  const input = typeof value === "string" ? { url: value } : check.record(path, value, SPEC_KEYS);
  if (input === undefined) return undefined;
  const url = resolveUrl(check, typeof value === "string" ? path : `${path}.url`, input["url"]);
  const spec = fillIn(check, path, input, NOTHING_SAID, WANTED);
  const tls = resolveTls(check, `${path}.tls`, input["tls"]);
  if (check.count > before || url === undefined) return undefined;
  return Object.freeze({
    ...spec,
    tls,
    zone: spec.zone,
    url: withoutTrailingSlash(url),
    id: spec.id ?? `${url.hostname}:${url.port || defaultPort(url)}`,
    weight: spec.weight ?? 1,
    priority: spec.priority ?? 0,
    // A copy: what is given may be changed by its owner.
    labels: spec.labels === undefined ? NO_LABELS : Object.freeze({ ...spec.labels }),
    state: spec.state ?? "enabled",
  });
}

function resolveUrl(check: OptionCheck, path: string, value: unknown): URL | undefined {
  const url = typeof value === "string" ? urlOf(value) : undefined;
  if (url !== undefined && /^(https?|wss?):$/.test(url.protocol) && !carriesMore(url)) return url;
  check.problem(path, value, "an absolute http, https, ws or wss URL without credentials, query or fragment");
  return undefined;
}

function carriesMore({ username, password, search, hash }: URL): boolean {
  return username + password + search + hash !== "";
}

function resolveTls(check: OptionCheck, path: string, value: unknown): TlsOptions | undefined {
  const input = value === undefined ? undefined : check.record(path, value, Object.keys(WANTED_TLS));
  return input && fillIn(check, path, input, NO_TLS, WANTED_TLS);
}

function withoutTrailingSlash(url: URL): string {
  return url.href.replace(/\/+$/, "");
}

function defaultPort(url: URL): string {
  return url.protocol === "https:" || url.protocol === "wss:" ? "443" : "80";
}

/** Nearly all of a set is the same at every update: texts and numbers are compared before anything is written out. */
export function sameSpec(a: BackendSpec, b: BackendSpec): boolean {
  return (
    a.url === b.url &&
    a.weight === b.weight &&
    a.priority === b.priority &&
    a.state === b.state &&
    a.zone === b.zone &&
    a.host === b.host &&
    a.maxConcurrent === b.maxConcurrent &&
    a.maxConnections === b.maxConnections &&
    sameRecord(a.labels, b.labels) &&
    sameRecord(a.tls, b.tls)
  );
}

/** Records of texts and the like; whatever else is in them is compared as JSON. */
export function sameRecord(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => sameValue(a[key as keyof typeof a], b[key as keyof typeof b]));
}

function sameValue(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
}
