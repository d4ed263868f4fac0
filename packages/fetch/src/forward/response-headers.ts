import type { Backend } from "@fairlead/core";
import type { Destination } from "../destination.ts";
import { discard, reasonPhrase, WITHOUT_BODY } from "../response.ts";
import { HOP_BY_HOP, namedByConnection } from "./hop-by-hop.ts";
import { knownLength } from "./known-length.ts";
import type { Passage } from "./passage.ts";
import { publicLocation } from "./public-location.ts";
import { RefusedError } from "./refused.ts";
import type { PublicOrigin } from "./request-headers.ts";

/** What platforms decode. Source: Fetch standard §2.2.5, "handle content codings". */
const DECODED = /^\s*(?:x-)?(?:gzip|deflate|br|zstd)(?:\s*,\s*(?:x-)?(?:gzip|deflate|br|zstd))*\s*$/i;

/** Shows the responses of backends to clients. */
export class ResponseHeaders {
  readonly #idName: string | undefined;
  readonly #via: string | undefined;
  readonly #keepsEncoding: boolean;

  constructor(idName: string | undefined, via: string | undefined, keepsEncoding: boolean) {
    this.#idName = idName;
    this.#via = via;
    this.#keepsEncoding = keepsEncoding;
  }

  /**
   * @param backend whose answer it is
   * @throws RefusedError if it can't be shown
   */
  show(response: Response, passage: Passage, backend: Backend | undefined): Response {
    if (response.status < 200 || response.status > 599) {
      discard(response);
      throw new RefusedError(502, "the status of the answer is none of HTTP");
    }
    const shown = editable(response);
    const { headers } = shown;
    endHops(headers);
    if (!this.#keepsEncoding && shown.body !== null) endEncoding(headers);
    this.tell(headers, passage, backend);
    return shown;
  }

  /** What clients are told beside what is about the connection and the body. */
  tell(headers: Headers, passage: Passage, backend: Backend | undefined): void {
    const to = passage.addressed?.to;
    if (to !== undefined) showPlaces(headers, passage.origin, to, backend);
    if (this.#via !== undefined) headers.append("via", `1.1 ${this.#via}`);
    this.sign(headers, passage);
  }

  /** What every response has, whoever has made it. */
  sign(headers: Headers, { requestId }: Passage): void {
    if (this.#idName !== undefined && requestId !== undefined) headers.set(this.#idName, requestId);
  }
}

/** The response with headers that can be changed: those of `fetch`, whose responses have a URL, can't. */
export function editable(response: Response): Response {
  if (response.url !== "") return copyOf(response);
  try {
    response.headers.delete("proxy-connection");
    return response;
  } catch {
    return copyOf(response);
  }
}

function copyOf(response: Response): Response {
  const { status, statusText, headers } = response;
  // Some platforms give a 204 a stream.
  const shown = WITHOUT_BODY.has(status) ? null : knownLength(response);
  return new Response(shown, { status, statusText: reasonPhrase(statusText), headers });
}

/** Removes what was about the connection to the backend. */
export function endHops(headers: Headers): void {
  // A length that Transfer-Encoding overrules is a lie (RFC 9112 §6.3).
  if (headers.has("transfer-encoding")) headers.delete("content-length");
  for (const name of namedByConnection(headers.get("connection"))) if (isName(name)) headers.delete(name);
  for (const name of HOP_BY_HOP) headers.delete(name);
}

/**
 * The platform has decoded the body: the headers are to say what it is now. A strong ETag names the bytes as they were, and
 * ranges are counted in them.
 */
function endEncoding(headers: Headers): void {
  const coding = headers.get("content-encoding");
  if (coding === null || !DECODED.test(coding)) return;
  for (const name of ["content-encoding", "content-length", "accept-ranges"]) headers.delete(name);
  const etag = headers.get("etag");
  if (etag?.startsWith('"') === true) headers.set("etag", `W/${etag}`);
}

/** Shows places in the terms of the client. */
function showPlaces(headers: Headers, origin: PublicOrigin, to: Destination, backend: Backend | undefined): void {
  for (const name of ["location", "content-location"]) {
    const place = headers.get(name);
    const shown = place === null ? null : publicLocation(place, origin, to, backend);
    if (shown !== place && shown !== null) headers.set(name, shown);
  }
}

function isName(text: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(text);
}
