import type { AdminState, BackendSpec, TlsOptions } from "../backend.ts";
import { expected, OptionCheck } from "../options.ts";

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

const KEYS = ["url", "id", "weight", "priority", "zone", "labels", "host", "tls", "state"] as const;
const TLS_KEYS = ["ca", "cert", "key", "serverName", "rejectUnauthorized"] as const;
const STATES = ["enabled", "degraded", "draining", "disabled"] as const;
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

/** Priorities are small numbers; a larger one is a mistake (Envoy allows 128 levels). */
const LARGEST_PRIORITY = 127;
/** Beyond this a weight is a mistake, and sums of weights would lose precision. */
const LARGEST_WEIGHT = 1e9;

/** Checks a whole set; problems go to `check`, and what is wrong is left out of the result. */
export function resolveSpecs(check: OptionCheck, path: string, specs: unknown): ResolvedSpec[] {
  if (!Array.isArray(specs)) {
    check.problem(path, specs, "a list of backends");
    return [];
  }
  const seen = new Map<string, string>();
  const resolved: ResolvedSpec[] = [];
  for (const [index, value] of (specs as readonly unknown[]).entries()) {
    const at = `${path}[${index}]`;
    const spec = resolveSpec(check, at, value);
    if (spec === undefined) continue;
    const first = seen.get(spec.id);
    if (first !== undefined) {
      check.problem(
        `${at}.id`,
        spec.id,
        `an id of its own: ${first} has the same; two backends on one address need an \`id\` each`,
      );
      continue;
    }
    seen.set(spec.id, at);
    resolved.push(spec);
  }
  return resolved;
}

/**
 * A whole set, or one error with all problems.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function checkSpecs(what: string, specs: unknown): ResolvedSpec[] {
  const check = new OptionCheck();
  const resolved = resolveSpecs(check, "backends", specs);
  check.throwIfAny(what);
  return resolved;
}

function resolveSpec(check: OptionCheck, path: string, value: unknown): ResolvedSpec | undefined {
  const before = check.count;
  const input = typeof value === "string" ? { url: value } : check.record(path, value, KEYS);
  if (input === undefined) return undefined;
  const url = resolveUrl(check, typeof value === "string" ? path : `${path}.url`, input["url"]);
  const spec = {
    id: check.optional(`${path}.id`, input["id"], expected.text),
    weight: check.optional(`${path}.weight`, input["weight"], expected.number({ above: 0, max: LARGEST_WEIGHT })),
    priority: check.optional(
      `${path}.priority`,
      input["priority"],
      expected.integer({ min: 0, max: LARGEST_PRIORITY }),
    ),
    zone: check.optional(`${path}.zone`, input["zone"], expected.text),
    labels: check.optional(`${path}.labels`, input["labels"], expected.labels),
    host: check.optional(`${path}.host`, input["host"], expected.headerValue),
    state: check.optional(`${path}.state`, input["state"], expected.oneOf(STATES)),
    tls: resolveTls(check, `${path}.tls`, input["tls"]),
  };
  if (check.count > before || url === undefined) return undefined;
  return Object.freeze({
    ...spec,
    url: withoutTrailingSlash(url),
    id: spec.id ?? `${url.hostname}:${url.port || defaultPort(url)}`,
    weight: spec.weight ?? 1,
    priority: spec.priority ?? 0,
    labels: spec.labels ?? NO_LABELS,
    state: spec.state ?? "enabled",
  });
}

function resolveUrl(check: OptionCheck, path: string, value: unknown): URL | undefined {
  const wanted = "an absolute http, https, ws or wss URL without credentials, query or fragment";
  const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^(https?|wss?):$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    check.problem(path, value, wanted);
    return undefined;
  }
  if (url.username !== "" || url.password !== "") {
    check.problem(path, value, wanted);
    return undefined;
  }
  return url;
}

function resolveTls(check: OptionCheck, path: string, value: unknown): TlsOptions | undefined {
  if (value === undefined) return undefined;
  const input = check.record(path, value, TLS_KEYS);
  if (input === undefined) return undefined;
  return {
    ca: check.optional(`${path}.ca`, input["ca"], expected.textOrTexts),
    cert: check.optional(`${path}.cert`, input["cert"], expected.secretText),
    key: check.optional(`${path}.key`, input["key"], expected.secretText),
    serverName: check.optional(`${path}.serverName`, input["serverName"], expected.text),
    rejectUnauthorized: check.optional(`${path}.rejectUnauthorized`, input["rejectUnauthorized"], expected.boolean),
  };
}

function withoutTrailingSlash(url: URL): string {
  return url.href.replace(/\/+$/, "");
}

function defaultPort(url: URL): string {
  return url.protocol === "https:" || url.protocol === "wss:" ? "443" : "80";
}
