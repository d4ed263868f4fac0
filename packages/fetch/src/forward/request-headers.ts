import { ATTEMPT_COUNT, EXPECTED_TIMEOUT } from "../propagation.ts";
import type { ForwardOptions } from "./contract.ts";
import { formatForwarded } from "./forwarded.ts";
import { HOP_BY_HOP, namedByConnection } from "./hop-by-hop.ts";
import { CLIENT_HEADERS } from "./options.ts";
import { RefusedError } from "./refused.ts";
import type { Client } from "./trust.ts";

/** Where clients think they are. */
export interface PublicOrigin {
  readonly proto: string;
  readonly host: string;
}

/** What the headers for a backend are made of, beside those of the client. */
interface Facts {
  readonly client: Client;
  readonly origin: PublicOrigin;
  readonly requestId: string | undefined;
}

/** Claims about the client: what is left of them says what we know. */
const CLAIMS: ReadonlySet<string> = new Set([
  ...CLIENT_HEADERS,
  "cf-connecting-ipv6",
  "fastly-client-ip",
  "forwarded",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
]);

const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 65_536;

/** Writes the headers for backends. */
export class RequestHeaders {
  readonly #options: ForwardOptions;
  readonly #keepsEncoding: boolean;
  readonly #idName: string | undefined;
  readonly #clientHeader: string | undefined;

  /** @param clientHeader the header that names the client to us, if one does */
  constructor(
    options: ForwardOptions,
    idName: string | undefined,
    clientHeader: string | undefined,
    keepsEncoding: boolean,
  ) {
    this.#options = options;
    this.#idName = idName;
    this.#clientHeader = clientHeader;
    this.#keepsEncoding = keepsEncoding;
  }

  /**
   * A record without prototype: names and values are the client's.
   *
   * @throws RefusedError 431 or 508
   */
  of(request: Request, facts: Facts): Record<string, string> {
    const all = this.#kept(request.headers, facts.client.trusted);
    const { headers, method, body } = request;
    // Who takes trailers may be sent them (RFC 9110 §10.1.4).
    if (headers.get("te")?.toLowerCase() === "trailers") all["te"] = "trailers";
    // A length that Transfer-Encoding overrules is a lie (RFC 9112 §6.3).
    if (body === null || headers.has("transfer-encoding")) delete all["content-length"];
    if (!this.#keepsEncoding) all["accept-encoding"] = "identity";
    if (method === "OPTIONS") countDown(all);
    if (this.#options.host === "client") all["host"] = facts.origin.host;
    this.#sayWho(all, facts);
    this.#sayHow(all, facts);
    return all;
  }

  /** What is the client's to say. */
  #kept(headers: Headers, trusted: boolean): Record<string, string> {
    const { maxHeaders = MAX_HEADERS, maxHeaderBytes = MAX_HEADER_BYTES } = this.#options;
    const named = namedByConnection(headers.get("connection"));
    const all: Record<string, string> = Object.create(null);
    let count = 0;
    let bytes = 0;
    for (const [name, value] of headers) {
      count++;
      bytes += name.length + value.length;
      if (!HOP_BY_HOP.has(name) && !named.has(name) && !isOurs(name, trusted)) all[name] = value;
    }
    if (count > maxHeaders || bytes > maxHeaderBytes) throw new RefusedError(431, "the request has too many headers");
    return all;
  }

  #sayWho(all: Record<string, string>, { client, requestId }: Facts): void {
    const { via = false } = this.#options;
    if (this.#clientHeader !== undefined && client.ip !== undefined) all[this.#clientHeader] = client.ip;
    if (this.#idName !== undefined && requestId !== undefined) all[this.#idName] = requestId;
    if (via !== false) all["via"] = withVia(all["via"], via);
  }

  #sayHow(all: Record<string, string>, { client, origin: { host, proto } }: Facts): void {
    const { forwardedHeaders: form = "x-forwarded" } = this.#options;
    if (form === "forwarded" || form === "both") all["forwarded"] = formatForwarded(client.path, host, proto);
    if (form !== "x-forwarded" && form !== "both") return;
    if (client.path.length > 0) all["x-forwarded-for"] = client.path.join(", ");
    all["x-forwarded-host"] = host;
    all["x-forwarded-port"] = /:(\d+)$/.exec(host)?.[1] ?? (proto === "https" ? "443" : "80");
    all["x-forwarded-proto"] = proto;
  }
}

/** Whether a header is written by us, or removed because anybody could have written it. */
function isOurs(name: string, trusted: boolean): boolean {
  if (name === "host" || name === "expect" || CLAIMS.has(name)) return true;
  return !trusted && (name.startsWith("x-forwarded-") || name === ATTEMPT_COUNT || name === EXPECTED_TIMEOUT);
}

/** @throws RefusedError 508 if the request was here before */
function withVia(before: string | undefined, name: string): string {
  if (before?.split(",").some((hop) => hop.trim().split(/\s+/)[1] === name) === true)
    throw new RefusedError(508, `the request has come through ${name} before`);
  return before === undefined ? `1.1 ${name}` : `${before}, 1.1 ${name}`;
}

/** RFC 9110 §7.6.2; at 0 the request is not forwarded at all. */
function countDown(all: Record<string, string>): void {
  const left = all["max-forwards"];
  if (left !== undefined && /^\d{1,9}$/.test(left)) all["max-forwards"] = String(Number(left) - 1);
}
