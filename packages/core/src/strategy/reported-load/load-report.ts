import type { LoadReport } from "../../call/outcome.ts";

/** In characters. A header of more is none of ours, and must not cost time. */
const LONGEST_TEXT = 8_192;
/** Named values beyond these are left out. */
const MOST_NAMED = 64;

/** Field names as in `OrcaLoadReport`, in both spellings that protobuf JSON allows. */
const FIELDS: ReadonlyMap<string, Exclude<keyof LoadReport, "namedUtilization">> = new Map([
  ["application_utilization", "applicationUtilization"],
  ["applicationUtilization", "applicationUtilization"],
  ["cpu_utilization", "cpuUtilization"],
  ["cpuUtilization", "cpuUtilization"],
  ["rps_fractional", "requestsPerSecond"],
  ["rpsFractional", "requestsPerSecond"],
  ["qps", "requestsPerSecond"],
  ["eps", "errorsPerSecond"],
]);
/** The maps of `OrcaLoadReport` whose values may stand for utilization. */
const MAPS: readonly string[] = ["named_metrics", "namedMetrics", "utilization"];

/**
 * Reads a load report in the forms of the header `endpoint-load-metrics`: `TEXT cpu_utilization=0.3, rps_fractional=80`
 * (`:` is allowed for `=`, the word `TEXT` may be left out), and `JSON {"cpu_utilization": 0.3}`. Named values are
 * `named_metrics.x` and `utilization.x`, or objects of these names in JSON. Binary reports are not read.
 *
 * @returns `undefined` for a text that is longer than 8,192 characters, is no report, says nothing that we know, or has a
 * value that is no number, not finite or negative. Never throws. Other fields, such as `mem_utilization`, are passed over.
 *
 * Sources: xDS `orca_load_report.proto`, gRFC A51; Envoy `orca_parser.cc`.
 */
export function parseLoadReport(text: string): LoadReport | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  const [, form, body = ""] = /^\s*(?:(TEXT|JSON|BIN)\s)?(.*)$/s.exec(text) ?? [];
  if (form === "BIN") return undefined;
  const entries = form === "JSON" ? readJson(body) : readText(body);
  return entries === undefined ? undefined : reportOf(entries);
}

/** Names such as `eps` or `utilization.x`, and what is given for them. */
type Entries = readonly (readonly [string, unknown])[];

/** `undefined` if there is something other than `name=value` between commas. */
function readText(body: string): Entries | undefined {
  const entries: [string, unknown][] = [];
  for (const part of body.split(",")) {
    if (part.trim() === "") continue;
    const at = part.includes("=") ? part.indexOf("=") : part.indexOf(":");
    if (at < 0) return undefined;
    entries.push([part.slice(0, at).trim(), part.slice(at + 1)]);
  }
  return entries;
}

function readJson(body: string): Entries | undefined {
  const fields = entriesOf(parsed(body));
  return fields?.flatMap(([name, value]) =>
    MAPS.includes(name)
      ? (entriesOf(value) ?? []).map(([key, item]) => [`${name}.${key}`, item] as const)
      : [[name, value] as const],
  );
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function entriesOf(value: unknown): Entries | undefined {
  return typeof value === "object" && value !== null ? Object.entries(value) : undefined;
}

function reportOf(entries: Entries): LoadReport | undefined {
  const report: { -readonly [Name in keyof LoadReport]: LoadReport[Name] } = {};
  const named = new Map<string, number>();
  for (const [name, given] of entries) {
    const field = FIELDS.get(name);
    const key = field === undefined ? nameInMap(name) : undefined;
    if (field === undefined && key === undefined) continue;
    const value = numberOf(given);
    if (value === undefined) return undefined;
    if (field !== undefined) report[field] = value;
    else if (key !== undefined && named.size < MOST_NAMED) named.set(key, value);
  }
  // Unlike assigning one by one, this makes a plain entry of any key, `__proto__` too.
  if (named.size > 0) report.namedUtilization = Object.fromEntries(named);
  return Object.keys(report).length === 0 ? undefined : report;
}

/** The x of `utilization.x`. */
function nameInMap(name: string): string | undefined {
  const dot = name.indexOf(".");
  return dot > 0 && dot + 1 < name.length && MAPS.includes(name.slice(0, dot)) ? name.slice(dot + 1) : undefined;
}

/** A finite number of at least 0. In JSON it may be given as a text too, as protobuf allows. */
function numberOf(given: unknown): number | undefined {
  const value = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY ? value : undefined;
}
