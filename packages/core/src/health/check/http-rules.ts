import type { Backend } from "../../backend.ts";
import { expected, type OptionCheck } from "../../options.ts";
import { urlOf } from "../../url.ts";
import type { Finding } from "../health.ts";
import { type CheckSchedule, SCHEDULE_KEYS } from "./schedule.ts";
import { resolveStatuses, type StatusExpectation } from "./statuses.ts";

/** What is asked of a backend over HTTP, and what it must answer. */
export interface HttpCheckRules extends CheckSchedule {
  /** Path and query, appended to the backend's URL. Default `/`. */
  readonly path?: string | undefined;
  /** Default `GET`. */
  readonly method?: "GET" | "HEAD" | "OPTIONS" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Statuses that pass: `200`, `"200-299"`, `"2xx"`, `"200,204"` or a list. Default `"2xx"`. */
  readonly expect?: StatusExpectation | undefined;
  /** What the first 64 kB of the body must contain or match. Default: anything. */
  readonly body?: string | RegExp | undefined;
  /** `manual` (default): a redirect is an answer like any other. `follow`: at most five are followed. */
  readonly redirects?: "manual" | "follow" | undefined;
  /** Default: that of the backend's URL. */
  readonly port?: number | undefined;
  /** Default: that of the backend's URL. */
  readonly protocol?: "http" | "https" | undefined;
}

/** The same, checked. */
export interface HttpRules {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly accepts: (status: number) => boolean;
  /** Decides on the body; `undefined`: it doesn't matter. */
  readonly matches: ((body: string) => boolean) | undefined;
  readonly follows: boolean;
  readonly port: number | undefined;
  readonly protocol: string | undefined;
}

export const HTTP_KEYS: readonly (keyof HttpCheckRules)[] = [
  "path",
  "method",
  "headers",
  "expect",
  "body",
  "redirects",
  "port",
  "protocol",
  ...SCHEDULE_KEYS,
];

/** As much of a body as is read, bytes: a health page is smaller, and a larger body must not fill the memory. */
const BODY_LIMIT = 65_536;
const MOST_REDIRECTS = 5;

export function resolveHttpRules(check: OptionCheck, input: Record<string, unknown>): HttpRules {
  if (input["method"] === "HEAD" && input["body"] !== undefined)
    check.problem("body", input["body"], "no expectation: an answer to HEAD has no body");
  return {
    path: check.optional("path", input["path"], aPath) ?? "/",
    method: check.optional("method", input["method"], expected.oneOf(["GET", "HEAD", "OPTIONS"])) ?? "GET",
    headers: resolveHeaders(check, input["headers"]),
    accepts: resolveStatuses(check, "expect", input["expect"], "2xx"),
    matches: resolveBody(check, input["body"]),
    follows: check.optional("redirects", input["redirects"], expected.oneOf(["manual", "follow"])) === "follow",
    port: check.optional("port", input["port"], expected.integer({ min: 1, max: 65_535 })),
    protocol: check.optional("protocol", input["protocol"], expected.oneOf(["http", "https"])),
  };
}

const aPath = {
  description: "a path that begins with /, without a fragment",
  accepts: (value: unknown): value is string => typeof value === "string" && /^\/[^#\s]*$/.test(value),
};

function resolveHeaders(check: OptionCheck, value: unknown): Readonly<Record<string, string>> {
  const headers = check.optional("headers", value, expected.labels) ?? {};
  try {
    return Object.fromEntries(new Headers(headers));
  } catch {
    check.problem("headers", value, "names and values that HTTP allows");
    return {};
  }
}

function resolveBody(check: OptionCheck, value: unknown): HttpRules["matches"] {
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "") return (body) => body.includes(value);
  // One with `g` or `y` would go on where it stopped in the body before.
  const pattern = value instanceof RegExp ? new RegExp(value.source, value.flags.replace(/[gy]/g, "")) : undefined;
  if (pattern === undefined) check.problem("body", value, "a text or a regular expression");
  return (body) => pattern?.test(body) === true;
}

/** What came back, its body still unread. */
export interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly certificateExpiresAt?: number | undefined;
  /** At most so many bytes of the body, in pieces; what is left of it is given up. */
  read(limit: number): Promise<readonly Uint8Array[]>;
  discard(): void;
}

interface Question {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the specification says of TLS holds for the backend itself, not for where it redirects to. */
  readonly elsewhere: boolean;
  /** For those that can't say where a redirect leads. */
  readonly follows: boolean;
}

/** Sends one request. */
export type Exchange = (url: URL, question: Question) => Promise<Answer>;

/** Asks, follows redirects if that is wanted, and judges the answer, whose end or first 64 kB are waited for. */
export async function askOverHttp(rules: HttpRules, backend: Backend, exchange: Exchange): Promise<Finding> {
  const first = checkUrl(backend, rules);
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const elsewhere = url.origin !== first.origin;
    const headers = elsewhere ? {} : rules.headers;
    const answer = await exchange(url, { method: rules.method, headers, elsewhere, follows: rules.follows });
    const next = rules.follows ? redirectOf(answer, url) : undefined;
    if (next === undefined) return judge(answer, rules);
    answer.discard();
    if (redirects === MOST_REDIRECTS) return { passed: false, reason: `more than ${MOST_REDIRECTS} redirects` };
    url = next;
  }
}

/** The address of a check; a path of the backend's URL is a prefix, as it is for calls. */
export function checkUrl(
  backend: Backend,
  { path, port, protocol }: Pick<HttpRules, "path" | "port" | "protocol">,
): URL {
  const url = new URL(`${backend.url.replace(/^ws/, "http")}${path}`);
  const before = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  if (protocol !== undefined) url.protocol = `${protocol}:`;
  url.port = port === undefined ? before : String(port);
  return url;
}

function redirectOf({ status, location }: Answer, from: URL): URL | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const next = urlOf(location, from.href);
  return next !== undefined && /^https?:$/.test(next.protocol) ? next : undefined;
}

async function judge(answer: Answer, { accepts, matches }: HttpRules): Promise<Finding> {
  const { status, certificateExpiresAt } = answer;
  if (!accepts(status)) {
    answer.discard();
    // Browsers show a redirect as 0.
    return { passed: false, reason: status === 0 ? "redirect" : String(status), certificateExpiresAt };
  }
  const body = await answer.read(BODY_LIMIT);
  const passed = matches === undefined || matches(textOf(body));
  return {
    passed,
    reason: passed ? String(status) : `${status}, but not with the expected body`,
    certificateExpiresAt,
  };
}

function textOf(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
}
